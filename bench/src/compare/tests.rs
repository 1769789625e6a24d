use super::*;
use crate::report::Repetition;
use crate::samples::duration;

/// `runs` repetitions of `count` samples round `median_ns`; the runs' medians differ by `spread` of
/// the logarithm.
fn report(random: &mut Random, median_ns: f64, runs: usize, count: usize, spread: f64) -> Report {
    let repetitions = (0..runs).map(|_| {
        let median = median_ns * (spread * random.normal()).exp();
        let mut repetition = Repetition {
            answered: count as u64,
            elapsed_s: median / 1e6,
            ..Repetition::default()
        };
        for _ in 0..count {
            let ns = median * (0.3 * random.normal()).exp();
            repetition.first_byte.record(duration(ns));
        }
        repetition
    });
    let series = Series {
        name: "cold".to_owned(),
        repetitions: repetitions.collect(),
    };
    Report {
        format: FORMAT,
        series: vec![series],
        ..Report::default()
    }
}

use stoker_traces::random::Random;

const OPTIONS: CompareOptions = CompareOptions {
    seed: 3,
    draws: 200,
};

fn verdict(first: &Report, second: &Report, figure: &str) -> Verdict {
    let comparison = compare(first, second, OPTIONS);
    let mut figures = comparison.figures.iter();
    figures.find(|one| one.figure == figure).unwrap().verdict
}

#[test]
fn noise_is_no_difference() {
    let mut random = Random::new(11);
    let mut wrong = 0;
    for _ in 0..200 {
        let mut one = || report(&mut random, 1e3, 5, 60, 0.05);
        let (first, second) = (one(), one());
        wrong += usize::from(verdict(&first, &second, "p50") != Verdict::NoDifference);
    }
    assert!(wrong <= 16, "{wrong} of 200");
}

/// Far more than the noise, and more than the runs differ among themselves.
#[test]
fn differences_are_found() {
    let mut random = Random::new(12);
    let mut one = |median| report(&mut random, median, 6, 400, 0.03);
    let (slow, fast) = (one(1.25e4), one(1e4));
    for figure in ["mean", "p50", "p90", "p99"] {
        assert_eq!(verdict(&slow, &fast, figure), Verdict::Faster, "{figure}");
        assert_eq!(verdict(&fast, &slow, figure), Verdict::Slower, "{figure}");
    }
    assert_eq!(verdict(&fast, &slow, "p99.9"), Verdict::TooFew);
    // The rate goes the other way.
    assert_eq!(verdict(&fast, &slow, "rate"), Verdict::Slower);
    assert_eq!(verdict(&fast, &fast, "p50"), Verdict::NoDifference);
}

#[test]
fn few_repetitions_have_no_verdict() {
    let mut random = Random::new(13);
    let mut one = |median, runs| report(&mut random, median, runs, 400, 0.0);
    let (first, second) = (one(1e4, 2), one(9e4, 5));
    let comparison = compare(&first, &second, OPTIONS);
    let median = comparison
        .figures
        .iter()
        .find(|one| one.figure == "p50")
        .unwrap();
    assert_eq!(median.verdict, Verdict::TooFew);
    assert!((median.ratio.unwrap() - 9.0).abs() < 1.0);
    assert_eq!((median.low, median.chance), (None, None));
    let wanted =
        "cold: 2 of at least 3 repetitions that tell how runs differ; better are 5 or more";
    assert!(
        comparison.notes.contains(&wanted.to_owned()),
        "{:?}",
        comparison.notes
    );
}

#[test]
fn scheduled_rates_are_not_compared() {
    let mut random = Random::new(14);
    let mut first = report(&mut random, 1e4, 5, 40, 0.0);
    let second = first.clone();
    first.series[0].repetitions[0].offered_per_s = Some(100.0);
    let comparison = compare(&first, &second, OPTIONS);
    assert!(comparison.figures.iter().all(|one| one.figure != "rate"));
}

#[test]
fn intervals_are_the_same_again() {
    let mut random = Random::new(15);
    let first = report(&mut random, 1e4, 5, 40, 0.1);
    let second = report(&mut random, 1e4, 4, 40, 0.1);
    assert_eq!(
        compare(&first, &second, OPTIONS),
        compare(&first, &second, OPTIONS)
    );
}

#[test]
fn what_differs_is_listed() {
    let mut first = Report::default();
    let mut second = Report::default();
    first.settings.insert("rate".to_owned(), "100".to_owned());
    second.machine.kernel = "6.18.0".to_owned();
    second.machine.memory_bytes = 17;
    let differences = compare(&first, &second, OPTIONS).differences;
    let shown: Vec<_> = differences
        .iter()
        .map(|one| (one.what.as_str(), one.first.as_str(), one.second.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("machine.kernel", "", "6.18.0"),
            ("settings.rate", "100", "")
        ]
    );
}

#[test]
fn only_reports_are_read() {
    let directory = std::env::temp_dir().join(format!("stoker-compare-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("report.json");
    let error = || read(&path).unwrap_err().to_string();
    assert!(error().contains("report.json cannot be read: "));
    std::fs::write(&path, "{}").unwrap();
    assert!(
        error().contains("is no report of stoker bench: missing field"),
        "{}",
        error()
    );
    let mut report = Report {
        format: 9,
        ..Report::default()
    };
    std::fs::write(&path, serde_json::to_string(&report).unwrap()).unwrap();
    assert!(error().ends_with("its format is 9, and 1 is read"));
    report.format = FORMAT;
    std::fs::write(&path, serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(read(&path).unwrap(), report);
    std::fs::remove_dir_all(&directory).unwrap();
}
