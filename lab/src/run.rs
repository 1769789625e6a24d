//! Replays for several candidates at once, over one reading of the calls.

use std::thread;

use stoker_show::progress::Progress;
use stoker_show::text;

use crate::calls::Input;
use crate::candidate::Candidate;
use crate::{Arrival, Engine, Report, World};

/// Calls that are read before the engines get them.
const BATCH: usize = 1 << 16;

/// Candidates that are replayed at once: each has the pools of all functions.
const AT_ONCE: usize = 64;

/// How replays are made.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) input: Input,
    pub(crate) world: World,
    /// Threads.
    pub(crate) jobs: usize,
}

impl Runner {
    /// The report of each candidate, in their order, and what was assumed of the calls. Candidates
    /// do not touch each other, whatever the number of threads is.
    pub(crate) fn run(
        &self,
        candidates: &[Candidate],
        progress: &mut Progress,
    ) -> Result<(Vec<Report>, Vec<String>), String> {
        let (mut reports, mut notes) = (Vec::new(), Vec::new());
        for part in candidates.chunks(AT_ONCE) {
            let (more, said) = self.run_part(part, progress)?;
            reports.extend(more);
            notes = said;
        }
        Ok((reports, notes))
    }

    fn run_part(
        &self,
        candidates: &[Candidate],
        progress: &mut Progress,
    ) -> Result<(Vec<Report>, Vec<String>), String> {
        let mut engines: Vec<Engine> = candidates
            .iter()
            .map(|_| Engine::new(self.world.clone()))
            .collect();
        let mut calls = self.input.open()?;
        let mut batch = Vec::with_capacity(BATCH);
        let mut known = 0;
        loop {
            calls.read(&mut batch, BATCH)?;
            if batch.is_empty() {
                break;
            }
            for name in calls.functions().skip(known) {
                for (engine, candidate) in engines.iter_mut().zip(candidates) {
                    engine.add(name, candidate.setup(name));
                }
            }
            known = calls.functions().len();
            feed(&mut engines, &batch, self.jobs);
            let counted = text::count(calls.taken());
            progress.show(Some(calls.progress()), format_args!("{counted} calls"));
        }
        progress.clear();
        if calls.taken() == 0 {
            return Err("there are no calls to replay".to_owned());
        }
        let reports = engines.into_iter().map(Engine::finish).collect();
        Ok((reports, calls.notes()))
    }
}

/// Every engine gets the whole batch, each on one thread.
fn feed(engines: &mut [Engine], batch: &[Arrival], jobs: usize) {
    let each = engines.len().div_ceil(jobs.max(1)).max(1);
    let feed_some = |engines: &mut [Engine]| {
        for engine in engines {
            for arrival in batch {
                engine.feed(*arrival);
            }
        }
    };
    if engines.len() <= each {
        return feed_some(engines);
    }
    thread::scope(|scope| {
        for part in engines.chunks_mut(each) {
            scope.spawn(move || feed_some(part));
        }
    });
}
