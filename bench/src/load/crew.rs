//! The threads of the generator.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use super::generator::{Generator, Share, Tallies};
use super::streams::Streams;
use super::{Counters, Plan, Tally, Work};
use crate::schedule::Schedule;
use crate::stop::Stop;

/// Between the order to begin and the beginning, so that all threads begin at once.
const LEAD: Duration = Duration::from_millis(2);

/// The threads of the generator. They live as long as this, and with them their connections.
pub(crate) struct Crew {
    threads: Vec<Member>,
    counters: Arc<Counters>,
}

struct Member {
    jobs: Sender<Job>,
    tallies: Tallies,
}

struct Job {
    share: Share,
    done: Sender<io::Result<()>>,
}

/// A plan that is being carried out.
pub(crate) struct Running {
    done: Receiver<io::Result<()>>,
    left: usize,
    /// When it began.
    pub(crate) begin: Instant,
}

impl Crew {
    /// Starts so many threads, at least one.
    ///
    /// # Errors
    /// If the system gives none.
    pub(crate) fn start(work: Work, threads: usize, stop: &Stop) -> io::Result<Crew> {
        let work = Arc::new(work);
        let counters = Arc::new(Counters::default());
        let member = |number| {
            let (jobs, orders) = mpsc::channel();
            let tallies = Tallies::default();
            let parts = (
                Arc::clone(&work),
                Arc::clone(&tallies),
                Arc::clone(&counters),
                stop.clone(),
            );
            thread::Builder::new()
                .name(format!("bench-{number}"))
                .spawn(move || serve(parts, &orders))?;
            Ok(Member { jobs, tallies })
        };
        let threads: io::Result<Vec<Member>> = (0..threads.max(1)).map(member).collect();
        Ok(Crew {
            threads: threads?,
            counters,
        })
    }

    /// What was done so far.
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Begins with a plan; the one before must be done.
    pub(crate) fn begin(&self, plan: Plan) -> Running {
        let lead = match plan.schedule {
            Schedule::Closed { .. } => Duration::ZERO,
            _ => LEAD,
        };
        let (sender, done) = mpsc::channel();
        let begin = Instant::now() + lead;
        let plan = Arc::new(plan);
        let every = self.threads.len();
        let mut left = 0;
        for (first, member) in self.threads.iter().enumerate() {
            let share = Share {
                plan: Arc::clone(&plan),
                every,
                first,
                begin,
            };
            let done = sender.clone();
            left += usize::from(member.jobs.send(Job { share, done }).is_ok());
        }
        Running { done, left, begin }
    }

    /// What was noted in a slot since it was asked last.
    pub(crate) fn harvest(&self, slot: usize) -> Tally {
        let mut sum = Tally::default();
        for member in &self.threads {
            // Made before the lock is held: the generator waits for it.
            let fresh = Tally::default();
            let mut tallies = member
                .tallies
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let taken = tallies
                .get_mut(slot)
                .map(|tally| std::mem::replace(tally, fresh));
            drop(tallies);
            if let Some(taken) = taken {
                sum.add(&taken);
            }
        }
        sum
    }

    /// The end of the last answer in a slot, and its counts so far: answered, discarded, failed.
    pub(crate) fn look(&self, slot: usize) -> Look {
        let mut look = Look::default();
        for member in &self.threads {
            let tallies = member
                .tallies
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(tally) = tallies.get(slot) {
                let apart = tally.apart.values().map(|one| one.answered);
                look.answered += tally.main.answered + apart.sum::<u64>();
                look.discarded += tally.main.discarded.values().sum::<u64>();
                look.failed += tally.main.failed.values().sum::<u64>();
                look.last_end = look.last_end.max(tally.last_end);
            }
        }
        look
    }
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Samples of the right kind.
    pub(crate) answered: u64,
    /// Samples of the wrong kind.
    pub(crate) discarded: u64,
    /// Requests that failed.
    pub(crate) failed: u64,
    /// The end of the last answer.
    pub(crate) last_end: Option<Instant>,
}

impl Running {
    /// Waits so long at most; true once all threads are done.
    ///
    /// # Errors
    /// If a thread could not do its part.
    pub(crate) fn wait(&mut self, time: Duration) -> io::Result<bool> {
        let until = Instant::now() + time;
        while self.left > 0 {
            let left = until.saturating_duration_since(Instant::now());
            match self.done.recv_timeout(left) {
                Ok(result) => {
                    self.left -= 1;
                    result?;
                }
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("a thread of the generator has died"));
                }
            }
        }
        Ok(true)
    }
}

type Parts = (Arc<Work>, Tallies, Arc<Counters>, Stop);

/// One thread, until there are no more orders.
fn serve((work, tallies, counters, stop): Parts, orders: &Receiver<Job>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let endpoints = work.endpoints.len();
    let generator = Rc::new(Generator {
        work,
        tallies,
        counters,
        stop,
        idle: RefCell::new((0..endpoints).map(|_| Vec::new()).collect()),
        streams: RefCell::new((0..endpoints).map(|_| Streams::default()).collect()),
        most_connections: Cell::new(1),
    });
    let local = LocalSet::new();
    while let Ok(job) = orders.recv() {
        let result = match &runtime {
            Ok(runtime) => local.block_on(runtime, generator.run(&job.share)),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Whoever gave the order may have gone.
        job.done.send(result).ok();
    }
}
