//! Where to listen.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::io::ioctl_fionbio;

const FIRST_INHERITED: i32 = 3;

/// The listening socket that the surroundings ask for, non-blocking.
pub(crate) fn open() -> io::Result<OwnedFd> {
    let listener = if inherits() {
        inherited()
    } else if let Some(path) = env::var_os("STOKER_SOCKET") {
        unix(Path::new(&path))?
    } else {
        let address = env::args_os().nth(1).ok_or_else(usage)?;
        argument(&address)?
    };
    ioctl_fionbio(&listener, true)?;
    Ok(listener)
}

/// Whether a socket was passed, and to this process: `LISTEN_PID` may be left out.
fn inherits() -> bool {
    let passed = env::var("LISTEN_FDS").is_ok_and(|count| count.parse().is_ok_and(|n: u32| n > 0));
    let to_another = env::var("LISTEN_PID").is_ok_and(|pid| pid != std::process::id().to_string());
    passed && !to_another
}

fn inherited() -> OwnedFd {
    // SAFETY: LISTEN_FDS says that the descriptor was opened for this process, and nothing else
    // in this program names it.
    unsafe { OwnedFd::from_raw_fd(FIRST_INHERITED) }
}

fn argument(address: &OsStr) -> io::Result<OwnedFd> {
    match address.to_str().and_then(|text| text.strip_prefix("tcp:")) {
        Some(tcp) => Ok(TcpListener::bind(tcp)?.into()),
        None => unix(Path::new(address)),
    }
}

/// A Unix socket, in place of one that an earlier process left there.
fn unix(path: &Path) -> io::Result<OwnedFd> {
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    Ok(UnixListener::bind(path)?.into())
}

fn usage() -> io::Error {
    let text = "nowhere to listen: set LISTEN_FDS or STOKER_SOCKET, or give a path or tcp:ADDRESS";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
