//! Whatever is asked of the store in whatever order, what it says holds together.

use std::collections::BTreeSet;

use proptest::prelude::*;
use stoker_registry::{
    Author, Mirror, Registry, Rule, Settings, Shift, Sqlite, Store, Traffic, Weight,
};

use crate::common::{Directory, new_revision};

#[derive(Clone, Debug)]
enum Step {
    Publish(u8, Option<f64>),
    Settings(u8),
    Traffic(Vec<(u32, u32)>, Option<u32>),
    RollBack(Option<u32>),
    Alias(u8, u32),
    Unalias(u8),
    Collect(u32),
    Delete,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let number = 1..8_u32;
    let weights = prop::collection::vec((number.clone(), 1..100_u32), 1..4);
    prop_oneof![
        6 => (0..4_u8, prop::option::of(0.0..=100.0)).prop_map(|(seed, part)| Step::Publish(seed, part)),
        2 => any::<u8>().prop_map(Step::Settings),
        3 => (weights, prop::option::of(number.clone())).prop_map(|(parts, mirror)| Step::Traffic(parts, mirror)),
        2 => prop::option::of(number.clone()).prop_map(Step::RollBack),
        2 => (0..3_u8, number.clone()).prop_map(|(name, to)| Step::Alias(name, to)),
        1 => (0..3_u8).prop_map(Step::Unalias),
        3 => number.prop_map(Step::Collect),
        1 => Just(Step::Delete),
        1 => Just(Step::Reopen),
    ]
}

/// What is asked may be refused; what then holds is another matter.
fn apply(store: &dyn Store, step: &Step) -> bool {
    match step {
        Step::Publish(seed, part) => {
            let shift = part.map_or(Shift::All, Shift::Percent);
            store.publish(new_revision("f", *seed, shift)).is_ok()
        }
        Step::Settings(value) => {
            let settings = Settings::from([("KEY".to_owned(), value.to_string())]);
            let author = Author::named("model");
            store.set_settings("f", &settings, &author).is_ok()
        }
        Step::Traffic(parts, mirror) => {
            let sum: u32 = parts.iter().map(|(_, part)| part).sum();
            let weights = parts.iter().map(|(revision, part)| Weight {
                revision: *revision,
                percent: f64::from(*part) * 100.0 / f64::from(sum),
            });
            let traffic = Traffic {
                weights: weights.collect(),
                sticky: None,
                mirror: mirror.map(|revision| Mirror {
                    revision,
                    percent: 50.0,
                }),
            };
            store.set_traffic("f", &traffic, None).is_ok()
        }
        Step::RollBack(to) => store.roll_back("f", *to).is_ok(),
        Step::Alias(name, to) => store.set_alias("f", &format!("a-{name}"), *to).is_ok(),
        Step::Unalias(name) => store.delete_alias("f", &format!("a-{name}")).is_ok(),
        Step::Collect(number) => store.collect("f", *number).is_ok(),
        Step::Delete => store.delete_function("f").is_ok(),
        Step::Reopen => true,
    }
}

/// What always holds; every number that is there.
fn examine(store: &dyn Store) -> BTreeSet<u32> {
    let Some(function) = store.function("f").unwrap() else {
        assert!(store.packages().unwrap().is_empty());
        return BTreeSet::new();
    };
    let revisions = store.revisions("f").unwrap();
    let numbers: BTreeSet<u32> = revisions.iter().map(|it| it.number).collect();
    assert_eq!(numbers.len(), revisions.len());
    assert_eq!(function.latest, numbers.last().copied().unwrap_or(0));
    let kept = |number: u32| {
        let found = revisions.iter().find(|it| it.number == number);
        found.is_some_and(|it| it.collected_ms.is_none())
    };
    let traffic = store.traffic("f").unwrap();
    assert_eq!(traffic.primary().is_some(), function.latest > 0);
    assert!(traffic.revisions().all(kept), "{traffic:?}");
    if function.latest > 0 {
        let sum: f64 = traffic.weights.iter().map(|it| it.percent).sum();
        assert!((sum - 100.0).abs() < 1e-7, "{sum}");
        assert!(traffic.weights.is_sorted_by(|a, b| a.revision < b.revision));
    }
    let aliases = store.aliases("f").unwrap();
    assert!(
        aliases.iter().all(|(_, number)| kept(*number)),
        "{aliases:?}"
    );
    let served = revisions
        .iter()
        .filter(|it| traffic.percent(it.number) > 0.0);
    assert!(served.clone().all(|it| it.routed_ms.is_some()));
    let named: BTreeSet<_> = store.packages().unwrap().into_iter().collect();
    let known = revisions.iter().filter(|it| it.collected_ms.is_none());
    assert_eq!(named, known.map(|it| it.digest()).collect());
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_it_says_holds_together(steps in prop::collection::vec(step(), 1..25)) {
        let directory = Directory::new();
        let mut store: Sqlite = directory.store();
        let (mut newest, mut generation) = (0, store.generation().unwrap());
        for step in &steps {
            if matches!(step, Step::Reopen) {
                store = directory.store();
            }
            let before = examine(&store);
            let done = apply(&store, step);
            let after = examine(&store);
            for number in after.difference(&before) {
                prop_assert!(*number > newest, "{} was given before", number);
                newest = *number;
            }
            let changed = store.generation().unwrap() > generation;
            prop_assert!(changed || !done || matches!(step, Step::Reopen));
            prop_assert!(done || before == after);
            generation = store.generation().unwrap();
        }
    }

    #[test]
    fn shifts_keep_proportions(parts in prop::collection::vec(1..100_u32, 2..6), percent in 0.0..100.0) {
        let sum: u32 = parts.iter().sum();
        let weight = |(index, part): (usize, &u32)| Weight {
            revision: u32::try_from(index).unwrap() + 1,
            percent: f64::from(*part) * 100.0 / f64::from(sum),
        };
        let traffic = Traffic {
            weights: parts.iter().enumerate().map(weight).collect(),
            ..Traffic::default()
        };
        let shifted = traffic.shifted(99, Shift::Percent(percent)).checked().unwrap();
        prop_assert!((shifted.percent(99) - percent).abs() < 1e-6);
        for weight in &traffic.weights {
            let kept = weight.percent * (100.0 - percent) / 100.0;
            prop_assert!((shifted.percent(weight.revision) - kept).abs() < 1e-6);
        }
    }
}

/// The rule takes nothing that is in use, at any time.
#[test]
fn a_collection_leaves_a_whole_store() {
    let directory = Directory::new();
    let registry = Registry::open(directory.path(), None, 10).unwrap();
    for seed in 0..30 {
        let shift = match seed % 3 {
            0 => Shift::All,
            1 => Shift::Nothing,
            _ => Shift::Percent(30.0),
        };
        let new = new_revision("f", seed, shift);
        registry.store().publish(new).unwrap();
        let rule = Rule {
            revisions: 3,
            age: std::time::Duration::from_secs(3600),
        };
        registry.collect(rule).unwrap();
        examine(registry.store());
    }
    let revisions = registry.store().revisions("f").unwrap();
    let kept = revisions.iter().filter(|it| it.collected_ms.is_none());
    assert!(kept.count() <= 8);
}
