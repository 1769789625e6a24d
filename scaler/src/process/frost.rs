//! Freezing instances: the spawner hands over the file once, which from then on is written to here,
//! so that a thaw is one system call.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoker_core::InstanceId;
use tokio::sync::oneshot;

use super::Shared;
use super::reclaim::{self, Memory};
use crate::spawner::protocol::{FreezerKind, MemoryKind, Request};

/// When it is looked whether an instance has stopped: v1 has no event of it. It takes some tens of
/// microseconds on a machine that has nothing else to do.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(200),
];

/// How to freeze one instance, if that is known.
#[derive(Debug, Default)]
pub(super) struct Frost {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Nobody asked.
    #[default]
    Unknown,
    /// The spawner was asked; these wait for its answer.
    Asked(Vec<Waiter>),
    Known(Arc<Freezer>),
    /// Not at all, and why.
    Refused(Arc<str>),
}

type Waiter = oneshot::Sender<Result<(), Arc<str>>>;

/// What stops and continues an instance.
#[derive(Debug)]
pub(super) struct Freezer {
    file: File,
    kind: FreezerKind,
    /// Says whether it has stopped; none from a spawner of an earlier release.
    state: Option<File>,
    /// What was last written.
    pub(super) frozen: AtomicBool,
    pub(super) memory: Memory,
}

/// What is there when an instance is to be made freezable.
pub(super) enum Preparation {
    Done(Result<(), Arc<str>>),
    /// It was asked for, by this one first or by another.
    Coming(oneshot::Receiver<Result<(), Arc<str>>>, First),
}

/// Nobody asked the spawner before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First(pub(super) bool);

impl Frost {
    /// What there is; if it is nothing, it counts as asked for from now on.
    pub(super) fn prepare(&mut self) -> Preparation {
        match &mut self.state {
            State::Known(_) => Preparation::Done(Ok(())),
            State::Refused(why) => Preparation::Done(Err(Arc::clone(why))),
            State::Asked(waiters) => {
                let (waiter, answer) = oneshot::channel();
                waiters.push(waiter);
                Preparation::Coming(answer, First(false))
            }
            State::Unknown => {
                let (waiter, answer) = oneshot::channel();
                self.state = State::Asked(vec![waiter]);
                Preparation::Coming(answer, First(true))
            }
        }
    }

    /// The spawner's answer.
    pub(super) fn settle(&mut self, answer: Result<Freezer, Arc<str>>) {
        let (state, answer) = match answer {
            Ok(freezer) => (State::Known(Arc::new(freezer)), Ok(())),
            Err(why) => (State::Refused(Arc::clone(&why)), Err(why)),
        };
        if let State::Asked(waiters) = std::mem::replace(&mut self.state, state) {
            for waiter in waiters {
                // Whoever asked may be gone.
                waiter.send(answer.clone()).ok();
            }
        }
    }

    fn freezer(&self) -> Option<Arc<Freezer>> {
        match &self.state {
            State::Known(freezer) => Some(Arc::clone(freezer)),
            _ => None,
        }
    }
}

impl Freezer {
    /// From what the spawner says and the files beside it; none if a file is missing.
    pub(super) fn new(
        (kind, memory): (FreezerKind, MemoryKind),
        mut files: Vec<OwnedFd>,
    ) -> Option<Freezer> {
        let state = match files.len() {
            3 => files.pop().map(File::from),
            _ => None,
        };
        let [file, memory_file] = <[OwnedFd; 2]>::try_from(files).ok()?;
        Some(Freezer {
            file: File::from(file),
            kind,
            state,
            frozen: AtomicBool::new(false),
            memory: Memory::new(memory, memory_file),
        })
    }

    /// Whether all of it has stopped. The same documents, "cgroup.events" and "freezer.state".
    fn has_stopped(&self) -> bool {
        let mut text = [0; 128];
        let read = self.state.as_ref().map(|file| file.read_at(&mut text, 0));
        let Some(Ok(length)) = read else {
            return false;
        };
        let word: &[u8] = match self.kind {
            FreezerKind::Unified => b"frozen 1",
            FreezerKind::Legacy => b"FROZEN",
        };
        text[..length]
            .split(|&byte| byte == b'\n')
            .any(|line| line == word)
    }

