//! What came between two looks at the counters.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use stoker_gateway::{FunctionStats, Gateway, Latencies};

use super::looks::Point;

/// The counters of every revision with series of its own, as they were at the last look.
#[derive(Default)]
pub(super) struct Counters {
    known: HashMap<(Arc<str>, Arc<str>), Known>,
    /// Looks so far.
    number: u64,
}

#[derive(Default)]
struct Known {
    /// It rises with everything that is counted.
    activity: u64,
    /// Of the look that it was there last.
    number: u64,
    counted: Counted,
}

/// What a revision has counted, or what came of it since.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counted {
    requests: u64,
    errors: u64,
    cold: u64,
    /// Those that waited for no start.
    warm: Latencies,
}

impl Counters {
    /// What every function did since the last look, if it did anything.
    pub(super) fn look(&mut self, gateway: &Gateway) -> HashMap<Arc<str>, Counted> {
        self.number += 1;
        let (known, number) = (&mut self.known, self.number);
        let mut names = Vec::new();
        let stats = gateway.stats_of(|function, revision, activity| {
            let name = (Arc::clone(function), Arc::clone(revision));
            let it = match known.entry(name) {
                Entry::Occupied(it) => it.into_mut(),
                // Most of what was never called has series too.
                Entry::Vacant(_) if activity == 0 => return false,
                Entry::Vacant(place) => place.insert(Known::default()),
            };
            it.number = number;
            let is_new = it.activity != activity;
            it.activity = activity;
            if is_new {
                names.push((Arc::clone(function), Arc::clone(revision)));
            }
            is_new
        });
        let mut done: HashMap<Arc<str>, Counted> = HashMap::new();
        for (name, stats) in names.into_iter().zip(&stats) {
            let function = Arc::clone(&name.0);
            let now = Counted::of(stats);
            let Some(it) = known.get_mut(&name) else {
                continue;
            };
            let before = std::mem::replace(&mut it.counted, now.clone());
            done.entry(function).or_default().add(&now.since(&before));
        }
        known.retain(|_, it| it.number == number);
        done
    }
}

impl Counted {
    fn of(stats: &FunctionStats) -> Counted {
        let mut warm = stats.warm.clone();
        warm.add(&stats.thawed);
        Counted {
            requests: stats.requests(),
            errors: stats.errors(),
            cold: stats.cold.count,
            warm,
        }
    }

    fn since(&self, before: &Counted) -> Counted {
        Counted {
            requests: self.requests.saturating_sub(before.requests),
            errors: self.errors.saturating_sub(before.errors),
            cold: self.cold.saturating_sub(before.cold),
            warm: self.warm.since(&before.warm),
        }
    }

    fn add(&mut self, other: &Counted) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.cold += other.cold;
        self.warm.add(&other.warm);
    }

    /// It came within so many seconds.
    pub(super) fn point(&self, seconds: f64) -> Point {
        let per_second = |count: u64| round(count as f64 / seconds.max(1e-3));
        let millis = |share: f64| {
            let seconds = self.warm.quantile(share)?;
            Some(round(seconds * 1000.0))
        };
        Point {
            rate: per_second(self.requests),
            errors: per_second(self.errors),
            cold: per_second(self.cold),
            p50_ms: millis(0.5),
            p99_ms: millis(0.99),
            ..Point::default()
        }
    }
}

/// To a thousandth: more is not to be seen.
fn round(value: f64) -> f32 {
    ((value * 1000.0).round() / 1000.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(requests: u64, warm: u64) -> Counted {
        Counted {
            requests,
            errors: requests / 10,
            cold: requests - warm,
            warm: Latencies {
                count: warm,
                sum_seconds: 0.0,
                buckets: vec![(0.01, warm / 2), (0.02, warm)],
            },
        }
    }

    #[test]
    fn a_point_is_what_came_since() {
        let now = counted(130, 120).since(&counted(30, 20));
        let point = now.point(5.0);
        assert_eq!((point.rate, point.errors, point.cold), (20.0, 2.0, 0.0));
        assert_eq!((point.p50_ms, point.p99_ms), (Some(10.0), Some(19.8)));
        assert_eq!(counted(3, 0).point(1.0).p50_ms, None);
    }

    #[test]
    fn revisions_add_up_and_counters_may_begin_anew() {
        let mut sum = counted(10, 10);
        sum.add(&counted(20, 20));
        assert_eq!(sum.point(1.0).rate, 30.0);
        assert_eq!(counted(1, 1).since(&counted(50, 50)).requests, 0);
    }
}
