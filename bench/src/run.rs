//! What all modes have in common: plans are run, watched, and made into series.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Histogram;
use crate::admin::Admin;
use crate::load::{Apart, Counters, Crew, LATE, Plan, Running, Tally};
use crate::report::{Repetition, Series};
use crate::stop::Stop;
use stoker_show::progress::Progress;

/// Between two looks at what is going on.
const LOOK: Duration = Duration::from_millis(50);
/// Notes of one run.
const NOTES: usize = 200;

/// A run that is going on.
pub(crate) struct Bench {
    /// The generator.
    pub(crate) crew: Crew,
    /// The gateway that is measured, if it is one.
    pub(crate) admin: Option<Admin>,
    /// Its functions that are measured.
    pub(crate) functions: Vec<String>,
    /// How many targets there are.
    pub(crate) targets: usize,
    /// Ctrl-C.
    pub(crate) stop: Stop,
    /// What people see meanwhile.
    pub(crate) progress: Progress,
    /// What was measured so far.
    pub(crate) series: Vec<Series>,
    /// What a reader must know.
    pub(crate) notes: Vec<String>,
    quality: Quality,
}

/// How well the generator did its own part.
#[derive(Default)]
struct Quality {
    lateness: Histogram,
    held_up: u64,
    resent: u64,
}

/// Why nothing could be measured.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl Bench {
    /// A run of this crew.
    pub(crate) fn new(crew: Crew, stop: Stop, progress: Progress) -> Bench {
        Bench {
            crew,
            admin: None,
            functions: Vec::new(),
            targets: 1,
            stop,
            progress,
            series: Vec::new(),
            notes: Vec::new(),
            quality: Quality::default(),
        }
    }

    /// Runs a plan to its end; how long it took, from its beginning to the last answer.
    pub(crate) fn run(&mut self, plan: Plan) -> Result<Duration, Failure> {
        let (slot, expected) = (plan.slot, plan.schedule.expected());
        let mut running = self.crew.begin(plan);
        self.wait(&mut running, expected, Duration::MAX)?;
        let end = self.crew.look(slot).last_end.unwrap_or(running.begin);
        Ok(end.saturating_duration_since(running.begin))
    }

    /// Waits until a plan is done, at most so long; true if it is.
    pub(crate) fn wait(
        &mut self,
        running: &mut Running,
        expected: Option<Duration>,
        time: Duration,
    ) -> Result<bool, Failure> {
        let counters: Arc<Counters> = Arc::clone(self.crew.counters());
        let until = Instant::now().checked_add(time);
        loop {
            let left = until.map_or(LOOK, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if running.wait(left.min(LOOK))? {
                return Ok(true);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(false);
            }
            let elapsed = running.begin.elapsed();
            let done = expected.map(|all| elapsed.as_secs_f64() / all.as_secs_f64());
            let (answered, failed) = counters.read();
            self.progress
                .show(done, format_args!("{answered} answered, {failed} failed"));
        }
    }

    /// What was noted in a slot, made into a repetition that took so long, and one of each kind
    /// that is kept apart.
    pub(crate) fn harvest(
        &mut self,
        slot: usize,
        elapsed: Duration,
        offered_per_s: Option<f64>,
    ) -> (Repetition, Apart, Tally) {
        let mut tally = self.crew.harvest(slot);
        self.quality.lateness.add(&tally.lateness);
        self.quality.held_up += tally.held_up;
        self.quality.resent += tally.resent;
        let mut main = std::mem::take(&mut tally.main);
        let mut apart = std::mem::take(&mut tally.apart);
        main.elapsed_s = elapsed.as_secs_f64();
        main.offered_per_s = offered_per_s;
        for repetition in apart.values_mut() {
            repetition.elapsed_s = main.elapsed_s;
        }
        (main, apart, tally)
    }

    /// Adds a repetition to the series of this name, which is made if there is none. One that was
    /// stopped before it began is none.
    pub(crate) fn add(&mut self, name: &str, repetition: Repetition) {
        let noted = repetition.failed.len() + repetition.discarded.len();
        if self.stop.is_set() && repetition.answered == 0 && noted == 0 {
            return;
        }
        match self.series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.repetitions.push(repetition),
            None => self.series.push(Series {
                name: name.to_owned(),
                repetitions: vec![repetition],
            }),
        }
    }

    /// Adds a repetition of each kind to a series of its own: `NAME-cold`.
    pub(crate) fn add_apart(&mut self, name: &str, apart: Apart) {
        for (kind, repetition) in apart {
            self.add(&format!("{name}-{kind}"), repetition);
        }
    }

    /// Something that a reader must know.
    pub(crate) fn note(&mut self, note: String) {
        if self.notes.len() < NOTES {
            self.notes.push(note);
        }
    }

    /// The admin API, which this needs.
    pub(crate) fn admin(&self) -> Result<&Admin, Failure> {
        self.admin.as_ref().ok_or_else(|| {
            Failure(
                "there is no gateway to ask: name a function, or give --admin and --function"
                    .into(),
            )
        })
    }

    /// Says how well the generator did, if there is anything to say.
    pub(crate) fn note_quality(&mut self) {
        let repetitions = self.series.iter().flat_map(|series| &series.repetitions);
        let late: u64 = repetitions.map(|repetition| repetition.late).sum();
        let Quality {
            held_up, resent, ..
        } = self.quality;
        let lateness = &self.quality.lateness;
        let sent = lateness.count();
        let quantile =
            |share| stoker_show::text::span(lateness.quantile(share).unwrap_or_default());
        let (median, worst) = (quantile(0.5), quantile(0.99));
        if late > 0 {
            self.note(format!(
                "the generator was late: {late} of {sent} requests were sent more than {} after \
                 they were due (median {median}, p99 {worst}); their samples are kept, lateness \
                 included, so latencies are overstated: lower the rate or give it more CPU",
                stoker_show::text::span(LATE)
            ));
        }
        if held_up > 0 {
            self.note(format!(
                "{held_up} requests waited for a free connection when they were due; their wait is \
                 in their samples: raise --connections if it is not the target that is too slow"
            ));
        }
        if resent > 0 {
            self.note(format!(
                "{resent} requests were sent again on a new connection, for the target closed a kept \
                 one when they came"
            ));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure(text)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure(error.to_string())
    }
}
