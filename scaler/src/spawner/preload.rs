//! Processes from which instances are made faster than by executing a program.
//!
//! For Python a **parent** per revision of a function has the interpreter and the handler loaded,
//! and forks. For Node **cells** have booted and load the handler that they are given; they know
//! no function before, so all functions share them whose processes would boot alike. Processes
//! that wait for an assignment are **spares**. Parents are workers like others, with ids of pool 0,
//! which no function has; what was assigned is an instance like others.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::protocol::{Ending, Event, Fault, PrepareRequest, StartRequest};
use super::runners::{self, Mode};
use super::worker::Workers;
use crate::driver::{Prepared, RuntimeLaunch};

mod assign;
mod channel;
mod parent;
mod pool;
mod program;
mod report;
mod supply;
mod words;

use pool::{Pool, Want};

/// What nobody asked for since its gateway went is kept for the next one for this long.
const UNCLAIMED: Duration = Duration::from_secs(60);

/// Changes are told together when they are this old.
const REPORT_DELAY: Duration = Duration::from_millis(50);

/// Names what may be shared.
type Key = Arc<str>;

/// All that is kept ready.
#[derive(Debug)]
pub(super) struct Preload {
    pools: HashMap<Key, Pool>,
    desk: Desk,
    /// When something is due, unless something has changed since.
    due: Option<Option<Instant>>,
    /// Changes since then are not told yet.
    changed: Option<Instant>,
}

/// What the pools have in common.
#[derive(Debug)]
struct Desk {
    state_dir: PathBuf,
    /// Where the runners are, once they were written.
    runners: Option<PathBuf>,
    /// The pools of control sockets, by the sockets' tokens.
    tokens: HashMap<u64, Key>,
    /// The pools of watched processes.
    processes: HashMap<i32, Key>,
    /// Sockets of cells that were assigned, until they close them.
    leaving: HashMap<u64, OwnedFd>,
    /// Sockets of processes that are killed when they are known.
    condemned: HashMap<u64, OwnedFd>,
    /// The last number of a parent or a control socket.
    last: u64,
    news: Vec<News>,
}

/// Something for the server to do.
#[derive(Debug)]
pub(super) enum News {
    /// Tell this gateway.
    Tell(u32, Event),
    /// Tell every gateway.
    TellAll(Event),
    /// A start of this gateway's was successful; its pipes.
    Started(u32, u64, Event, Vec<OwnedFd>),
    /// Have the output of this worker read, which has ended.
    Read(u64),
    /// A start that is to be made by executing the interpreter.
    Execute(u32, Box<StartRequest>, OwnedFd),
}

/// Where processes are made, and when.
pub(super) struct Site<'a> {
    pub(super) workers: &'a mut Workers,
    pub(super) epoll: &'a OwnedFd,
    pub(super) now: Instant,
}

/// A start that waits for a process.
#[derive(Debug)]
struct Waiting {
    from: u32,
    request: Box<StartRequest>,
    listener: OwnedFd,
}

impl Preload {
    /// Nothing yet.
    pub(super) fn new(state_dir: PathBuf) -> Preload {
        Preload {
            pools: HashMap::new(),
            desk: Desk {
                state_dir,
                runners: None,
                tokens: HashMap::new(),
                processes: HashMap::new(),
                leaving: HashMap::new(),
                condemned: HashMap::new(),
                last: 0,
                news: Vec::new(),
            },
            due: None,
            changed: None,
        }
    }

    /// True for the tokens of control sockets, which are ids of pool 0.
    pub(super) fn is_token(token: u64) -> bool {
        token <= u64::from(u32::MAX)
    }

