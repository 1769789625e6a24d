//! Where the time of a request went.

use std::time::{Duration, Instant};

use http::header::HeaderValue;
use stoker_scaler::driver::StartTimings;

/// Where the time of a request went, until the head of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phases {
    pub(crate) arrived: Instant,
    /// From the arrival to the slot.
    pub(crate) queue: Duration,
    /// The start of the instance; cold requests only. Its `decide` begins with the arrival, if the
    /// request came before the decision.
    pub(crate) start: Option<StartTimings>,
    /// Part of `connect` that thawed the instance, or of `queue` if it waited; requests that found it frozen only.
    pub(crate) thaw: Option<Duration>,
    /// From the slot to the connection.
    pub(crate) connect: Duration,
    /// From the connection to the head of the answer.
    pub(crate) first_byte: Duration,
}

impl Phases {
    pub(crate) fn new(arrived: Instant) -> Self {
        Phases {
            arrived,
            queue: Duration::ZERO,
            start: None,
            thaw: None,
            connect: Duration::ZERO,
            first_byte: Duration::ZERO,
        }
    }

    /// Notes that the request waited for an instance whose start took this.
    pub(crate) fn set_start(&mut self, timings: Option<StartTimings>) {
        let mut timings = timings.unwrap_or_default();
        if let Some(called) = timings.called {
            let waited = called.saturating_duration_since(self.arrived);
            let waited = waited.saturating_sub(timings.gate);
            timings.decide = timings.decide.max(waited);
        }
        self.start = Some(timings);
    }

    /// For `Server-Timing`: milliseconds, `total` up to the head of the answer. The parts of the
    /// start, of which `start` is the sum, may go on beside `connect` and `first-byte`.
    pub(crate) fn server_timing(&self) -> HeaderValue {
        let mut text = Vec::with_capacity(if self.start.is_some() { 256 } else { 96 });
        entry(&mut text, b"queue", self.queue);
        if let Some(start) = self.start {
            entry(&mut text, b", start", start.total());
            for (name, part) in StartTimings::PHASES.into_iter().zip(start.phases()) {
                text.extend_from_slice(b", ");
                entry(&mut text, name.as_bytes(), part);
            }
        }
        if let Some(thaw) = self.thaw {
            entry(&mut text, b", thaw", thaw);
        }
        entry(&mut text, b", connect", self.connect);
        entry(&mut text, b", first-byte", self.first_byte);
        entry(
            &mut text,
            b", total",
            self.queue + self.connect + self.first_byte,
        );
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .expect("names and digits are a valid value")
    }
}

/// Appends `NAME;dur=MILLISECONDS` with three places.
fn entry(out: &mut Vec<u8>, name: &[u8], duration: Duration) {
    out.extend_from_slice(name);
    out.extend_from_slice(b";dur=");
    let micros = duration.as_micros() as u64;
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = micros / 1000;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    let part = (micros % 1000) as u32;
    let place = |unit: u32| b'0' + (part / unit % 10) as u8;
    out.extend_from_slice(&[b'.', place(100), place(10), place(1)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_timing_is_in_milliseconds() {
        let mut phases = Phases::new(Instant::now());
        phases.queue = Duration::from_micros(12_345);
        phases.connect = Duration::from_micros(7);
        phases.first_byte = Duration::from_secs(2);
        assert_eq!(
            phases.server_timing(),
            "queue;dur=12.345, connect;dur=0.007, first-byte;dur=2000.000, total;dur=2012.352"
        );
        let spawn = Duration::from_micros(1500);
        phases.set_start(Some(StartTimings {
            gate: Duration::ZERO,
            spawn,
            ..Default::default()
        }));
        assert_eq!(
            phases.server_timing(),
            "queue;dur=12.345, start;dur=1.500, decide;dur=0.000, gate;dur=0.000, prepare;dur=0.000, \
             spawn;dur=1.500, clone;dur=0.000, exec;dur=0.000, listen;dur=0.000, \
             connect;dur=0.007, first-byte;dur=2000.000, total;dur=2012.352"
        );
    }

    #[test]
    fn the_decision_counts_from_the_arrival_if_that_was_earlier() {
        let mut phases = Phases::new(Instant::now());
        let mut timings = StartTimings {
            called: Some(phases.arrived + Duration::from_millis(3)),
            decide: Duration::from_millis(1),
            exec: Duration::from_millis(2),
            ..Default::default()
        };
        phases.set_start(Some(timings));
        let decide = |phases: &Phases| phases.start.map(|start| start.decide);
        assert_eq!(decide(&phases), Some(Duration::from_millis(3)));
        timings.called = phases.arrived.checked_sub(Duration::from_millis(9));
        phases.set_start(Some(timings));
        assert_eq!(decide(&phases), Some(Duration::from_millis(1)));
    }
}
