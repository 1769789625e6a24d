//! The spawner itself: one thread, one epoll, and an end for every way its gateway may end.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::process::Signal;

use super::link::{Link, Terms};
use super::packet::Inbox;
use super::preload::Preload;
use super::protocol::{Event, Fault, Request, StartRequest};
use super::sys;
use super::unheard;
use super::worker::{Worker, Workers};
use crate::clock::monotonic_nanos;
use preload::is_instance;

mod gateway;
mod preload;
mod setup;

/// Between SIGKILL for everything and the end of this process, come what may.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How often sending is tried again while the kernel says that too many descriptors are in flight,
/// of whose end there is no event.
const RESEND: Duration = Duration::from_millis(5);

/// Events taken from the kernel at once.
const BATCH: usize = 64;

// Tokens of epoll; all others are instances.
const SIGNALS: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;
/// The gateway whose link has number n has the token `LINKS - n`. There are fewer links than ids of
/// instances below them.
const LINKS: u64 = u64::MAX - 2;
/// The lowest token of a link.
const LAST_LINK: u64 = LINKS - u32::MAX as u64;

/// Runs a spawner until it has nothing more to do: the hidden command `stoker spawner STATE_DIR`,
/// of which `arguments` are what follows `spawner`. Standard input is its first gateway.
///
/// The caller must not have started threads or opened files.
pub fn main_from_args(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let (Some(state_dir), None) = (arguments.next(), arguments.next()) else {
        return complain("usage: stoker spawner STATE_DIR");
    };
    crate::pages::allow_huge();
    let served = Server::new(PathBuf::from(state_dir)).and_then(|mut server| server.run());
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("the spawner failed: {error}")),
    }
}

/// What the spawner is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A gateway is connected, or about to be.
    Serving,
    /// It waits until then for the next gateway.
    Alone(Instant),
    /// Everything was asked to end, and is killed then.
    Stopping(Instant),
    /// Everything was killed, and the spawner ends then at the latest.
    Killing(Instant),
}

/// The spawner.
#[derive(Debug)]
struct Server {
    epoll: OwnedFd,
    signals: OwnedFd,
    /// Closed as soon as no gateway can join any more.
    listener: Option<OwnedFd>,
    path: PathBuf,
    inbox: Inbox,
    /// Those that lead, led or are to lead, oldest first.
    links: Vec<Link>,
    next_link: u32,
    /// The link of the gateway whose word goes, and whose is what nobody else has.
    leader: Option<u32>,
    /// Told that they are not wanted. Closed later, for closing with an unread greeting would
    /// destroy that answer.
    refused: VecDeque<Link>,
    workers: Workers,
    preload: Preload,
    phase: Phase,
    adoption: Option<Duration>,
    grace: Duration,
}

