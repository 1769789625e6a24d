//! `replay`: the arrivals of a trace.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::load::{Plan, Wanted};
use crate::run::{Bench, Failure};
use crate::schedule::Schedule;
use stoker_traces::Trace;

/// The name of the series.
const NAME: &str = "replay";
/// Durations above it are rounded to two digits, so that there are not as many requests as calls.
const EXACT_MS: u64 = 100;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    /// When each call is due, and which request it is; ascending.
    pub(crate) calls: Arc<[(Duration, usize)]>,
    /// Requests in flight at once, at most.
    pub(crate) in_flight: usize,
}

/// What becomes of a trace's functions.
#[derive(Clone, Debug)]
pub(crate) struct Mapping<'a> {
    /// Each function's target in turn, in the order of their first calls.
    pub(crate) targets: &'a [String],
    /// The targets of some functions by name.
    pub(crate) named: &'a BTreeMap<String, String>,
    /// How much faster than it was the trace is replayed.
    pub(crate) speed: f64,
}

/// Which requests there are, and when each is due.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Arrivals {
    /// A target, and how many milliseconds the call took.
    pub(crate) requests: Vec<(String, Option<u64>)>,
    /// When a call is due, and its request.
    pub(crate) calls: Vec<(Duration, usize)>,
    /// Functions in the trace.
    pub(crate) functions: usize,
}

impl Mapping<'_> {
    /// What the calls of a trace become.
    pub(crate) fn apply(&self, trace: &Trace) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let mut targets: HashMap<&str, &str> = HashMap::new();
        let mut requests: HashMap<(&str, Option<u64>), usize> = HashMap::new();
        let mut turn = 0;
        for call in &trace.calls {
            let target = targets.entry(&call.function).or_insert_with(|| {
                self.named.get(&call.function).map_or_else(
                    || {
                        turn += 1;
                        &*self.targets[(turn - 1) % self.targets.len()]
                    },
                    String::as_str,
                )
            });
            let millis = call.duration.map(rounded);
            let request = *requests.entry((target, millis)).or_insert_with(|| {
                arrivals.requests.push(((*target).to_owned(), millis));
                arrivals.requests.len() - 1
            });
            arrivals.calls.push((call.at.div_f64(self.speed), request));
        }
        arrivals.functions = targets.len();
        arrivals
    }
}

/// In milliseconds.
fn rounded(duration: Duration) -> u64 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut unit = 1;
    while millis / unit >= EXACT_MS {
        unit *= 10;
    }
    (millis / unit + u64::from(millis % unit * 2 >= unit && unit > 1)) * unit
}

impl Replay {
    /// Measures.
    pub(crate) fn run(&self, bench: &mut Bench) -> Result<(), Failure> {
        bench
            .progress
            .part(format!("replay of {} calls", self.calls.len()));
        let elapsed = bench.run(Plan {
            schedule: Schedule::Listed(Arc::clone(&self.calls)),
            in_flight: self.in_flight,
            wanted: Wanted::Both,
            slot: 0,
        })?;
        let span = self.calls.last().map_or(0.0, |(at, _)| at.as_secs_f64());
        let offered = (span > 0.0).then(|| self.calls.len() as f64 / span);
        let (main, apart, _) = bench.harvest(0, elapsed, offered);
        bench.add(NAME, main);
        bench.add_apart(NAME, apart);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoker_traces::Call;

    #[test]
    fn functions_take_turns_at_the_targets_or_have_their_own() {
        let call = |at, function: &str, millis| Call {
            at: Duration::from_secs(at),
            function: function.to_owned(),
            duration: Some(Duration::from_millis(millis)),
            start: None,
        };
        let trace = Trace {
            calls: vec![
                call(0, "a", 20),
                call(2, "b", 20),
                call(4, "c", 20),
                call(6, "a", 20),
                call(8, "d", 1234),
            ],
            notes: Vec::new(),
        };
        let targets = ["x".to_owned(), "y".to_owned()];
        let named = BTreeMap::from([("b".to_owned(), "z".to_owned())]);
        let mapping = Mapping {
            targets: &targets,
            named: &named,
            speed: 2.0,
        };
        let arrivals = mapping.apply(&trace);
        let request = |target: &str, millis| (target.to_owned(), Some(millis));
        let wanted = [
            request("x", 20),
            request("z", 20),
            request("y", 20),
            request("x", 1200),
        ];
        assert_eq!(arrivals.requests, wanted);
        let calls: Vec<_> = arrivals
            .calls
            .iter()
            .map(|(at, index)| (at.as_secs(), *index))
            .collect();
        assert_eq!(calls, [(0, 0), (1, 1), (2, 2), (3, 0), (4, 3)]);
        assert_eq!(arrivals.functions, 4);
    }

    #[test]
    fn long_durations_are_rounded() {
        let rounded = |millis| rounded(Duration::from_millis(millis));
        for (millis, wanted) in [
            (0, 0),
            (7, 7),
            (99, 99),
            (104, 100),
            (105, 110),
            (1234, 1200),
            (99_600, 100_000),
        ] {
            assert_eq!(rounded(millis), wanted, "{millis}");
        }
    }
}
