//! The spawner and its gateways: one at a time, and none for ever.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;

use super::{GATEWAY, Phase, Server};
use crate::spawner::link::Link;
use crate::spawner::protocol::{Event, VERSION};

/// A gateway that connects must say hello within this time.
pub(super) const GREETING: Duration = Duration::from_secs(5);

/// Refused gateways that are kept until they have read why.
const MAX_REFUSED: usize = 8;

impl Server {
    /// A gateway connects.
    pub(super) fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(socket) = rustix::net::accept_with(listener, flags) else {
            return;
        };
        let Ok(mut link) = Link::new(socket, Instant::now() + GREETING) else {
            return;
        };
        match &self.link {
            Some(other) => {
                let reason = format!("another gateway (pid {}) is connected", other.pid);
                link.send(&Event::Refused { reason }, Vec::new());
                self.refused.push_back(link);
                if self.refused.len() > MAX_REFUSED {
                    self.refused.pop_front();
                }
            }
            None => self.adopt_link(link),
        }
    }

    /// This gateway is the one from now on.
    pub(super) fn adopt_link(&mut self, link: Link) {
        let data = EventData::new_u64(GATEWAY);
        if epoll::add(&self.epoll, link.as_fd(), data, EventFlags::IN).is_ok() {
            self.link = Some(link);
        }
    }

    /// Tells the gateway, if there is one that has said hello.
    pub(super) fn tell(&mut self, event: &Event, descriptors: Vec<OwnedFd>) {
        if let Some(link) = self.link.as_mut().filter(|link| link.greet_by.is_none()) {
            link.send(event, descriptors);
        }
    }

    /// Answers a greeting. A gateway of another release is told so and decides itself.
    pub(super) fn welcome(&mut self) {
        if let Some(link) = &mut self.link {
            link.greet_by = None;
        }
        if matches!(self.phase, Phase::Alone(_)) {
            self.phase = Phase::Serving;
        }
        let workers = self.workers.table.len();
        let pid = std::process::id();
        self.tell(
            &Event::Welcome {
                version: VERSION,
                pid,
                workers,
            },
            Vec::new(),
        );
    }

    /// Sends what waits, and drops a gateway that is gone, dumb or a nuisance.
    pub(super) fn look_after_link(&mut self, now: Instant) {
        self.refused
            .retain(|link| link.greet_by.is_some_and(|due| now < due));
        let Some(link) = &mut self.link else { return };
        link.flush();
        let late = link.greet_by.is_some_and(|due| now >= due);
        if link.is_lost() || late {
            self.link = None;
            if self.phase == Phase::Serving {
                self.be_alone(now);
            }
            return;
        }
        let wanted = EventFlags::IN
            | if link.is_behind() {
                EventFlags::OUT
            } else {
                EventFlags::empty()
            };
        // Fails for a closed socket only, which shows itself as lost.
        epoll::modify(
            &self.epoll,
            link.as_fd(),
            EventData::new_u64(GATEWAY),
            wanted,
        )
        .ok();
    }

    /// The gateway is gone.
    fn be_alone(&mut self, now: Instant) {
        match self.adoption {
            Some(patience) if !self.workers.table.is_empty() => {
                self.phase = Phase::Alone(now + patience);
            }
            _ => self.stop(),
        }
    }
}
