use proptest::prelude::*;

use super::*;

/// Values of so many callers.
const CALLERS: u32 = 4000;

fn shares(percents: &[f64]) -> Shares {
    let numbered = percents.iter().enumerate();
    Shares::new(numbered.map(|(place, percent)| (place as u32 + 1, *percent)))
}

fn normal(parts: &[u32]) -> Vec<f64> {
    let sum: u32 = parts.iter().sum();
    let percent = |part: &u32| f64::from(*part) * 100.0 / f64::from(sum);
    parts.iter().map(percent).collect()
}

fn parts() -> impl Strategy<Value = Vec<u32>> {
    let some = |parts: &Vec<u32>| parts.iter().any(|part| *part > 0);
    prop::collection::vec(0_u32..100, 1..6).prop_filter("somebody gets something", some)
}

fn places(shares: &Shares) -> Vec<usize> {
    let caller = |caller: u32| shares.of(format!("caller-{caller}").as_bytes());
    (0..CALLERS).map(caller).collect()
}

/// What no place is off its share by: in parts of one.
fn error(places: &[usize], percents: &[f64]) -> f64 {
    let off = percents.iter().enumerate().map(|(place, percent)| {
        let count = places.iter().filter(|it| **it == place).count();
        (count as f64 / places.len() as f64 - percent / 100.0).abs()
    });
    off.fold(0.0, f64::max)
}

#[test]
fn ten_of_a_hundred_are_ten_of_any_hundred() {
    let shares = shares(&[90.0, 10.0]);
    let sequence = Sequence::of_choices();
    let all: Vec<usize> = (0..10_000).map(|_| shares.at(sequence.next())).collect();
    assert!(error(&all, &[90.0, 10.0]) < 0.001);
    for hundred in all.windows(100) {
        assert!(error(hundred, &[90.0, 10.0]) <= 0.03);
    }
}

#[test]
fn what_is_mirrored_is_not_what_goes_to_one_revision() {
    let (choices, mirrors) = (Sequence::of_choices(), Sequence::of_mirrors());
    let shares = shares(&[50.0, 50.0]);
    let mut mirrored = [0_u32; 2];
    for _ in 0..10_000 {
        let place = shares.at(choices.next());
        mirrored[place] += u32::from(mirrors.next() < 0.5);
    }
    assert!(
        mirrored.iter().all(|count| count.abs_diff(2500) < 50),
        "{mirrored:?}"
    );
}

#[test]
fn a_value_stays_where_it_was_under_older_releases() {
    let shares = shares(&[70.0, 20.0, 10.0]);
    let places = ["", "alice", "bob", "carol", "dave", "erin"].map(|it| shares.of(it.as_bytes()));
    assert_eq!(places, [0, 0, 2, 0, 0, 0]);
}

#[test]
fn values_that_are_new_are_not_alike() {
    let sequence = Sequence::of_choices();
    let values: std::collections::HashSet<u64> = (0..1000).map(|_| fresh(7, &sequence)).collect();
    assert_eq!(values.len(), 1000);
}

#[test]
fn between_two_only_those_move_that_must() {
    let before = places(&shares(&[95.0, 5.0]));
    let after = places(&shares(&[75.0, 25.0]));
    let back = before.iter().zip(&after).filter(|it| *it == (&1, &0));
    assert_eq!(back.count(), 0);
}

proptest! {
    #[test]
    fn shares_are_kept(parts in parts()) {
        let percents = normal(&parts);
        let shares = shares(&percents);
        let sequence = Sequence::of_choices();
        let turns: Vec<usize> = (0..10_000).map(|_| shares.at(sequence.next())).collect();
        prop_assert!(error(&turns, &percents) < 0.002);
        // Six deviations of the count of one place, whose share is one half at worst.
        let bound = 6.0 * (0.25 / f64::from(CALLERS)).sqrt();
        prop_assert!(error(&places(&shares), &percents) < bound);
    }

    #[test]
    fn few_move_when_shares_do(before in parts(), after in parts()) {
        let most = before.len().max(after.len());
        let padded = |mut parts: Vec<u32>| {
            parts.resize(most, 0);
            normal(&parts)
        };
        let (before, after) = (padded(before), padded(after));
        let apart = before.iter().zip(&after).map(|(a, b)| (a - b).abs() / 100.0);
        let must = apart.sum::<f64>() / 2.0;
        let (old, new) = (places(&shares(&before)), places(&shares(&after)));
        let moved = old.iter().zip(&new).filter(|(old, new)| old != new).count();
        let moved = moved as f64 / f64::from(CALLERS);
        prop_assert!(moved <= 2.0 * must / (1.0 + must) + 0.05, "{moved} of {must}");
    }
}
