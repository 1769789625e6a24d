//! What is remembered, look by look: what does nothing takes no room.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoker_config::HistorySpec;
use stoker_core::Occupancy;

use crate::wire::FunctionHistory;

/// Looks, the oldest first, within bounds.
#[derive(Debug, Default)]
pub(super) struct Looks {
    looks: VecDeque<Look>,
    /// Of all of them.
    points: usize,
}

/// What was seen at one time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    /// In milliseconds since 1970.
    pub(super) at_ms: u64,
    /// By name, of those functions that did something or have instances.
    pub(super) points: Box<[(Arc<str>, Point)]>,
}

/// What one function did since the look before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    /// Requests that ended, per second.
    pub(super) rate: f32,
    /// Those that failed.
    pub(super) errors: f32,
    /// Those that waited for a start.
    pub(super) cold: f32,
    /// To the head of the answer, of the others.
    pub(super) p50_ms: Option<f32>,
    pub(super) p99_ms: Option<f32>,
    /// At the time of the look, as the rest.
    pub(super) instances: u32,
    pub(super) waiting: u32,
    pub(super) in_flight: u32,
}

/// What a point takes.
const POINT_BYTES: usize = size_of::<(Arc<str>, Point)>();
/// What a look takes besides.
const LOOK_BYTES: usize = size_of::<Look>();

impl Looks {
    /// Adds one, and forgets what there is no room for.
    pub(super) fn push(&mut self, look: Look, spec: &HistorySpec) {
        self.points += look.points.len();
        self.looks.push_back(look);
        self.forget(spec);
    }

    /// Adds what was seen before all of this.
    pub(super) fn precede(&mut self, mut left: Vec<Look>, spec: &HistorySpec) {
        let first = self.looks.front().map_or(u64::MAX, |look| look.at_ms);
        left.retain(|look| look.at_ms < first);
        left.sort_by_key(|look| look.at_ms);
        share_names(&mut left);
        for look in left.into_iter().rev() {
            self.points += look.points.len();
            self.looks.push_front(look);
        }
        self.forget(spec);
    }

    /// When it was looked since `since_ms`, the last times of these, and what some functions did then, by name.
    pub(super) fn read(
        &self,
        has: impl Fn(&str) -> bool,
        (since_ms, last): (u64, usize),
    ) -> (Vec<u64>, Vec<FunctionHistory>) {
        let begin = self.looks.partition_point(|look| look.at_ms <= since_ms);
        let begin = begin.max(self.looks.len().saturating_sub(last));
        let mut times = Vec::with_capacity(self.looks.len() - begin);
        let mut found: BTreeMap<&str, FunctionHistory> = BTreeMap::new();
        for (index, look) in self.looks.range(begin..).enumerate() {
            times.push(look.at_ms);
            for (name, point) in look.points.iter().filter(|(name, _)| has(name)) {
                let function = found
                    .entry(name)
                    .or_insert_with(|| FunctionHistory::new(name));
                point.write(u32::try_from(index).unwrap_or(u32::MAX), function);
            }
        }
        (times, found.into_values().collect())
    }

    /// All of them.
    pub(super) fn all(&self) -> &VecDeque<Look> {
        &self.looks
    }

    fn forget(&mut self, spec: &HistorySpec) {
        let newest = self.looks.back().map_or(0, |look| look.at_ms);
        let keep_ms = u64::try_from(spec.keep.as_millis()).unwrap_or(u64::MAX);
        while let Some(oldest) = self.looks.front() {
            let is_young = newest.saturating_sub(oldest.at_ms) <= keep_ms;
            let bytes = self.points * POINT_BYTES + self.looks.len() * LOOK_BYTES;
            if is_young && bytes <= spec.memory_bytes {
                return;
            }
            self.points -= oldest.points.len();
            self.looks.pop_front();
        }
    }
}

impl Point {
    /// Another revision of the function has this.
    pub(super) fn add(&mut self, now: Occupancy) {
        self.instances += now.instances;
        self.waiting += now.waiting;
        self.in_flight += now.in_flight;
    }

