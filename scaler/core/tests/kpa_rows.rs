//! `kpa` against rows that `kpa_rows.py` computed from Knative's formulas, independently of this
//! code.

use std::collections::BTreeMap;
use std::time::Duration;

use stoker_core::{Load, Mode, Observations, Policy, PolicyState, ScaleSpec, Timestamp, decide};

#[path = "common/spec.rs"]
mod common;

const ROWS: &str = include_str!("kpa_rows.csv");

/// One line, by the names in the head of the file.
struct Row<'a>(BTreeMap<&'a str, f64>);

impl Row<'_> {
    fn real(&self, name: &str) -> f64 {
        self.0[name]
    }

    fn count(&self, name: &str) -> u32 {
        self.0[name] as u32
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs_f64(self.0[name])
    }

    fn at(&self) -> Timestamp {
        Timestamp::ZERO + Duration::from_millis(self.0["at_ms"] as u64)
    }

    fn spec(&self) -> ScaleSpec {
        ScaleSpec {
            policy: Policy::Kpa,
            concurrency: 1_000,
            target: self.real("total"),
            target_utilization_percentage: self.real("utilization"),
            min_scale: self.count("min"),
            max_scale: self.count("max"),
            initial_scale: self.count("initial"),
            activation_scale: self.count("activation"),
            stable_window: self.seconds("window"),
            panic_threshold_percentage: self.real("threshold"),
            max_scale_up_rate: self.real("up"),
            max_scale_down_rate: self.real("down"),
            scale_down_delay: self.seconds("delay"),
            scale_to_zero_grace_period: self.seconds("grace"),
            scale_to_zero_retention: self.seconds("retention"),
            ..common::spec()
        }
    }

    fn observations(&self) -> Observations {
        let empty_for = Duration::from_millis(self.0["empty_ms"] as u64);
        Observations {
            load: Some(Load {
                stable: self.real("stable"),
                panic: self.real("panic"),
            }),
            ready: self.count("ready"),
            starting: 0,
            in_flight: 0,
            queued: 0,
            last_active: self.at() - empty_for,
            scheduled: 0,
        }
    }
}

#[test]
fn every_row_is_answered_as_knative_would() {
    let mut lines = ROWS.lines();
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    let (mut case, mut state) = (-1.0, PolicyState::default());
    let (mut count, mut panics) = (0, 0);
    for (number, line) in lines.enumerate() {
        let cells = line.split(',').map(|cell| cell.parse::<f64>().unwrap());
        let row = Row(names.iter().copied().zip(cells).collect());
        let spec = row.spec();
        if row.real("case") != case {
            (case, state) = (row.real("case"), PolicyState::new(&spec));
        }
        let decision = decide(&spec, state, &row.observations(), row.at());
        let why = &decision.why;
        let panicking = u32::from(decision.mode == Mode::Panic);
        let found = [why.stable, why.panic, panicking, decision.desired];
        let names = ["stable_count", "panic_count", "panicking", "desired"];
        let expected = names.map(|name| row.count(name));
        assert_eq!(found, expected, "line {}: {line}\n{why}", number + 2);
        (count, panics) = (count + 1, panics + panicking);
        state = decision.next;
    }
    // There are enough of either kind to tell.
    assert!(
        count > 1_000 && panics > 200 && count - panics > 200,
        "{count} {panics}"
    );
}
