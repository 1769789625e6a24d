use super::*;
use crate::chance::{self, Purpose};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn mean(times: &Times) -> f64 {
    let sample = |count| times.sample(&mut chance::draw(1, Purpose::Start, count));
    (0..20_000)
        .map(|count| sample(count).as_secs_f64())
        .sum::<f64>()
        / 20_000.0
}

#[test]
fn what_is_written_is_read() {
    for (text, wanted) in [
        ("20ms", Times::Fixed(ms(20))),
        ("exponential(1s)", Times::Exponential(ms(1000))),
        ("lognormal(20ms,1.5)", Times::LogNormal(ms(20), 1.5)),
        (
            "quantiles(0=5ms,0.9=20ms,1=300ms)",
            Times::Quantiles(vec![(0.0, ms(5)), (0.9, ms(20)), (1.0, ms(300))]),
        ),
    ] {
        assert_eq!(text.parse(), Ok(wanted.clone()));
        assert_eq!(wanted.to_string(), text);
    }
    let even: Times = "quantiles(5ms, 10ms, 30ms)".parse().unwrap();
    assert_eq!(even.to_string(), "quantiles(0=5ms,0.5=10ms,1=30ms)");
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "20",
        "-1ms",
        "2d",
        "lognormal(20ms)",
        "lognormal(20ms,nan)",
        "quantiles(5ms)",
        "quantiles(0=5ms,0.5=1ms)",
        "quantiles(0=5ms,2=9ms)",
        "uniform(1ms,2ms)",
        "lognormal(20ms,1",
    ] {
        let refusal = text.parse::<Times>().unwrap_err();
        assert!(refusal.contains("is not a time such as 20ms"), "{refusal}");
    }
}

#[test]
fn samples_have_their_means() {
    assert!((mean(&Times::Exponential(ms(1000))) - 1.0).abs() < 0.03);
    // exp(sigma^2 / 2) times the median.
    let lognormal = mean(&Times::LogNormal(ms(1000), 0.5));
    assert!((lognormal - 0.125_f64.exp()).abs() < 0.03, "{lognormal}");
    let quantiles = Times::Quantiles(vec![(0.0, ms(0)), (0.5, ms(1000)), (1.0, ms(2000))]);
    assert!((mean(&quantiles) - 1.0).abs() < 0.03);
}

#[test]
fn beyond_the_outermost_quantiles_nothing_is_made_up() {
    let quantiles = [(0.25, ms(10)), (0.75, ms(20))];
    let shown = [0.0, 0.25, 0.5, 0.75, 0.99].map(|share| between(&quantiles, share));
    assert_eq!(shown, [ms(10), ms(10), ms(15), ms(20), ms(20)]);
}