    /// Does not wait until the last process has stopped. The kernel's cgroup-v2.rst, "cgroup.freeze",
    /// and cgroup-v1/freezer-subsystem.rst.
    fn set(&self, frozen: bool) -> io::Result<()> {
        let word = match (self.kind, frozen) {
            (FreezerKind::Unified, true) => "1",
            (FreezerKind::Unified, false) => "0",
            (FreezerKind::Legacy, true) => "FROZEN",
            (FreezerKind::Legacy, false) => "THAWED",
        };
        self.frozen.store(frozen, Ordering::Release);
        (&self.file).write_all(word.as_bytes())
    }
}

/// Makes it possible to freeze an instance without asking anybody.
pub(super) async fn prepare(shared: &Shared, id: InstanceId) -> Result<(), String> {
    let answer = match shared.table.with_frost(id, Frost::prepare) {
        None => return Ok(()),
        Some(Preparation::Done(answer)) => answer,
        Some(Preparation::Coming(answer, First(first))) => {
            if first {
                let request = Request::Freezer { id: id.as_raw() };
                let sent = shared.client.send(&request, Vec::new());
                sent.map_err(|error| format!("cannot ask the spawner: {error}"))?;
            }
            // It was dropped with the instance.
            answer.await.unwrap_or(Ok(()))
        }
    };
    answer.map_err(|why| why.to_string())
}

/// Freezes or thaws an instance.
pub(super) fn set(shared: &Shared, id: InstanceId, frozen: bool) -> io::Result<()> {
    let Some(freezer) = shared.table.with_frost(id, |frost| frost.freezer()) else {
        return Ok(());
    };
    let done = match &freezer {
        Some(freezer) => freezer.set(frozen),
        None => Err(io::Error::other("the spawner did not say how")),
    };
    match done {
        // There is nothing left of it.
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        Err(_) if !frozen => {
            let request = Request::Thaw { id: id.as_raw() };
            // Fails only if the spawner is gone, and its workers with it.
            shared.client.send(&request, Vec::new()).ok();
            Ok(())
        }
        done => done,
    }
}

/// Waits until an instance has stopped; false if it does not, or that cannot be told.
pub(super) async fn has_frozen(shared: &Shared, id: InstanceId) -> bool {
    let freezer = shared.table.with_frost(id, |frost| frost.freezer());
    let Some(freezer) = freezer.flatten() else {
        return false;
    };
    for pause in LOOKS {
        if freezer.has_stopped() || !freezer.frozen.load(Ordering::Acquire) {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    freezer.has_stopped()
}

/// Has the memory of an instance given back, as long as it is frozen.
pub(super) fn reclaim(shared: &Arc<Shared>, id: InstanceId) {
    if let Some(freezer) = shared
        .table
        .with_frost(id, |frost| frost.freezer())
        .flatten()
    {
        shared.reclaims.add(freezer);
    }
}

/// Instances whose memory is to be given back, one after the other: at most as many as there are.
#[derive(Debug, Default)]
pub(super) struct Reclaims {
    waiting: Mutex<Vec<Arc<Freezer>>>,
}

impl Reclaims {
    /// Begins with it in a thread that may block, unless another one is at work.
    fn add(self: &Arc<Self>, freezer: Arc<Freezer>) {
        let mut waiting = self.lock();
        waiting.push(freezer);
        if waiting.len() > 1 {
            return;
        }
        drop(waiting);
        let reclaims = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            while let Some(freezer) = reclaims.first() {
                reclaim::reclaim(&freezer);
                reclaims.lock().remove(0);
            }
        });
    }

    /// It stays, as a sign that somebody is at work.
    fn first(&self) -> Option<Arc<Freezer>> {
        self.lock().first().cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Freezer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
