//! Everything as it was recorded, one JSON object to a line.

use std::time::Duration;

use stoker_core::Outcome;
use stoker_scaler::StartCause;
use stoker_scaler::record::{Entry, What};

use super::{Chunks, Gone, Out};
use crate::explain::mode;
use crate::wire::{RecordEvent, RecordLine};

pub(super) fn write(chunks: &Chunks, since: u64, out: &mut Out) -> Result<(), Gone> {
    for chunk in chunks {
        for entry in chunk.entries().filter(|entry| entry.at >= since) {
            let line = RecordLine {
                at_us: entry.at,
                function: chunk.function.to_string(),
                revision: chunk.revision.to_string(),
                event: event(entry),
            };
            // Names, numbers and text: nothing that JSON could refuse.
            if serde_json::to_writer(&mut out.bytes, &line).is_ok() {
                out.bytes.push(b'\n');
            }
            out.line_ends()?;
        }
    }
    out.send()
}

/// As programs see it.
pub(in crate::admin) fn event(entry: Entry) -> RecordEvent {
    match entry.what {
        What::Request(request) => RecordEvent::Request {
            waited_ms: millis(request.waited),
            service_ms: millis(request.service),
            outcome: match request.outcome {
                Outcome::Answered => "answered",
                Outcome::Failed => "failed",
                Outcome::Unknown => "unknown",
            }
            .to_owned(),
            first: request.first,
        },
        What::Refused { waited, cause } => RecordEvent::Refused {
            waited_ms: millis(waited),
            cause: cause.name().to_owned(),
        },
        What::Started {
            instance,
            took,
            cause,
        } => RecordEvent::Started {
            instance: instance.to_string(),
            took_ms: millis(took),
            cause: match cause {
                StartCause::Request => "request",
                StartCause::Policy => "policy",
            }
            .to_owned(),
        },
        What::StartFailed { instance, took } => RecordEvent::StartFailed {
            instance: instance.to_string(),
            took_ms: millis(took),
        },
        What::Decided(decided) => RecordEvent::Decided {
            desired: decided.desired,
            unclamped: decided.unclamped,
            clamp: decided.clamp,
            mode: mode(decided.mode),
            ready: decided.ready,
            starting: decided.starting,
            in_flight: decided.in_flight,
            waiting: decided.queued,
            stable_load: decided.load.map(|load| load.0),
            panic_load: decided.load.map(|load| load.1),
            why: decided.why,
        },
        What::Ending { instance, why } => RecordEvent::Ending {
            instance: instance.to_string(),
            why: why.name().to_owned(),
        },
        What::Ended { instance, lived } => RecordEvent::Ended {
            instance: instance.to_string(),
            lived_ms: millis(lived),
        },
    }
}

fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
