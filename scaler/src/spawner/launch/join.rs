//! Joining the spawner that a former gateway left.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::{GREETING, REFUSED, Spawner, SpawnerSettings, greet, socket_path};
use crate::spawner::packet::Packet;
use crate::spawner::protocol::{MAX_MESSAGE, Request, VERSION};

/// How long a spawner of another release may take to stop its workers, beyond its grace.
const REPLACEMENT: Duration = Duration::from_secs(10);

/// How long that is believed to be a matter of moments, for we have the state directory's lock.
const REFUSAL: Duration = Duration::from_secs(5);
/// The pause between attempts meanwhile.
const REFUSAL_PAUSE: Duration = Duration::from_millis(10);

/// Joins a living spawner, which may need a moment to notice that its former gateway is gone, or to
/// end itself.
pub(super) fn join_patiently(settings: &SpawnerSettings) -> io::Result<Option<(Spawner, usize)>> {
    let deadline = Instant::now() + REFUSAL;
    loop {
        match join(settings) {
            Err(error) if error.kind() == REFUSED && Instant::now() < deadline => {
                std::thread::sleep(REFUSAL_PAUSE);
            }
            result => return result,
        }
    }
}

/// Joins a living spawner; it and how many workers it has. A spawner of another release is stopped.
fn join(settings: &SpawnerSettings) -> io::Result<Option<(Spawner, usize)>> {
    let Some(socket) = connect(settings)? else {
        return Ok(None);
    };
    match greet(&socket, settings, false, GREETING) {
        Ok(Some((VERSION, pid, workers))) => Ok(Some((Spawner::new(socket, pid, None), workers))),
        Ok(Some(_)) => replace(&socket, settings).map(|()| None),
        // It is about to end, and then nobody listens. Launching another before would take the
        // first one's socket away.
        Ok(None) => {
            let error = io::Error::new(REFUSED, "it hung up without an answer");
            Err(about_former(&socket, &error))
        }
        Err(error) => Err(about_former(&socket, &error)),
    }
}

/// Joins the spawner of a gateway that lives; it and how many workers it has.
pub(super) fn join_living(settings: &SpawnerSettings) -> io::Result<(Spawner, usize)> {
    let socket = connect(settings)?.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "the former gateway has no spawner")
    })?;
    match greet(&socket, settings, true, GREETING) {
        Ok(Some((VERSION, pid, workers))) => Ok((Spawner::new(socket, pid, None), workers)),
        Ok(Some((version, ..))) => {
            let detail = format!(
                "it speaks version {version} and this release {VERSION}: stop the former gateway \
                 and start this one instead"
            );
            Err(about_former(&socket, &io::Error::other(detail)))
        }
        Ok(None) => {
            let error = io::Error::new(REFUSED, "it hung up without an answer");
            Err(about_former(&socket, &error))
        }
        Err(error) => Err(about_former(&socket, &error)),
    }
}

/// Connects to a spawner; none if nobody listens.
fn connect(settings: &SpawnerSettings) -> io::Result<Option<OwnedFd>> {
    let path = socket_path(&settings.state_dir);
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    rustix::net::sockopt::set_socket_timeout(&socket, Timeout::Send, Some(GREETING))?;
    let address = SocketAddrUnix::new(&path)?;
    // With a timeout it is not begun again by the kernel.
    match rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &address)) {
        Ok(()) => Ok(Some(socket)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED) => Ok(None),
        Err(error) => Err(about_former(&socket, &error.into())),
    }
}

/// Has a spawner of another release stop everything, and waits for its end.
fn replace(socket: &OwnedFd, settings: &SpawnerSettings) -> io::Result<()> {
    rustix::io::ioctl_fionbio(socket, false)?;
    Packet::new(&Request::Shutdown, Vec::new())?.send(socket)?;
    let deadline = Instant::now() + settings.grace + REPLACEMENT;
    let mut scrap = vec![0; MAX_MESSAGE];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let error = io::Error::other("being of another release, it did not end when asked to");
            return Err(about_former(socket, &error));
        }
        rustix::net::sockopt::set_socket_timeout(socket, Timeout::Recv, Some(left))?;
        match rustix::net::recv(socket, &mut scrap[..], rustix::net::RecvFlags::empty()) {
            Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => return Ok(()),
            Ok(_) | Err(_) => {}
        }
    }
}

/// An error of the spawner that a former gateway left.
fn about_former(socket: &OwnedFd, error: &io::Error) -> io::Error {
    let pid = rustix::net::sockopt::socket_peercred(socket).map_or_else(
        |_| "unknown".to_owned(),
        |peer| peer.pid.as_raw_nonzero().to_string(),
    );
    let detail = format!("cannot join the spawner of a former gateway (pid {pid}): {error}");
    io::Error::new(error.kind(), detail)
}