    /// What there is to do since the last call.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.desk.news)
    }

    /// Changes how much is kept for a revision.
    pub(super) fn prepare(&mut self, from: u32, request: PrepareRequest, site: &mut Site<'_>) {
        let key = program::key(
            &request.function,
            &request.revision,
            &request.program,
            &request.runtime,
        );
        let name = (request.function, request.revision);
        let Some(spares) = request.spares else {
            if let Some(pool) = self.pools.get_mut(&key) {
                pool.wants.remove(&name);
            }
            return self.tend(&key, site);
        };
        let pool = self.pool(&key, &request.program, &request.runtime);
        let want = Want {
            spares,
            owner: Some(from),
            until: None,
        };
        pool.wants.insert(name, want);
        let state = pool.state();
        self.desk
            .news
            .push(News::Tell(from, Event::Prepared(Box::new(state))));
        self.tend(&key, site);
    }

    /// Makes an instance of what is ready, or as soon as something is.
    pub(super) fn start(
        &mut self,
        from: u32,
        (request, runtime): (StartRequest, &RuntimeLaunch),
        listener: OwnedFd,
        site: &mut Site<'_>,
    ) {
        let (function, revision) = (&request.function, &request.revision);
        let program = program::without_instance(&request.program);
        let key = program::key(function, revision, &program, runtime);
        if let Err(fault) = site.workers.check_room(&request) {
            let id = request.id;
            let event = Event::StartFailed { id, fault };
            return self.desk.news.push(News::Tell(from, event));
        }
        let waiting = Waiting {
            from,
            request: Box::new(request),
            listener,
        };
        self.pool(&key, &program, runtime);
        if let Some(pool) = self.pools.get_mut(&key) {
            pool.start(waiting, &mut self.desk, site);
        }
        self.tend(&key, site);
    }

    /// Ends a start that waits; false if there is none of this id.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        for pool in self.pools.values_mut() {
            if let Some(from) = pool.cancel(id) {
                let fault = Fault::exited("was stopped while it started".to_owned());
                let event = Event::StartFailed { id, fault };
                self.desk.news.push(News::Tell(from, event));
                return true;
            }
        }
        false
    }

    /// Something came on a control socket, or its other end is gone.
    pub(super) fn attend(&mut self, token: u64, site: &mut Site<'_>) {
        if let Some(socket) = self.desk.leaving.get(&token) {
            if channel::discard(socket) {
                self.desk.leaving.remove(&token);
            }
            return;
        }
        if let Some(socket) = self.desk.condemned.get(&token) {
            if assign::execute_sentence(socket, site.workers) {
                self.desk.condemned.remove(&token);
            }
            return;
        }
        let Some(key) = self.desk.tokens.get(&token).cloned() else {
            return;
        };
        if let Some(pool) = self.pools.get_mut(&key) {
            pool.attend(token, &mut self.desk, site);
        }
        self.tend(&key, site);
    }

    /// Looks after the processes that have ended.
    pub(super) fn bury(&mut self, site: &mut Site<'_>) {
        for (pid, ending) in std::mem::take(&mut site.workers.ended) {
            self.note_end(pid, ending, site);
        }
    }

    fn note_end(&mut self, pid: i32, ending: Ending, site: &mut Site<'_>) {
        let Some(key) = self.desk.processes.remove(&pid) else {
            return;
        };
        if let Some(pool) = self.pools.get_mut(&key) {
            pool.note_end((pid, ending), &mut self.desk, site);
        }
        self.tend(&key, site);
    }

    /// A gateway is gone: its starts are nobody's, and what it wanted waits for the next.
    pub(super) fn lose(&mut self, link: u32, now: Instant) {
        for pool in self.pools.values_mut() {
            pool.lose(link, now + UNCLAIMED);
        }
        self.due = None;
    }

    /// What is due. Nothing goes for lack of a gateway while there is none that `leads`.
    pub(super) fn pass_time(&mut self, leads: bool, site: &mut Site<'_>) {
        if let Some(since) = self.changed
            && site.now >= since + REPORT_DELAY
        {
            self.changed = None;
            self.report();
        }
        if self.next_due().is_none_or(|due| site.now < due) {
            return;
        }
        let keys: Vec<Key> = self.pools.keys().cloned().collect();
        for key in keys {
            if let Some(pool) = self.pools.get_mut(&key) {
                if leads {
                    pool.drop_unclaimed(site.now);
                }
                pool.pass_time(&mut self.desk, site);
            }
            self.tend(&key, site);
        }
    }

    /// When [`Preload::pass_time`] has to be called at the latest.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        let report = self.changed.map(|since| since + REPORT_DELAY);
        report.into_iter().chain(self.next_due()).min()
    }

    fn next_due(&mut self) -> Option<Instant> {
        if let Some(due) = self.due {
            return due;
        }
        let due = self.pools.values().filter_map(Pool::next_due).min();
        self.due = Some(due);
        due
    }

    /// Ends all of it.
    pub(super) fn end(&mut self, site: &mut Site<'_>) {
        for (_, mut pool) in self.pools.drain() {
            let fault = Fault::transient("the spawner is stopping".to_owned());
            pool.fail_all(&fault, &mut self.desk);
            pool.fail_assigned(&fault, &mut self.desk);
            pool.close(&mut self.desk, site);
        }
        self.due = None;
    }

    /// Writes the runners if that was not done, and completes the program of an instance that
    /// executes its interpreter.
    pub(super) fn complete(&mut self, request: &mut StartRequest) -> Result<(), Fault> {
        let Some(runtime) = request.runtime.take() else {
            return Ok(());
        };
        request.program = self.desk.program(&request.program, &runtime, Mode::Serve)?;
        Ok(())
    }

    /// Brings a pool in line with what is wanted of it; one of which nothing is wanted goes.
    fn tend(&mut self, key: &Key, site: &mut Site<'_>) {
        self.due = None;
        self.changed.get_or_insert(site.now);
        let Some(pool) = self.pools.get_mut(key) else {
            return;
        };
        if !pool.is_needed() {
            if let Some(mut pool) = self.pools.remove(key) {
                let state = pool.gone();
                pool.close(&mut self.desk, site);
                let event = Event::Prepared(Box::new(state));
                self.desk.news.push(News::TellAll(event));
            }
            return;
        }
        pool.supply(&mut self.desk, site);
    }

    fn pool(
        &mut self,
        key: &Key,
        program: &super::protocol::Program,
        runtime: &RuntimeLaunch,
    ) -> &mut Pool {
        let desk = &mut self.desk;
        self.pools.entry(Arc::clone(key)).or_insert_with(|| {
            desk.last += 1;
            Pool::new(
                Arc::clone(key),
                desk.last,
                program::of_pool(program, runtime),
                runtime,
            )
        })
    }

    /// Tells what has changed since it was told last.
    fn report(&mut self) {
        let states: Vec<Prepared> = self.pools.values_mut().filter_map(Pool::news).collect();
        let events = states
            .into_iter()
            .map(|state| News::TellAll(Event::Prepared(Box::new(state))));
        self.desk.news.extend(events);
    }
}

impl Desk {
    /// A number that no other parent or control socket has.
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Where the runners are.
    fn runners(&mut self) -> Result<PathBuf, Fault> {
        if let Some(runners) = &self.runners {
            return Ok(runners.clone());
        }
        let written = runners::write(&self.state_dir).map_err(|error: io::Error| {
            let place = self.state_dir.display();
            Fault::transient(format!("cannot write the runners below {place}: {error}"))
        })?;
        Ok(self.runners.insert(written).clone())
    }
}
