//! Telling a service manager, systemd's `sd_notify(3)`.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends lines such as `READY=1` to the socket in `$NOTIFY_SOCKET`; nothing happens if there is
/// none.
///
/// # Errors
/// If the service manager cannot be told.
pub fn notify(lines: &str) -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET").and_then(|path| path.into_string().ok())
    else {
        return Ok(());
    };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(lines.as_bytes(), &address)?;
    Ok(())
}
