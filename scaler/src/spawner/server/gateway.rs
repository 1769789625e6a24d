//! The spawner and its gateways: one leads, those that led before it may still finish what they
//! began, and none is there for ever.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;

use super::preload::{is_instance, is_readable};
use super::{LINKS, Phase, Server};
use crate::spawner::link::{Link, Terms};
use crate::spawner::protocol::{Event, VERSION};
use crate::spawner::worker::Worker;

/// A gateway that connects must say hello within this time, also on a machine that is busy.
const GREETING: Duration = Duration::from_secs(30);

/// Refused gateways that are kept until they have read why.
const MAX_REFUSED: usize = 8;

/// Requests of a gateway that are served in a row when its heir takes over: many times what its
/// socket holds.
const MAX_DRAINED: usize = 65_536;

/// Gateways at once: the one that leads, its heir, and those that finish.
const MAX_LINKS: usize = 16;

impl Server {
    /// A gateway connects.
    pub(super) fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        if let Ok(socket) = rustix::net::accept_with(listener, flags) {
            self.add_link(socket);
        }
    }

    /// Its number, if the system lets us watch it.
    pub(super) fn add_link(&mut self, socket: OwnedFd) -> Option<u32> {
        let number = self.next_link;
        let link = Link::new(socket, number, Instant::now() + GREETING).ok()?;
        let data = EventData::new_u64(LINKS - u64::from(number));
        epoll::add(&self.epoll, link.as_fd(), data, EventFlags::IN).ok()?;
        self.next_link += 1;
        self.links.push(link);
        if self.links.len() > MAX_LINKS {
            self.refuse(
                number,
                format!("{MAX_LINKS} gateways are connected, which is the limit"),
            );
            return None;
        }
        Some(number)
    }

    /// Tells a gateway, if it is there and has said hello.
    pub(super) fn tell(&mut self, number: Option<u32>, event: &Event, descriptors: Vec<OwnedFd>) {
        let link = self
            .links
            .iter_mut()
            .find(|link| Some(link.number) == number && link.greet_by.is_none());
        if let Some(link) = link {
            link.send(event, descriptors);
        }
    }

    /// Tells the gateway whose worker it is.
    pub(super) fn tell_owner(&mut self, id: u64, event: &Event) {
        let worker = self.workers.table.get(&id);
        let owner = worker.and_then(|worker| worker.owner);
        self.tell(owner, event, Vec::new());
    }

    /// Answers a greeting, or refuses it. A gateway of another release is told so and decides
    /// itself.
    pub(super) fn greet(&mut self, from: u32, terms: Terms, heir: bool) {
        let leader = self
            .links
            .iter()
            .find(|link| Some(link.number) == self.leader);
        match leader {
            Some(other) if other.number != from && !heir => {
                let reason = format!("another gateway (pid {}) is connected", other.pid);
                return self.refuse(from, reason);
            }
            None if heir => {
                let reason = "no gateway is connected that could be succeeded".to_owned();
                return self.refuse(from, reason);
            }
            _ => {}
        }
        let mut terms = Some(terms);
        if let Some(terms) = terms.take_if(|_| !heir) {
            if let Err(reason) = self.adopt_terms(&terms, from) {
                return self.refuse(from, reason);
            }
            self.leader = Some(from);
            if matches!(self.phase, Phase::Alone(_)) {
                self.phase = Phase::Serving;
            }
        }
        if let Some(link) = self.links.iter_mut().find(|link| link.number == from) {
            link.greet_by = None;
            link.heir = terms;
        }
        let welcome = Event::Welcome {
            version: VERSION,
            pid: std::process::id(),
            workers: self
                .workers
                .table
                .values()
                .filter(|it| is_instance(it))
                .count(),
        };
        self.tell(Some(from), &welcome, Vec::new());
    }

    /// Says why not, and keeps the connection until that was read.
    fn refuse(&mut self, number: u32, reason: String) {
        let Some(index) = self.links.iter().position(|link| link.number == number) else {
            return;
        };
        let mut link = self.links.remove(index);
        epoll::delete(&self.epoll, link.as_fd()).ok();
        link.send(&Event::Refused { reason }, Vec::new());
        link.greet_by = Some(Instant::now() + GREETING);
        self.refused.push_back(link);
        if self.refused.len() > MAX_REFUSED {
            self.refused.pop_front();
        }
    }

    /// Makes a worker this gateway's, which does not know whether a former one froze it.
    pub(super) fn hand(&mut self, id: u64, to: u32) {
        self.workers.thaw(id);
        self.pass_on(id, to);
    }

    fn pass_on(&mut self, id: u64, to: u32) {
        if let Some((event, pipes)) = self.workers.hand_to(id, to) {
            self.tell(Some(to), &event, pipes);
        }
    }

    /// An heir takes workers, and the output of all others. Its word may overtake what their gateway
    /// sent before, in which may be that one of them is ready.
    pub(super) fn take(&mut self, from: u32, ids: &[u64]) {
        if let Some(former) = self.leader.filter(|leader| *leader != from) {
            self.drain(former);
        }
        for id in self.workers.running(|_| true) {
            if ids.contains(&id) {
                // Its former gateway says whether it is frozen.
                self.pass_on(id, from);
            } else if self.workers.table.get(&id).is_some_and(is_readable) {
                self.have_read(id, from);
            }
        }
        self.tell(Some(from), &Event::ListEnd, Vec::new());
    }

    /// Serves all that a gateway has sent. Its pools are frozen by now or it is dead, so that is
    /// little, and no more follows; one that goes on holds up nobody for ever.
    fn drain(&mut self, number: u32) {
        for _ in 0..MAX_DRAINED {
            let link = self.links.iter_mut().find(|link| link.number == number);
            let Some((request, descriptors)) = link.and_then(|link| link.receive(&mut self.inbox))
            else {
                return;
            };
            self.serve(number, request, descriptors);
        }
    }

    /// A gateway that yielded finished the start of a worker.
    pub(super) fn give(&mut self, from: u32, id: u64) {
        let is_its = self
            .workers
            .table
            .get(&id)
            .is_some_and(|worker| worker.owner == Some(from));
        if let Some(leader) = self.leader.filter(|_| is_its) {
            self.hand(id, leader);
        }
    }

    /// The heir leads from now on.
    pub(super) fn step_down(&mut self, from: u32) {
        if self.leader == Some(from) {
            self.promote();
            self.have_all_read();
        }
    }

    /// The newest heir leads, if there is one.
    fn promote(&mut self) {
        let heir = self.links.iter_mut().rev().find(|link| link.heir.is_some());
        let heir = heir.and_then(|heir| Some((heir.number, heir.heir.take()?)));
        self.leader = heir.as_ref().map(|(number, _)| *number);
        if let Some((number, terms)) = heir {
            // If there can be no groups now, starts say so.
            self.adopt_terms(&terms, number).ok();
        }
    }

    /// What the gateway that leads wants holds from now on; why that cannot be, if so.
    fn adopt_terms(&mut self, terms: &Terms, from: u32) -> Result<(), String> {
        let link = self.links.iter().find(|link| link.number == from);
        let gateway = link.map_or(0, |link| link.pid);
        self.workers.cgroups.configure(&terms.cgroups, gateway)?;
        self.workers.networks.most = terms.spare_networks;
        self.workers.stubs.limit(terms.stubs);
        self.adoption = terms.adoption_ms.map(Duration::from_millis);
        self.grace = Duration::from_millis(terms.grace_ms);
        Ok(())
    }

    /// The gateway that leads gets the pipes that nobody reads.
    pub(super) fn have_all_read(&mut self) {
        let Some(leader) = self.leader else { return };
        let heirs: Vec<u32> = self
            .links
            .iter()
            .filter(|link| link.heir.is_some())
            .map(|link| link.number)
            .collect();
        let reads = |number: u32| number == leader || heirs.contains(&number);
        for id in self
            .workers
            .running(|worker| !worker.reader.is_some_and(reads) && is_readable(worker))
        {
            self.have_read(id, leader);
        }
    }

    pub(super) fn have_read(&mut self, id: u64, by: u32) {
        if let Some((event, pipes)) = self.workers.read_by(id, by) {
            self.tell(Some(by), &event, pipes);
        }
    }

    /// Sends what waits, and drops gateways that are gone, dumb or a nuisance.
    pub(super) fn look_after_links(&mut self, now: Instant) {
        self.refused
            .retain(|link| link.greet_by.is_some_and(|due| now < due));
        let mut gone = Vec::new();
        for link in &mut self.links {
            link.flush();
            let late = link.greet_by.is_some_and(|due| now >= due);
            if link.is_lost() || late {
                gone.push(link.number);
                continue;
            }
            if link.watched_as_behind == link.is_behind() {
                continue;
            }
            link.watched_as_behind = link.is_behind();
            let wanted = EventFlags::IN
                | if link.is_behind() {
                    EventFlags::OUT
                } else {
                    EventFlags::empty()
                };
            let token = EventData::new_u64(LINKS - u64::from(link.number));
            // Fails for a closed socket only, which shows itself as lost.
            epoll::modify(&self.epoll, link.as_fd(), token, wanted).ok();
        }
        for number in gone {
            self.lose(number, now);
        }
    }

    /// A gateway is gone: what it had is for the one that leads, or for the next that comes.
    fn lose(&mut self, number: u32, now: Instant) {
        // It may have been found dead by what was sent to it, before its last words were read.
        self.drain(number);
        self.links.retain(|link| link.number != number);
        let led = self.leader == Some(number);
        if led {
            // Its heir, if it has one, need not wait for anything more.
            self.promote();
        }
        self.lose_prepared(number, now);
        for worker in self.workers.table.values_mut() {
            if worker.owner == Some(number) {
                worker.owner = None;
            }
            if worker.reader == Some(number) {
                worker.reader = None;
            }
        }
        match self.leader {
            Some(leader) => {
                let free = |worker: &Worker| worker.owner.is_none() && is_instance(worker);
                for id in self.workers.running(free) {
                    self.hand(id, leader);
                }
                self.have_all_read();
            }
            None if led && self.phase == Phase::Serving => self.be_alone(now),
            None => {}
        }
    }

    /// No gateway leads.
    fn be_alone(&mut self, now: Instant) {
        match self.adoption {
            Some(patience) if !self.workers.table.is_empty() => {
                self.phase = Phase::Alone(now + patience);
            }
            _ => self.stop(),
        }
    }
}
