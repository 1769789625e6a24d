//! Where the time of a series goes on average: averages add up, quantiles do not.

use std::time::Duration;

use crate::report::Series;
use crate::samples::duration;
use crate::statistics::Measure;

/// The phases of a request in the gateway, which follow each other.
const REQUEST: [&str; 3] = ["queue", "connect", "first-byte"];

/// The phases of a start in the gateway, which follow each other. They may go on beside those of the
/// request, for a program that inherits its socket can be connected while it starts.
const START: [&str; 6] = ["decide", "prepare", "spawn", "clone", "exec", "listen"];

/// The average time per request of a series in every phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Breakdown {
    /// The average time to the first byte.
    pub(crate) first_byte: Duration,
    /// Phases that follow each other and do not overlap, with the time in them.
    pub(crate) request: Vec<(String, Duration)>,
    /// What is left of the time to the first byte: the way to the target and back, and the generator.
    pub(crate) outside: Duration,
    /// Phases of the start of the instance, if there was one.
    pub(crate) start: Vec<(String, Duration)>,
}

impl Breakdown {
    /// Of all repetitions. A target whose phases are not those of the gateway has all of them, but
    /// `total`, in `request`.
    pub(crate) fn of(series: &Series) -> Self {
        let first_byte = Measure::FirstByte.samples(series);
        let average = |name: &str| {
            let samples = Measure::Phase(name.to_owned()).samples(series);
            // A phase that only some requests had is spread over all.
            let share = samples.count() as f64 / first_byte.count().max(1) as f64;
            (samples.count() > 0).then(|| (name.to_owned(), duration(samples.mean_ns() * share)))
        };
        let mut request: Vec<_> = REQUEST.iter().filter_map(|name| average(name)).collect();
        let mut start: Vec<_> = START.iter().filter_map(|name| average(name)).collect();
        if request.is_empty() {
            let names = phase_names(series);
            let names = names.iter().filter(|name| *name != "total");
            request = names.filter_map(|name| average(name)).collect();
            start.clear();
        } else if start.is_empty() {
            start.extend(average("start"));
        }
        let known: Duration = request.iter().map(|part| part.1).sum();
        let whole = duration(first_byte.mean_ns());
        Breakdown {
            first_byte: whole,
            outside: match request.is_empty() {
                true => Duration::ZERO,
                false => whole.saturating_sub(known),
            },
            request,
            start,
        }
    }
}

/// Every phase that a repetition has: the gateway's in their order, then the others by name.
pub(crate) fn phase_names(series: &Series) -> Vec<String> {
    let place = |name: &str| match name {
        "queue" => 0,
        "start" => 1,
        "connect" => 8,
        "first-byte" => 9,
        "total" => 10,
        _ => match START.iter().position(|known| *known == name) {
            Some(index) => index + 2,
            None => usize::MAX,
        },
    };
    let all = series.repetitions.iter().flat_map(|one| one.phases.keys());
    let mut names: Vec<String> = all.cloned().collect();
    names.sort_by(|a, b| place(a).cmp(&place(b)).then(a.cmp(b)));
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Repetition;

    fn series(phases: &[(&str, u64)]) -> Series {
        let mut one = Repetition::default();
        for _ in 0..2 {
            one.first_byte.record(Duration::from_nanos(1500));
        }
        for &(name, ns) in phases {
            let phase = one.phases.entry(name.to_owned()).or_default();
            phase.record(Duration::from_nanos(ns));
            phase.record(Duration::from_nanos(ns));
        }
        Series {
            name: "cold".to_owned(),
            repetitions: vec![one],
        }
    }

    fn shown(parts: &[(String, Duration)]) -> String {
        let parts = parts
            .iter()
            .map(|(name, time)| format!("{name} {} ", time.as_nanos()));
        parts.collect()
    }

    #[test]
    fn the_start_is_apart_from_the_request() {
        let cold = Breakdown::of(&series(&[
            ("clone", 300),
            ("connect", 100),
            ("decide", 50),
            ("first-byte", 200),
            ("queue", 800),
            ("start", 350),
            ("total", 1100),
        ]));
        assert_eq!(
            shown(&cold.request),
            "queue 800 connect 100 first-byte 200 "
        );
        assert_eq!(shown(&cold.start), "decide 50 clone 300 ");
        assert_eq!(cold.outside, Duration::from_nanos(400));
        let older = Breakdown::of(&series(&[("queue", 800), ("start", 350)]));
        assert_eq!(shown(&older.start), "start 350 ");
    }

    #[test]
    fn other_targets_have_their_own_phases() {
        let other = Breakdown::of(&series(&[("total", 900), ("db", 700), ("app", 100)]));
        assert_eq!(shown(&other.request), "app 100 db 700 ");
        assert_eq!(other.outside, Duration::from_nanos(700));
        assert_eq!(other.start, []);
    }

    /// Half of the requests had it.
    #[test]
    fn rare_phases_count_for_all_requests() {
        let mut half = series(&[]);
        let queue = half.repetitions[0].phases.entry("queue".to_owned());
        queue.or_default().record(Duration::from_nanos(600));
        assert_eq!(shown(&Breakdown::of(&half).request), "queue 300 ");
    }
}
