use std::path::PathBuf;

use stoker_registry::{
    ArchiveKind, Author, Digest, NewRevision, Package, Registry, Shift, Traffic,
};

use super::*;
use crate::canary::{Plan, read};

/// A registry with revisions 1 and 2 of `f`, of which 1 has everything; removed at the end.
struct World {
    directory: PathBuf,
    registry: Registry,
    watch: Watch,
    /// What revisions counted so far: requests and failures.
    counted: [(u64, u64); 2],
}

impl World {
    fn new(name: &str) -> World {
        let name = format!("stoker-canary-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let registry = Registry::open(&directory, None, 100).unwrap();
        for (seed, shift) in [(1, Shift::All), (2, Shift::Nothing)] {
            let package = Package {
                digest: Digest([seed; 32]),
                kind: ArchiveKind::Zip,
                bytes: 1,
            };
            let new = NewRevision {
                function: "f".to_owned(),
                package,
                settings: None,
                manifest: String::new(),
                author: Author::named("test"),
                shift,
            };
            registry.store().publish(new).unwrap();
        }
        World {
            directory,
            registry,
            watch: Watch::default(),
            counted: [(0, 0); 2],
        }
    }

    fn store(&self) -> &dyn Store {
        self.registry.store()
    }

    /// Begins one whose steps last for no time.
    fn begin(&self) {
        let before = self.store().traffic("f").unwrap();
        let mut state = CanaryState::begin(&Plan::of(2), before, 7).unwrap();
        state.interval_ms = 0;
        write(self.store(), "f", &state).unwrap();
    }

    fn state(&self) -> CanaryState {
        read(self.store(), "f").unwrap().unwrap()
    }

    fn percent(&self) -> f64 {
        self.store().traffic("f").unwrap().percent(2)
    }

    fn look(&mut self) -> bool {
        let counted = [1, 2].map(|number: usize| {
            let (requests, failures) = self.counted[number - 1];
            FunctionStats {
                function: "f".to_owned(),
                revision: number.to_string(),
                from_function: [0, requests - failures, 0, 0, failures],
                ..FunctionStats::default()
            }
        });
        let state = self.state();
        let store = self.registry.store();
        self.watch
            .look(store, ("f", state), counted.iter())
            .unwrap()
    }

    fn serve(&mut self, number: usize, requests: u64, failures: u64) {
        let counted = &mut self.counted[number - 1];
        counted.0 += requests;
        counted.1 += failures;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

#[test]
fn a_good_one_gets_more_and_more_and_then_all() {
    let mut world = World::new("good");
    world.serve(1, 1000, 10);
    world.begin();
    for percent in [5.0, 25.0, 50.0, 100.0] {
        assert!(world.look(), "moved to {percent}");
        assert!((world.percent() - percent).abs() < 1e-9);
        assert!(!world.look(), "nobody called it yet");
        world.serve(1, 1000, 10);
        world.serve(2, 49, 0);
        assert!(!world.look(), "too few called it");
        world.serve(2, 51, 1);
    }
    assert!(!world.look(), "it has all already");
    assert_eq!(world.state().state, Phase::Succeeded);
    assert!(world.state().is_over());
    assert!((world.percent() - 100.0).abs() < 1e-9);
    let log = world.store().audit_log(0, 100).unwrap();
    assert!(log.iter().any(|row| row.entry.what.contains("gets 50 %")));
    assert!(log.iter().all(|row| row.entry.who == "canary"));
}

#[test]
fn a_failing_one_goes_back_and_stays_back() {
    let mut world = World::new("bad");
    world.begin();
    assert!(world.look());
    assert!(!world.look());
    world.serve(1, 95, 0);
    world.serve(2, 5, 5);
    assert!(world.look(), "moved back");
    assert_eq!(world.percent(), 0.0);
    let state = world.state();
    assert_eq!((state.state, state.percent), (Phase::RolledBack, 0.0));
    assert!(state.why.contains("5 of its 5"), "{}", state.why);
    assert!(!world.look());
    assert!(world.state().is_over());
}

#[test]
fn whoever_comes_after_a_crash_makes_the_move_that_was_written_down() {
    let mut world = World::new("crash");
    world.begin();
    assert!(world.look());
    assert!(!world.look());
    let mut state = world.state();
    state.advance(9);
    write(world.store(), "f", &state).unwrap();
    // Another process.
    world.watch = Watch::default();
    assert!(world.look());
    assert!((world.percent() - 25.0).abs() < 1e-9);
    let mut state = world.state();
    state.end(Phase::Aborted, "admin ended it".to_owned(), 10);
    write(world.store(), "f", &state).unwrap();
    world.watch = Watch::default();
    assert!(world.look());
    assert_eq!(world.percent(), 0.0);
    assert!(!world.look());
    assert!(world.state().is_over());
}

#[test]
fn traffic_that_somebody_divides_stays_and_ends_it() {
    let mut world = World::new("foreign");
    world.begin();
    assert!(world.look());
    assert!(!world.look());
    let mine = Traffic::all_to(1);
    world.store().set_traffic("f", &mine, None).unwrap();
    assert!(!world.look());
    assert_eq!(world.store().traffic("f").unwrap(), mine);
    let state = world.state();
    assert_eq!((state.state, state.is_over()), (Phase::Aborted, true));
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let before = || Traffic::all_to(1);
    let refused =
        |plan: &Plan, before| CanaryState::begin(plan, before, 0).unwrap_err().to_string();
    let plan = |steps: &[f64], interval: &str| Plan {
        steps: steps.to_vec(),
        interval: interval.to_owned(),
        ..Plan::of(2)
    };
    for steps in [
        &[][..],
        &[0.0],
        &[50.0, 50.0],
        &[50.0, 25.0],
        &[101.0],
        &[f64::NAN],
    ] {
        assert!(refused(&plan(steps, "5m"), before()).contains("rising shares"));
    }
    for interval in ["", "0s", "999ms", "169h", "soon"] {
        assert!(refused(&plan(&[5.0], interval), before()).contains("expected 1s to 168h"));
    }
    let mut strict = Plan::of(2);
    strict.bounds.latency_ratio = 0.5;
    assert!(refused(&strict, before()).contains("latency_ratio"));
    assert!(refused(&Plan::of(1), before()).contains("no other revision"));
    let short: Plan = serde_json::from_str("{\"revision\": 2, \"requests\": 9}").unwrap();
    assert_eq!((short.bounds.requests, short.steps.len()), (9, 4));
}