    fn write(&self, look: u32, into: &mut FunctionHistory) {
        into.looks.push(look);
        into.rate.push(self.rate);
        into.errors.push(self.errors);
        into.cold.push(self.cold);
        into.p50_ms.push(self.p50_ms);
        into.p99_ms.push(self.p99_ms);
        into.instances.push(self.instances);
        into.waiting.push(self.waiting);
        into.in_flight.push(self.in_flight);
    }
}

/// What was read has a name for every point; one for every function is enough.
fn share_names(looks: &mut [Look]) {
    let mut names: HashMap<Arc<str>, Arc<str>> = HashMap::new();
    for (name, _) in looks.iter_mut().flat_map(|look| &mut look.points) {
        let known = names.entry(Arc::clone(name));
        *name = Arc::clone(known.or_insert_with(|| Arc::clone(name)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SPEC: HistorySpec = HistorySpec {
        enabled: true,
        keep: Duration::from_secs(60),
        interval: Duration::from_secs(5),
        memory_bytes: 1 << 20,
    };

    fn look(second: u64, names: &[&str]) -> Look {
        let rate = second as f32;
        let point = Point {
            rate,
            ..Point::default()
        };
        Look {
            at_ms: 1000 * second,
            points: names.iter().map(|name| (Arc::from(*name), point)).collect(),
        }
    }

    fn times(looks: &Looks) -> Vec<u64> {
        looks.read(|_| true, (0, 9)).0
    }

    #[test]
    fn a_function_has_points_where_it_did_something() {
        let mut looks = Looks::default();
        for (second, names) in [(5, vec!["a", "b"]), (10, vec![]), (15, vec!["b"])] {
            looks.push(look(second, &names), &SPEC);
        }
        let (times, functions) = looks.read(|_| true, (0, 9));
        assert_eq!(times, [5000, 10_000, 15_000]);
        let found: Vec<_> = functions
            .iter()
            .map(|it| {
                (
                    it.function.as_str(),
                    it.looks.as_slice(),
                    it.rate.as_slice(),
                )
            })
            .collect();
        let expected: [(&str, &[u32], &[f32]); 2] =
            [("a", &[0], &[5.0]), ("b", &[0, 2], &[5.0, 15.0])];
        assert_eq!(found, expected);
        let (times, functions) = looks.read(|name| name == "b", (5000, 9));
        assert_eq!((times.len(), functions.len()), (2, 1));
        assert_eq!(functions[0].looks, [1]);
        let (times, functions) = looks.read(|_| true, (0, 1));
        assert_eq!(
            (times.as_slice(), functions[0].looks.as_slice()),
            (&[15_000][..], &[0][..])
        );
    }

    #[test]
    fn what_is_old_or_too_much_is_forgotten() {
        let mut looks = Looks::default();
        for second in [0, 30, 60, 61] {
            looks.push(look(second, &["a"]), &SPEC);
        }
        assert_eq!(times(&looks), [30_000, 60_000, 61_000]);
        let room = HistorySpec {
            memory_bytes: 2 * (POINT_BYTES + LOOK_BYTES),
            ..SPEC
        };
        looks.push(look(62, &["a"]), &room);
        assert_eq!(times(&looks), [61_000, 62_000]);
        // What alone is too much is not kept either.
        let names = ["a", "b", "c", "d"];
        looks.push(look(63, &names), &room);
        assert_eq!(times(&looks), [0; 0]);
        assert_eq!(looks.points, 0);
    }

    #[test]
    fn what_another_gateway_left_comes_before() {
        let mut looks = Looks::default();
        looks.push(look(50, &["a"]), &SPEC);
        let left = serde_json::to_vec(&vec![look(45, &["a"]), look(10, &["a"]), look(50, &[])]);
        let left = serde_json::from_slice(&left.unwrap()).unwrap();
        looks.precede(left, &SPEC);
        assert_eq!(times(&looks), [10_000, 45_000, 50_000]);
        let names = |at: usize| Arc::clone(&looks.looks[at].points[0].0);
        assert!(Arc::ptr_eq(&names(0), &names(1)), "the name is there once");
        let mut fresh = Looks::default();
        fresh.precede(vec![look(1, &["a"]), look(100, &["a"])], &SPEC);
        assert_eq!(times(&fresh), [100_000]);
    }

    #[test]
    fn a_point_is_as_large_as_the_reference_says() {
        assert_eq!(POINT_BYTES, 56);
    }
}