impl Server {
    /// Serves until the phase after everything was stopped.
    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(BATCH);
        loop {
            // Control groups, networks and stubs are made ahead when there is nothing else to do.
            let idle = self.workers.spare_work(Instant::now());
            let deadline = idle.into_iter().chain(self.next_deadline()).min();
            let timeout = deadline.map(|deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                Timespec {
                    tv_sec: left.as_secs().cast_signed(),
                    tv_nsec: left.subsec_nanos().into(),
                }
            });
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if events.is_empty() && idle.is_some_and(|at| at <= Instant::now()) {
                self.workers.stock_up();
            }
            for event in &events {
                self.handle(event.data.u64(), event.flags);
            }
            self.pass_time();
            if self.is_done() {
                self.workers.end_everything();
                return Ok(());
            }
        }
    }

    fn handle(&mut self, token: u64, flags: EventFlags) {
        match token {
            SIGNALS => self.take_signals(),
            LISTENER => self.accept(),
            token if Preload::is_token(token) => self.attend_prepared(token),
            LAST_LINK..=LINKS => self.take_request((LINKS - token) as u32, flags),
            id if flags.contains(EventFlags::IN) => {
                if let Some(event) = self.workers.attend(id) {
                    self.tell_owner(id, &event);
                }
            }
            id => self.workers.forget_observer(id),
        }
    }

    /// Children ended, or somebody wants the spawner to end.
    fn take_signals(&mut self) {
        let asked = sys::read_signals(&self.signals).contains(&libc::SIGTERM);
        // A gateway drains first and then says so itself; `pkill stoker` must not come before.
        if asked && self.links.is_empty() {
            self.stop();
        }
        while self.workers.reap(Instant::now()) {}
        self.bury_prepared();
        self.bury();
    }

    fn bury(&mut self) {
        for (owner, event, name) in self.workers.bury(Instant::now()) {
            if owner.is_none() && self.leader.is_none() {
                unheard::note(self.workers.cgroups.state_dir(), &event, &name);
            }
            // Whoever leads may have been told of it by its owner.
            for link in [owner, self.leader.filter(|_| owner != self.leader)] {
                self.tell(link, &event, Vec::new());
            }
        }
    }

    /// One request at a time, so that a row of starts does not hold up what else happens.
    fn take_request(&mut self, number: u32, flags: EventFlags) {
        let Some(link) = self.links.iter_mut().find(|link| link.number == number) else {
            return;
        };
        if flags.contains(EventFlags::OUT) {
            link.flush();
        }
        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if !flags.contains(EventFlags::IN) && !gone {
            return;
        }
        if let Some((request, descriptors)) = link.receive(&mut self.inbox) {
            self.serve(number, request, descriptors);
        }
    }

    fn serve(&mut self, from: u32, request: Request, mut descriptors: Vec<OwnedFd>) {
        match request {
            Request::Hello {
                adoption_ms,
                grace_ms,
                heir,
                cgroups,
                spare_networks,
                stubs,
                ..
            } => {
                let terms = Terms {
                    adoption_ms,
                    grace_ms,
                    cgroups,
                    spare_networks,
                    stubs,
                };
                self.greet(from, terms, heir);
            }
            Request::Start(request) => self.start(from, *request, descriptors.pop()),
            Request::Signal { id, .. } if self.cancel(id) => {}
            Request::Signal { id, kill } => {
                self.workers
                    .signal(id, if kill { Signal::KILL } else { Signal::TERM });
            }
            Request::Freezer { id } => {
                if let Some((event, files)) = self.workers.freezer(id) {
                    self.tell(Some(from), &event, files);
                }
            }
            Request::Account { id } => {
                if let Some(event) = self.workers.account(id) {
                    self.tell(Some(from), &event, Vec::new());
                }
            }
            Request::Thaw { id } => self.workers.thaw(id),
            Request::Ready { id, endpoint } => self.workers.set_ready(id, endpoint),
            Request::Prepare(request) => self.prepare(from, *request),
            Request::List => {
                let free = |worker: &Worker| worker.owner.is_none() && is_instance(worker);
                for id in self.workers.running(free) {
                    self.hand(id, from);
                }
                self.tell(Some(from), &Event::ListEnd, Vec::new());
            }
            Request::Take { ids } => self.take(from, &ids),
            Request::Give { id } => self.give(from, id),
            Request::Yield => self.step_down(from),
            Request::Shutdown if self.leader == Some(from) || self.leader.is_none() => self.stop(),
            Request::Shutdown => {}
        }
    }

    fn start(&mut self, from: u32, mut request: StartRequest, listener: Option<OwnedFd>) {
        let id = request.id;
        request.received = monotonic_nanos();
        if matches!(self.phase, Phase::Stopping(_) | Phase::Killing(_)) {
            let fault = Fault::transient("the spawner is stopping".to_owned());
            self.tell(Some(from), &Event::StartFailed { id, fault }, Vec::new());
            return;
        }
        match request.runtime {
            Some(_) => self.start_handler(from, request, listener),
            None => self.execute(from, request, listener),
        }
    }

    fn execute(&mut self, from: u32, request: StartRequest, listener: Option<OwnedFd>) {
        let id = request.id;
        let (event, beside) = self.workers.start(request, listener);
        self.observe(id);
        match event {
            Event::Started { .. } => self.started(from, id, &event, beside),
            failed => self.tell(Some(from), &failed, Vec::new()),
        }
    }

    /// A worker is this gateway's, who may also read its output.
    fn started(&mut self, from: u32, id: u64, event: &Event, beside: Vec<OwnedFd>) {
        let reads = self.leader == Some(from);
        if let Some(worker) = self.workers.table.get_mut(&id) {
            worker.owner = Some(from);
            worker.reader = reads.then_some(from);
        }
        self.tell(Some(from), event, if reads { beside } else { Vec::new() });
        if let Some(leader) = self.leader.filter(|_| !reads) {
            self.have_read(id, leader);
        }
        self.workers.prepare_next();
    }

    /// Listens to a new worker's calls of `listen`.
    fn observe(&mut self, id: u64) {
        let Some(observer) = self.workers.observer(id) else {
            return;
        };
        let data = EventData::new_u64(id);
        if epoll::add(&self.epoll, observer, data, EventFlags::IN).is_err() {
            // Its calls of `listen` fail then, which its author sees.
            self.workers.forget_observer(id);
        }
    }

    /// What is due, whether by time or because the gateway is gone.
    fn pass_time(&mut self) {
        let now = Instant::now();
        if self.workers.next_burial().is_some_and(|due| now >= due) {
            self.bury();
        }
        self.workers.stubs.pass_time(now);
        self.workers.end_held(now);
        self.look_after_links(now);
        self.look_after_prepared();
        match self.phase {
            Phase::Alone(until) if now >= until => self.stop(),
            Phase::Stopping(until) if now >= until => {
                self.workers.kill_everything();
                self.phase = Phase::Killing(now + LAST_WAIT);
            }
            _ => {}
        }
    }

    /// Stops everything; no gateway can join any more.
    fn stop(&mut self) {
        if matches!(self.phase, Phase::Stopping(_) | Phase::Killing(_)) {
            return;
        }
        // The path first: a new gateway may start a spawner of its own from now on.
        if self.listener.take().is_some() {
            std::fs::remove_file(&self.path).ok();
        }
        self.end_prepared();
        self.workers.stubs.limit(0);
        self.workers.signal_all(Signal::TERM);
        self.phase = Phase::Stopping(Instant::now() + self.grace);
    }

    fn is_done(&self) -> bool {
        match self.phase {
            Phase::Serving | Phase::Alone(_) => false,
            Phase::Stopping(_) => self.workers.table.is_empty(),
            Phase::Killing(until) => self.workers.table.is_empty() || Instant::now() >= until,
        }
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Serving => None,
            Phase::Alone(until) | Phase::Stopping(until) | Phase::Killing(until) => Some(until),
        };
        let links = self.links.iter().filter_map(|link| {
            let resend = link.is_behind().then(|| Instant::now() + RESEND);
            link.greet_by.into_iter().chain(resend).min()
        });
        let link = links.min();
        let refused = self.refused.front().and_then(|link| link.greet_by);
        let burial = self.workers.next_burial();
        let refused = refused.into_iter().chain(self.preload.next_deadline());
        let refused = refused.chain(self.workers.stubs.next_deadline());
        let refused = refused.chain(self.workers.next_held());
        [phase, link, refused.min(), burial]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Says what went wrong. There is nobody to tell if standard error is gone.
fn complain(what: &str) -> ExitCode {
    use std::io::Write;
    writeln!(io::stderr(), "stoker: {what}").ok();
    ExitCode::FAILURE
}
