use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_nanos(millis * 1_000_000)
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn no_time_has_passed_so_there_is_no_data() {
    let window = Window::new(seconds(60), at(1_500));
    assert_eq!(window.average(seconds(60)), None);
}

#[test]
fn only_the_available_part_of_the_window_counts() {
    let mut window = Window::new(seconds(60), at(1_500));
    window.advance(4, at(2_500));
    window.advance(0, at(3_500));
    // 4 for one of two seconds.
    assert_eq!(window.average(seconds(60)), Some(2.0));
    // The last second was empty, but it begins in a bucket of which only the sum is known.
    assert_eq!(window.average(seconds(1)), Some(1.0));
    window.advance(0, at(4_000));
    assert_eq!(window.average(seconds(1)), Some(0.0));
}

#[test]
fn the_integral_is_exact_within_a_bucket() {
    let mut window = Window::new(seconds(6), at(0));
    window.advance(10, at(1));
    window.advance(0, at(1_000));
    // 10 for 1 ms of 1000 ms.
    assert_eq!(window.average(seconds(6)), Some(0.01));
}

#[test]
fn old_data_leaves_the_window() {
    let mut window = Window::new(seconds(6), at(0));
    window.advance(100, at(10_000));
    window.advance(0, at(16_000));
    assert_eq!(window.average(seconds(6)), Some(0.0));
}

#[test]
fn a_long_silence_is_a_level_too() {
    let mut window = Window::new(seconds(6), at(0));
    window.advance(3, at(10_000_500));
    assert_eq!(window.average(seconds(6)), Some(3.0));
    window.advance(0, at(20_000_500));
    assert_eq!(window.average(seconds(6)), Some(0.0));
}

#[test]
fn a_longer_window_knows_no_more_than_the_shorter_one_did() {
    let mut window = Window::new(seconds(6), at(0));
    window.advance(2, at(100_000));
    window.resize(seconds(60));
    assert_eq!(window.average(seconds(60)), Some(2.0));
    window.advance(0, at(108_000));
    let average = window.average(seconds(60)).unwrap();
    assert!(average > 0.0 && average < 2.0, "{average}");
}

proptest! {
    /// Against the sum over all steps, for windows that begin at a whole second or at the start.
    #[test]
    fn equals_the_plain_sum(steps in prop::collection::vec((0_u32..50, 1_u64..5_000), 1..60)) {
        let mut window = Window::new(seconds(30), at(0));
        let mut time = 0;
        let mut history = Vec::new();
        for (level, length) in steps {
            history.push((level, time, time + length));
            time += length;
            window.advance(level, at(time));
        }
        let whole = time.div_ceil(1_000) * 1_000;
        history.push((7, time, whole));
        window.advance(7, at(whole));
        let from = whole.saturating_sub(30_000);
        let sum: u64 = history
            .iter()
            .map(|&(level, start, end)| u64::from(level) * end.saturating_sub(start.max(from)))
            .sum();
        let expected = sum as f64 / (whole - from) as f64;
        let average = window.average(seconds(30)).unwrap();
        prop_assert!((average - expected).abs() < 1e-6, "{average} {expected}");
    }
}

/// By hand: over 60 s the coefficient is 0.2 (`1 - 0.0001^(1/60) = 0.142`), over 6 s it is
/// `1 - 0.0001^(1/6) = 0.785`.
#[test]
fn later_seconds_weigh_more_if_that_is_asked_for() {
    let mut window = Window::new(seconds(60), at(100_000));
    assert_eq!(window.weighted(seconds(60)), None);
    window.advance(8, at(101_000));
    window.advance(2, at(102_000));
    window.advance(4, at(102_500));
    // 4 * 0.2 + 2 * 0.2 * 0.8 + 8 * 0.2 * 0.64.
    let found = window.weighted(seconds(60)).unwrap();
    assert!((found - 2.144).abs() < 1e-12, "{found}");
    let panic = window.weighted(seconds(6)).unwrap();
    let coefficient = 1.0 - 0.0001_f64.powf(1.0 / 6.0);
    let rest = 1.0 - coefficient;
    let expected = coefficient * (4.0 + rest * (2.0 + rest * 8.0));
    assert!((panic - expected).abs() < 1e-12, "{panic}");
    // An even load is itself, but for what came before the window.
    window.advance(4, at(300_000));
    let found = window.weighted(seconds(60)).unwrap();
    assert!((found - 4.0).abs() < 1e-4, "{found}");
}

proptest! {
    #[test]
    fn it_is_read_as_it_was_written(
        steps in prop::collection::vec((0_u32..3, 0_u64..9_000), 0..20),
        span in 6_u64..70,
    ) {
        let mut window = Window::new(seconds(30), at(7_300));
        let mut now = 7_300;
        for (level, millis) in steps {
            now += millis;
            window.advance(level, at(now));
        }
        let mut words = Words::default();
        window.save(&mut words);
        let words = words.into_inner();
        let mut read = Window::load(&mut Reader(&words), seconds(span), at(now)).unwrap();
        prop_assert!(Window::load(&mut Reader(&words), seconds(span), at(now - 1)).is_none());
        window.resize(seconds(span));
        for _ in 0..3 {
            for span in [1, 3, span] {
                prop_assert_eq!(read.average(seconds(span)), window.average(seconds(span)));
                prop_assert_eq!(read.weighted(seconds(span)), window.weighted(seconds(span)));
            }
            now += 700;
            window.advance(2, at(now));
            read.advance(2, at(now));
        }
    }
}
