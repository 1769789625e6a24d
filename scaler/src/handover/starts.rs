//! The starts of late, as the heir is told of them.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use stoker_core::InstanceId;

use super::channel::Sender;
use super::wire::{Failure, Message};
use crate::Scaler;
use crate::driver::StartTimings;
use crate::history::{FirstAnswer, StartCause, StartRecord};

/// Starts that are handed over, at most: the newest. They wait in the former gateway's memory until the
/// heir has read them.
const MOST: usize = 10_000;

/// See [`StartRecord`]; times are nanoseconds.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireStart {
    function: Arc<str>,
    revision: Arc<str>,
    instance: u64,
    /// Since 1970.
    at: u64,
    /// Requests waited for it.
    requested: bool,
    /// In the order of [`StartTimings::PHASES`].
    phases: [u64; 7],
    took: u64,
    pid: Option<u32>,
    failure: Option<Failure>,
    /// To the connection, and to the first byte; none if that is not known yet, or nobody waited.
    first_answer: Option<(u64, u64)>,
}

impl<C: Send + 'static> Scaler<C> {
    /// Tells the heir of the starts of late. May take a moment.
    ///
    /// # Errors
    /// If one cannot be put into a message.
    pub fn leave_starts(&self, heir: &Sender) -> io::Result<()> {
        for record in self.starts(None).iter().take(MOST) {
            heir.send(&Message::Start(record.into()), None)?;
        }
        Ok(())
    }

    /// Takes in a start of the former gateway, which are told newest first.
    pub fn inherit_start(&self, start: WireStart) {
        self.shared.history.add_older(start.into());
    }
}

impl From<&StartRecord> for WireStart {
    fn from(record: &StartRecord) -> WireStart {
        let since = record.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let first = record.first_answer();
        WireStart {
            function: Arc::clone(&record.function),
            revision: Arc::clone(&record.revision),
            instance: record.instance.as_raw(),
            at: nanos(since),
            requested: record.cause == StartCause::Request,
            phases: record.timings.phases().map(nanos),
            took: nanos(record.took),
            pid: record.result.as_ref().ok().copied().flatten(),
            failure: record.result.as_ref().err().map(Failure::from),
            first_answer: first.map(|first| (nanos(first.connect), nanos(first.first_byte))),
        }
    }
}

impl From<WireStart> for StartRecord {
    fn from(start: WireStart) -> StartRecord {
        let [decide, gate, prepare, spawn, clone, exec, listen] =
            start.phases.map(Duration::from_nanos);
        let first_answer = OnceLock::new();
        if let Some((connect, first_byte)) = start.first_answer {
            let first = FirstAnswer {
                connect: Duration::from_nanos(connect),
                first_byte: Duration::from_nanos(first_byte),
            };
            // It is empty.
            first_answer.set(first).ok();
        }
        StartRecord {
            function: start.function,
            revision: start.revision,
            instance: InstanceId::from_raw(start.instance),
            at: UNIX_EPOCH + Duration::from_nanos(start.at),
            cause: match start.requested {
                true => StartCause::Request,
                false => StartCause::Policy,
            },
            timings: StartTimings {
                // An instant of another process.
                called: None,
                decide,
                gate,
                prepare,
                spawn,
                clone,
                exec,
                listen,
            },
            took: Duration::from_nanos(start.took),
            result: match start.failure {
                Some(failure) => Err(failure.into()),
                None => Ok(start.pid),
            },
            first_answer: Arc::new(first_answer),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use stoker_core::{FailureKind, StartFailure};

    use super::*;

    fn record(result: Result<Option<u32>, StartFailure>) -> StartRecord {
        let millis = Duration::from_millis;
        StartRecord {
            function: Arc::from("f"),
            revision: Arc::from("r7"),
            instance: InstanceId::new(3, 9),
            at: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
            cause: StartCause::Request,
            timings: StartTimings {
                called: Some(std::time::Instant::now()),
                decide: millis(1),
                gate: millis(2),
                prepare: millis(3),
                spawn: millis(4),
                clone: millis(5),
                exec: millis(6),
                listen: millis(7),
            },
            took: millis(28),
            result,
            first_answer: Arc::default(),
        }
    }

    fn there_and_back(record: &StartRecord) -> StartRecord {
        let bytes = serde_json::to_vec(&WireStart::from(record)).expect("it is JSON");
        assert!(bytes.len() < 400, "{} bytes", bytes.len());
        serde_json::from_slice::<WireStart>(&bytes)
            .expect("it is one")
            .into()
    }

    #[test]
    fn all_of_a_start_goes_over_but_an_instant() {
        let mut one = record(Ok(Some(77)));
        let first = FirstAnswer {
            connect: Duration::from_micros(20),
            first_byte: Duration::from_millis(1),
        };
        one.first_answer.set(first).expect("it is empty");
        let got = there_and_back(&one);
        one.timings.called = None;
        assert_eq!(format!("{got:?}"), format!("{one:?}"));
        assert_eq!(got.first_answer(), Some(first));
    }

    #[test]
    fn failures_go_over_too() {
        let failure = StartFailure {
            kind: FailureKind::Exited,
            detail: "exited with status 3".into(),
        };
        let mut one = record(Err(failure));
        one.cause = StartCause::Policy;
        one.timings = StartTimings::default();
        let got = there_and_back(&one);
        assert_eq!(format!("{got:?}"), format!("{one:?}"));
    }
}
