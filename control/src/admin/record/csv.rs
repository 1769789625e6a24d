//! A trace: one line for every request, in the order of arrivals.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use stoker_scaler::record::{TraceRow, trace};

use super::{Chunks, Gone, Out};

/// All times in seconds. `arrival` counts from the first line; `duration` is without the wait; of a
/// request that got no slot it is the mean of the function so far. `start` is what a start took
/// that began since the function's former line, `waited` how long the request waited.
const HEADINGS: &str = "function,arrival,duration,start,waited\n";

/// The durations of a function so far.
#[derive(Default)]
struct Mean {
    sum: Duration,
    count: u32,
}

pub(super) fn write(chunks: Chunks, since: u64, out: &mut Out) -> Result<(), Gone> {
    out.bytes.extend_from_slice(HEADINGS.as_bytes());
    let mut means: HashMap<Arc<str>, Mean> = HashMap::new();
    let mut origin = None;
    for row in trace(chunks, since) {
        let mean = means.entry(Arc::clone(&row.function)).or_default();
        let duration = row.service.unwrap_or_else(|| mean.get());
        if row.service.is_some() {
            mean.add(duration);
        }
        let origin = *origin.get_or_insert(row.arrived);
        line(&row, origin, duration, &mut out.bytes);
        out.line_ends()?;
    }
    out.send()
}

fn line(row: &TraceRow, origin: u64, duration: Duration, out: &mut Vec<u8>) {
    let arrival = Duration::from_micros(row.arrived.saturating_sub(origin));
    let seconds = |time: Duration| format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    let start = row.start.map(seconds).unwrap_or_default();
    // The names of functions need no quotes; a vector takes everything.
    writeln!(
        out,
        "{},{},{},{start},{}",
        row.function,
        seconds(arrival),
        seconds(duration),
        seconds(row.waited),
    )
    .ok();
}

impl Mean {
    fn add(&mut self, duration: Duration) {
        self.sum += duration;
        self.count += 1;
    }

    fn get(&self) -> Duration {
        self.sum.checked_div(self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_seconds() {
        let row = TraceRow {
            function: "f".into(),
            arrived: 5_250_000,
            waited: Duration::from_micros(1_500),
            service: None,
            start: Some(Duration::from_millis(20)),
        };
        let mut out = Vec::new();
        line(&row, 5_000_000, Duration::from_secs(61), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "f,0.250000,61.000000,0.020000,0.001500\n"
        );
    }

    #[test]
    fn what_got_no_slot_counts_with_the_mean() {
        let mut mean = Mean::default();
        assert_eq!(mean.get(), Duration::ZERO);
        mean.add(Duration::from_secs(1));
        mean.add(Duration::from_secs(2));
        assert_eq!(mean.get(), Duration::from_millis(1500));
    }
}
