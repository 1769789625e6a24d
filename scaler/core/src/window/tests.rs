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
