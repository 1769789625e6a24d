//! Carries out a worker's call of `listen` in its place, so that the news comes after the fact.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::net::SocketAddrAny;
use rustix::process::{ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags};

use super::proc;
use super::protocol::Place;
use super::sys::{self, Answer, Notification};
use crate::driver::Endpoint;

/// Connections that the kernel keeps at least for a program that did not accept them yet, whatever
/// it asked for. Python's `http.server` asks for 5: with more slots than that, connections would be
/// refused although nothing is wrong.
const BACKLOG: i32 = 1024;

/// Answers one waiting call of `listen`; where the caller listens now, if it does.
pub(super) fn attend(observer: BorrowedFd<'_>) -> Option<(Place, Option<Endpoint>)> {
    let notification = sys::receive_notification(observer).ok()??;
    let Some(socket) = borrow_socket(observer, &notification) else {
        // Not permitted, or the caller is gone. The kernel carries it out after our answer.
        sys::answer_notification(observer, notification.id, &Answer::Proceed);
        return Some((Place::Hidden, None));
    };
    let result = rustix::net::listen(&socket, notification.backlog.max(BACKLOG));
    sys::answer_notification(observer, notification.id, &Answer::Done(result));
    // A refused call is the program's affair.
    result.ok()?;
    Some(locate(&socket))
}

/// Whether listening at `place` serves requests for `expected`.
pub(super) fn serves(reach: Option<&Endpoint>, expected: &Endpoint) -> bool {
    match (reach, expected) {
        (Some(Endpoint::Unix(path)), Endpoint::Unix(wanted)) => path == wanted,
        (Some(Endpoint::Tcp(address)), Endpoint::Tcp(wanted)) => address.port() == wanted.port(),
        _ => false,
    }
}

/// A duplicate of the socket that the caller passed to `listen`.
fn borrow_socket(observer: BorrowedFd<'_>, notification: &Notification) -> Option<OwnedFd> {
    let process = open_process(notification.thread)?;
    // The pid is known to be the caller's only if the caller still waits.
    if !sys::notification_stands(observer, notification.id) {
        return None;
    }
    let foreign: ForeignRawFd = notification.socket;
    rustix::process::pidfd_getfd(&process, foreign, PidfdGetfdFlags::empty()).ok()
}

/// A pidfd of the process or thread.
fn open_process(thread: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(thread as i32)?;
    // PIDFD_THREAD, since Linux 6.9.
    let of_thread = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);
    if let Ok(pidfd) = rustix::process::pidfd_open(pid, of_thread) {
        return Some(pidfd);
    }
    let process = Pid::from_raw(proc::process_of(thread)?)?;
    rustix::process::pidfd_open(process, PidfdFlags::empty()).ok()
}

/// Where a listening socket is, and how to reach it from this machine's loopback.
fn locate(socket: &OwnedFd) -> (Place, Option<Endpoint>) {
    let Ok(name) = rustix::net::getsockname(socket) else {
        return (Place::Foreign, None);
    };
    if let Ok(address) = SocketAddr::try_from(name.clone()) {
        let reach = loopback(address, socket.as_fd()).map(Endpoint::Tcp);
        return (Place::Known(Endpoint::Tcp(address)), reach);
    }
    match unix_path(name) {
        Some(endpoint) => (Place::Known(endpoint.clone()), Some(endpoint)),
        None => (Place::Foreign, None),
    }
}

/// The loopback address that reaches a socket bound to `bound`.
fn loopback(bound: SocketAddr, socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, bound.port()));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, bound.port()));
    match bound {
        SocketAddr::V4(address) if address.ip().is_unspecified() => Some(v4),
        SocketAddr::V6(address) if address.ip().is_unspecified() => {
            let only_v6 = rustix::net::sockopt::ipv6_v6only(socket).unwrap_or(false);
            Some(if only_v6 { v6 } else { v4 })
        }
        SocketAddr::V6(address) => match address.ip().to_ipv4_mapped() {
            Some(ip) => (ip == Ipv4Addr::LOCALHOST).then_some(v4),
            None => (*address.ip() == Ipv6Addr::LOCALHOST).then_some(v6),
        },
        SocketAddr::V4(address) => (*address.ip() == Ipv4Addr::LOCALHOST).then_some(v4),
    }
}

/// The path of a Unix socket that has one.
fn unix_path(name: SocketAddrAny) -> Option<Endpoint> {
    let name = rustix::net::SocketAddrUnix::try_from(name).ok()?;
    let path = name.path()?;
    let path = Path::new(std::ffi::OsStr::from_bytes(path.to_bytes()));
    Some(Endpoint::Unix(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(bind: &str) -> Option<Endpoint> {
        let listener = std::net::TcpListener::bind(bind).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (_, reach) = locate(&OwnedFd::from(listener));
        let Some(Endpoint::Tcp(address)) = reach else {
            return reach;
        };
        assert_eq!(address.port(), port);
        Some(Endpoint::Tcp(SocketAddr::from((address.ip(), 1))))
    }

    #[test]
    fn wildcards_are_reached_by_loopback() {
        let v4 = Some(Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))));
        assert_eq!(reached("0.0.0.0:0"), v4);
        assert_eq!(reached("[::]:0"), v4);
        assert_eq!(reached("127.0.0.1:0"), v4);
    }

    #[test]
    fn v6_loopback_is_reached_by_v6() {
        let v6 = Some(Endpoint::Tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, 1))));
        assert_eq!(reached("[::1]:0"), v6);
    }

    #[test]
    fn other_addresses_are_not_reached() {
        assert_eq!(reached("127.0.0.2:0"), None);
    }
}
