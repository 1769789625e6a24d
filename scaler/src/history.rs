//! The starts of late, each with where its time went.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use stoker_core::{InstanceId, StartFailure};

use crate::driver::{LaunchSpec, StartTimings};

/// How many are remembered until a configuration says so.
const LIMIT: usize = 1000;

/// One start that has ended, well or not.
#[derive(Clone, Debug)]
pub struct StartRecord {
    /// The function's name.
    pub function: Arc<str>,
    /// The revision's name.
    pub revision: Arc<str>,
    /// Which instance.
    pub instance: InstanceId,
    /// When it ended.
    pub at: SystemTime,
    /// Why there was one.
    pub cause: StartCause,
    /// Where the time went; all zero if it failed.
    pub timings: StartTimings,
    /// From the decision to its end.
    pub took: Duration,
    /// The process of the instance, or why there is none.
    pub result: Result<Option<u32>, StartFailure>,
    pub(crate) first_answer: Arc<OnceLock<FirstAnswer>>,
}

/// Why an instance was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartCause {
    /// Requests waited.
    Request,
    /// The policy or an operator wanted it, and nobody waited.
    #[default]
    Policy,
}

/// The first answer of an instance to a request that waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstAnswer {
    /// From the slot to the connection.
    pub connect: Duration,
    /// From the connection to the head of the answer.
    pub first_byte: Duration,
}

/// The last starts, as many as it may remember.
#[derive(Debug)]
pub(crate) struct History {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Oldest first.
    records: VecDeque<StartRecord>,
    limit: usize,
}

impl StartRecord {
    /// A start of `launch` that has ended now, whose first answer is told through `first_answer`.
    pub(crate) fn new(
        launch: &LaunchSpec,
        (instance, cause): (InstanceId, StartCause),
        (timings, took): (StartTimings, Duration),
        result: Result<Option<u32>, StartFailure>,
        first_answer: Arc<OnceLock<FirstAnswer>>,
    ) -> StartRecord {
        StartRecord {
            function: Arc::clone(&launch.function),
            revision: launch.label(),
            instance,
            at: SystemTime::now(),
            cause,
            timings,
            took,
            result,
            first_answer,
        }
    }

    /// What the first request found that waited for it; none if none did, or there is no answer
    /// yet.
    pub fn first_answer(&self) -> Option<FirstAnswer> {
        self.first_answer.get().copied()
    }
}

impl Default for History {
    fn default() -> History {
        let state = State {
            records: VecDeque::new(),
            limit: LIMIT,
        };
        History {
            state: Mutex::new(state),
        }
    }
}

impl History {
    /// Remembers at most so many from now on.
    pub(crate) fn set_limit(&self, limit: usize) {
        let mut state = self.lock();
        state.limit = limit;
        state.forget(limit);
    }

    /// Adds one, in place of the oldest if there is no room.
    pub(crate) fn add(&self, record: StartRecord) {
        let mut state = self.lock();
        if state.limit == 0 {
            return;
        }
        let limit = state.limit;
        state.forget(limit - 1);
        state.records.push_back(record);
    }

    /// Adds one that the former gateway remembers, which is older than all that are here, if there is
    /// room.
    pub(crate) fn add_older(&self, record: StartRecord) {
        let mut state = self.lock();
        if state.records.len() < state.limit {
            state.records.push_front(record);
        }
    }

    /// Those of the function of this name, or of all, newest first.
    pub(crate) fn list(&self, function: Option<&str>) -> Vec<StartRecord> {
        let state = self.lock();
        let newest_first = state.records.iter().rev();
        newest_first
            .filter(|record| function.is_none_or(|name| *record.function == *name))
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a single step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Keeps the newest ones.
    fn forget(&mut self, limit: usize) {
        let surplus = self.records.len().saturating_sub(limit);
        self.records.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::driver::{Resources, SocketKind};

    fn record(function: &str, count: u32) -> StartRecord {
        let launch = LaunchSpec {
            function: Arc::from(function),
            revision: Arc::from("r"),
            number: None,
            command: Vec::new(),
            environment: Vec::new(),
            working_directory: PathBuf::from("/"),
            socket: SocketKind::Inherit,
            user: None,
            rlimits: Vec::new(),
            resources: Resources::default(),
            isolation: Default::default(),
            runtime: None,
            start_timeout: Duration::from_secs(1),
        };
        StartRecord::new(
            &launch,
            (InstanceId::new(1, count), StartCause::Request),
            (StartTimings::default(), Duration::ZERO),
            Ok(None),
            Arc::default(),
        )
    }

    fn counts(history: &History, function: Option<&str>) -> Vec<u32> {
        let list = history.list(function);
        list.iter().map(|record| record.instance.count()).collect()
    }

    #[test]
    fn the_newest_are_remembered_and_come_first() {
        let history = History::default();
        history.set_limit(3);
        for count in 1..=5 {
            let function = if count % 2 == 0 { "even" } else { "odd" };
            history.add(record(function, count));
        }
        assert_eq!(counts(&history, None), [5, 4, 3]);
        assert_eq!(counts(&history, Some("odd")), [5, 3]);
        assert!(counts(&history, Some("none")).is_empty());
        history.set_limit(1);
        assert_eq!(counts(&history, None), [5]);
        history.set_limit(0);
        history.add(record("f", 6));
        assert!(counts(&history, None).is_empty());
    }

    #[test]
    fn what_is_inherited_is_older_and_takes_no_place_of_a_newer_one() {
        let history = History::default();
        history.set_limit(4);
        history.add(record("f", 11));
        // Newest first, and one comes up meanwhile.
        history.add_older(record("f", 9));
        history.add(record("f", 12));
        for older in [8, 7, 6] {
            history.add_older(record("f", older));
        }
        assert_eq!(counts(&history, None), [12, 11, 9, 8]);
        history.add(record("f", 13));
        assert_eq!(counts(&history, None), [13, 12, 11, 9]);
    }

    #[test]
    fn a_first_answer_is_told_when_it_comes() {
        let history = History::default();
        let record = record("f", 1);
        let told = Arc::clone(&record.first_answer);
        history.add(record);
        assert_eq!(history.list(None)[0].first_answer(), None);
        let answer = FirstAnswer {
            connect: Duration::from_micros(20),
            first_byte: Duration::from_millis(1),
        };
        told.set(answer).expect("is told once");
        assert_eq!(history.list(None)[0].first_answer(), Some(answer));
    }
}
