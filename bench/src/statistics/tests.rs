use std::collections::BTreeMap;

use super::*;
use stoker_traces::random::Random;

/// Repetitions with these counts of samples, log-normal with a median of 1 µs and a deviation of the
/// logarithm of `sigma`; their medians differ by `spread` of the logarithm.
fn drawn(random: &mut Random, counts: &[usize], sigma: f64, spread: f64) -> Series {
    let repetitions = counts.iter().map(|&count| {
        let median = 1e3 * (spread * random.normal()).exp();
        let mut repetition = Repetition {
            answered: count as u64,
            elapsed_s: 1.0,
            ..Repetition::default()
        };
        for _ in 0..count {
            let ns = median * (sigma * random.normal()).exp();
            repetition.first_byte.record(duration(ns));
        }
        repetition
    });
    Series {
        name: "cold".to_owned(),
        repetitions: repetitions.collect(),
    }
}

/// In how many of 1,000 trials the interval holds the truth in nanoseconds.
fn coverage(
    truth: f64,
    figure: Figure,
    basis: Basis,
    mut draw: impl FnMut(&mut Random) -> Series,
) -> u32 {
    let mut random = Random::new(42);
    let mut held = 0;
    for _ in 0..1000 {
        let series = draw(&mut random);
        let estimate = estimate(&series, &Measure::FirstByte, figure).unwrap();
        let interval = estimate.interval.unwrap();
        assert_eq!(interval.basis, basis);
        // Buckets are as wide as a thousandth.
        let low = interval.low.as_nanos() as f64 * 0.999;
        let high = interval.high.as_nanos() as f64 * 1.001;
        held += u32::from(low <= truth && truth <= high);
    }
    held
}

/// scipy.stats.norm.ppf(0.99): the quantiles of the log-normal distribution are exp(sigma * z).
const Z99: f64 = 2.326_347_9;

#[test]
fn intervals_of_samples_cover() {
    for (count, figure, truth) in [
        (100, Figure::P50, 1e3),
        (400, Figure::P99, 1e3 * (0.8 * Z99).exp()),
        (100, Figure::Mean, 1e3 * (0.8_f64 * 0.8 / 2.0).exp()),
    ] {
        let held = coverage(truth, figure, Basis::Samples, |random| {
            drawn(random, &[count], 0.8, 0.0)
        });
        assert!((900..=990).contains(&held), "{figure:?} of {count}: {held}");
    }
}

#[test]
fn intervals_of_repetitions_cover() {
    for (counts, figure, truth) in [
        (&[50; 5][..], Figure::P50, 1e3),
        (&[400; 5], Figure::P99, 1e3 * (0.3 * Z99).exp()),
        (&[40; 6], Figure::Mean, 1e3 * (0.3_f64 * 0.3 / 2.0).exp()),
    ] {
        let held = coverage(truth, figure, Basis::Repetitions, |random| {
            drawn(random, counts, 0.3, 0.0)
        });
        assert!(
            (900..=990).contains(&held),
            "{figure:?} of {counts:?}: {held}"
        );
    }
}

/// Where the runs differ, an interval of the samples alone would be far too narrow.
#[test]
fn intervals_cover_what_differs_between_runs() {
    let held = coverage(1e3, Figure::P50, Basis::Repetitions, |random| {
        drawn(random, &[40; 6], 0.2, 0.1)
    });
    assert!((900..=990).contains(&held), "{held}");
}

#[test]
fn too_few_samples_are_no_figure() {
    let series = drawn(&mut Random::new(1), &[100, 100], 0.5, 0.0);
    let get = |figure| estimate(&series, &Measure::FirstByte, figure);
    assert_eq!(
        get(Figure::P999),
        Err(TooFew {
            has: 200,
            needs: 3688
        })
    );
    assert_eq!(
        get(Figure::P99),
        Err(TooFew {
            has: 200,
            needs: 368
        })
    );
    assert!(get(Figure::P90).is_ok());
    assert_eq!(get(Figure::Max).unwrap().interval, None);
    let nothing = estimate(&series, &Measure::Total, Figure::Mean);
    assert_eq!(nothing, Err(TooFew { has: 0, needs: 1 }));
    let phase = Measure::Phase("exec".to_owned());
    assert!(estimate(&series, &phase, Figure::P50).is_err());
}

/// Five repetitions of which one does not carry the figure alone: the samples say how sure it is.
#[test]
fn small_repetitions_do_not_speak_for_themselves() {
    let mut random = Random::new(2);
    let small = drawn(&mut random, &[500, 500, 500, 500, 100], 0.5, 0.0);
    let basis = |series: &Series, figure| {
        let estimate = estimate(series, &Measure::FirstByte, figure).unwrap();
        estimate.interval.unwrap().basis
    };
    assert_eq!(basis(&small, Figure::P99), Basis::Samples);
    assert_eq!(basis(&small, Figure::P90), Basis::Repetitions);
}

/// scipy.stats.t.interval(0.95, 4, loc=1.1, scale=scipy.stats.sem([1.0, 1.2, 1.1, 1.3, 0.9]))
#[test]
fn the_interval_of_repetitions_is_that_of_scipy() {
    let repetitions = [1000, 1200, 1100, 1300, 900].map(|ns| {
        let mut repetition = Repetition {
            answered: ns,
            elapsed_s: 10.0,
            failed: BTreeMap::from([("timeout".to_owned(), 1)]),
            ..Repetition::default()
        };
        for _ in 0..10 {
            repetition.first_byte.record(Duration::from_nanos(ns));
        }
        repetition
    });
    let series = Series {
        name: "cold".to_owned(),
        repetitions: repetitions.to_vec(),
    };
    let median = estimate(&series, &Measure::FirstByte, Figure::P50).unwrap();
    let interval = median.interval.unwrap();
    assert_eq!(median.value, Duration::from_nanos(1100));
    assert_eq!(interval.low, Duration::from_nanos(904));
    assert_eq!(interval.high, Duration::from_nanos(1296));
    let rate = rate(&series).unwrap();
    assert_eq!(rate.value, 110.0);
    assert!((rate.interval.unwrap().low - 90.3676).abs() < 0.001);
    assert_eq!((answered(&series), failed(&series)), (5500, 5));
    assert!((failed_share(&series).unwrap() - 5.0 / 5505.0).abs() < 1e-12);
}
