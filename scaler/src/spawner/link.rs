//! The spawner's side of the connection to the gateway: it never waits for a slow reader.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use super::cgroup::CgroupSettings;
use super::packet::{Inbox, Packet, widen};
use super::protocol::{Event, Request};

/// Events that wait for the gateway to read. Each worker causes a dozen at most, so a gateway that
/// is that far behind does not read at all.
const MAX_WAITING: usize = 65_536;

/// What a gateway that leads wants.
#[derive(Debug)]
pub(super) struct Terms {
    /// How long workers wait for the next gateway, in milliseconds; none: not at all.
    pub(super) adoption_ms: Option<u64>,
    /// From SIGTERM to SIGKILL, in milliseconds.
    pub(super) grace_ms: u64,
    pub(super) cgroups: CgroupSettings,
    pub(super) spare_networks: usize,
    pub(super) stubs: usize,
}

/// A connected gateway.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
    /// Its own among all links so far.
    pub(super) number: u32,
    /// The gateway's process.
    pub(super) pid: i32,
    outbox: VecDeque<Packet>,
    /// It must have said hello by then; none: it has.
    pub(super) greet_by: Option<Instant>,
    /// It is to lead next; what holds from then on.
    pub(super) heir: Option<Terms>,
    /// Whether epoll tells when it reads again.
    pub(super) watched_as_behind: bool,
    lost: bool,
}

impl Link {
    /// A gateway that has not said hello.
    pub(super) fn new(socket: OwnedFd, number: u32, greet_by: Instant) -> io::Result<Link> {
        let peer = rustix::net::sockopt::socket_peercred(&socket)?;
        if !(peer.uid.is_root() || peer.uid == rustix::process::geteuid()) {
            let detail = format!("user {} may not control this spawner", peer.uid.as_raw());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, detail));
        }
        rustix::io::ioctl_fionbio(&socket, true)?;
        widen(&socket);
        Ok(Link {
            socket,
            number,
            pid: peer.pid.as_raw_nonzero().get(),
            outbox: VecDeque::new(),
            greet_by: Some(greet_by),
            heir: None,
            watched_as_behind: false,
            lost: false,
        })
    }

    /// Sends, now or as soon as the gateway reads.
    pub(super) fn send(&mut self, event: &Event, descriptors: Vec<OwnedFd>) {
        match Packet::new(event, descriptors) {
            Ok(packet) if self.outbox.len() < MAX_WAITING => self.outbox.push_back(packet),
            _ => self.lost = true,
        }
        self.flush();
    }

    /// Sends what waits, as far as the gateway reads.
    pub(super) fn flush(&mut self) {
        while let Some(packet) = self.outbox.front() {
            match packet.send(&self.socket) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(error) if is_full(&error) => return,
                Err(_) => {
                    self.lost = true;
                    return;
                }
            }
        }
    }

    /// The next request; none if there is none now.
    pub(super) fn receive(&mut self, inbox: &mut Inbox) -> Option<(Request, Vec<OwnedFd>)> {
        match inbox.receive(&self.socket) {
            Ok(Some(message)) => return Some(message),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(None) | Err(_) => self.lost = true,
        }
        None
    }

    /// Something waits to be sent.
    pub(super) fn is_behind(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The gateway is gone, or talks nonsense, which is no better.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The receiver does not keep up: its buffer is full, or too many descriptors are on their way.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::TOOMANYREFS.raw_os_error())
}
