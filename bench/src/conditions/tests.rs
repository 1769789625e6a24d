use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::Condition;
use crate::Report;
use crate::report::{Repetition, Series};

/// `cold` has 400 samples of 10 ms, of which 100 had 2 ms in `exec`; 4 failed. `bare.a-1` has 100
/// samples of 4 ms.
fn report() -> Report {
    let mut cold = Repetition {
        answered: 400,
        failed: BTreeMap::from([("timeout".to_owned(), 1), ("status 503".to_owned(), 3)]),
        discarded: BTreeMap::from([("warm".to_owned(), 7)]),
        late: 2,
        figures: BTreeMap::from([("ratio".to_owned(), 1.2)]),
        elapsed_s: 8.0,
        ..Repetition::default()
    };
    let mut bare = Repetition::default();
    let exec = cold.phases.entry("exec".to_owned()).or_default();
    for _ in 0..100 {
        exec.record(Duration::from_millis(2));
        bare.first_byte.record(Duration::from_millis(4));
    }
    for _ in 0..400 {
        cold.first_byte.record(Duration::from_millis(10));
        cold.total.record(Duration::from_millis(12));
    }
    let series = |name: &str, one: Repetition| Series {
        name: name.to_owned(),
        repetitions: vec![one],
    };
    Report {
        series: vec![series("cold", cold), series("bare.a-1", bare)],
        ..Report::default()
    }
}

fn holds(text: &str) -> bool {
    let condition: Condition = text.parse().unwrap_or_else(|fault| panic!("{fault}"));
    let outcome = condition.check(&report());
    outcome.unwrap_or_else(|cause| panic!("{cause}")).holds
}

#[test]
fn conditions_are_judged() {
    for (text, wanted) in [
        ("cold.p99 > 9ms", true),
        ("cold.p99>20ms", false),
        (
            "cold.total.p50 >= 11_900us and cold.total.p50 < 0.0121s",
            true,
        ),
        ("cold.first-byte.min > 9ms", true),
        ("cold.phase.exec.p50 > 1ms", true),
        ("cold.phase.exec.max > 3ms", false),
        ("cold.count == 400", true),
        ("cold.count = 400", true),
        ("cold.failed > 3", true),
        ("cold.failed% > 1%", false),
        ("cold.failed% >= 0.9%", true),
        ("cold.discarded != 7", false),
        ("cold.rate < 50.1 and cold.rate > 49.9", true),
        ("cold.p50 / bare.a-1.p50 > 2", true),
        ("cold.p50 / bare.a-1.p50 > 3", false),
        ("cold.p50 - bare.a-1.p50 > 5ms", true),
        ("cold.p50 > 2 * bare.a-1.p50 + 1ms", true),
        ("cold.p50 > bare.a-1.p50 * 2 + 3ms", false),
        ("cold.failed > 3 or cold.p50 > 1h", true),
        ("cold.failed > 3 and cold.p50 > 1m", false),
        (
            "(cold.failed > 3 or cold.p50 > 1m) and cold.count > 1",
            true,
        ),
        ("cold.failed > 9 or cold.count > 1 and cold.count > 2", true),
        ("(cold.p50 - bare.a-1.p50) / 2 > 2ms", true),
        ("20ms > cold.mean", true),
        ("cold.late == 2 and cold.figure.ratio < 1.3", true),
    ] {
        assert_eq!(holds(text), wanted, "{text}");
    }
}

#[test]
fn outcomes_tell_what_was_measured() {
    let condition: Condition = "cold.p50 > 1ms and cold.failed% > 0%".parse().unwrap();
    let outcome = condition.check(&report()).unwrap();
    assert_eq!(
        outcome.to_string(),
        "cold.p50 is 10.0ms, cold.failed% is 0.990 %"
    );
}

#[test]
fn faults_point_at_the_place() {
    for (text, wanted) in [
        (
            "cold.p98 > 20ms",
            "\"cold.p98\" names no figure: its end should be one of min, mean, p50, p90, p99, p99.9, \
             max, count, failed, failed%, rate, discarded and late\n  cold.p98 > 20ms\n  ^",
        ),
        (
            "cold.p99 > 20",
            "a duration is compared with a number: compare it with 20ms\n  cold.p99 > 20\n  ^",
        ),
        (
            "cold.failed% > 1",
            "a percentage is compared with a number: compare it with 1%\n  cold.failed% > 1\n  ^",
        ),
        (
            "cold.count > 9 parsecs",
            "here should be 'and', 'or' or the end\n  cold.count > 9 parsecs\n                 ^",
        ),
        (
            "cold.p99 > 20mm",
            "\"mm\" is no unit: it is one of ns, us, ms, s, m, h and %\n  cold.p99 > 20mm\n               ^",
        ),
        (
            "cold.p99 20ms",
            "here should be one of <, <=, >, >=, == and !=\n  cold.p99 20ms\n           ^",
        ),
        (
            "cold.p99 >",
            "here should be a figure such as cold.p99 or a value such as 20ms\n  cold.p99 >\n            ^",
        ),
        (
            "größe & 1",
            "\"&\" means nothing here: a condition is like 'cold.p99 > 20ms and cold.failed == 0'\n  \
             größe & 1\n        ^",
        ),
        (
            "p99 > 20ms",
            "\"p99\" names no figure: write SERIES.FIGURE, as in cold.p99\n  p99 > 20ms\n  ^",
        ),
        (
            "(cold.p99 > 20ms",
            "here should be a closing parenthesis\n  (cold.p99 > 20ms\n                  ^",
        ),
        (
            "cold.p99 > 1ms)",
            "this parenthesis closes none\n  cold.p99 > 1ms)\n                ^",
        ),
        (
            "cold.p99 > 1.2.3ms",
            "\"1.2.3\" is no number\n  cold.p99 > 1.2.3ms\n             ^",
        ),
    ] {
        let fault = text.parse::<Condition>().unwrap_err();
        assert_eq!(fault.to_string(), wanted, "{text}");
    }
}

#[test]
fn what_is_not_known_is_not_judged() {
    let cause = |text: &str| {
        let condition: Condition = text.parse().unwrap();
        condition.check(&report()).unwrap_err().to_string()
    };
    assert_eq!(
        cause("bare.a-1.p99 > 1ms"),
        "the condition \"bare.a-1.p99 > 1ms\" cannot be judged: bare.a-1.p99 needs at least 368 \
         samples, has 100"
    );
    assert_eq!(
        cause("hot.p50 > 1ms"),
        "the condition \"hot.p50 > 1ms\" cannot be judged: there is no series \"hot\", there are: \
         cold, bare.a-1"
    );
    assert!(cause("cold.figure.area > 1").contains("was not measured"));
    assert!(cause("bare.a-1.rate > 1").contains("took no time"));
    assert!(cause("bare.a-1.failed% > 1%").contains("has no requests"));
    assert!(cause("cold.count / bare.a-1.count > 1").contains("divides by zero"));
    assert!(cause("cold.phase.fork.p50 > 1ms").contains("has 0"));
    // What else is known decides.
    assert!(holds("hot.p50 > 1ms or cold.count > 1"));
    assert!(!holds("hot.p50 > 1ms and cold.count > 1000"));
    cause("hot.p50 > 1ms and cold.count > 1");
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}cold.count > 1{}", "(".repeat(600), ")".repeat(600));
    let fault = deep.parse::<Condition>().unwrap_err();
    assert_eq!(fault.message, "more than 32 parentheses within each other");
    let long = "cold.count > 1 and ".repeat(1000);
    let fault = long.parse::<Condition>().unwrap_err().to_string();
    assert_eq!(
        fault,
        "the condition has 19000 bytes, and at most 4096 are read"
    );
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,60}") {
        if let Err(fault) = text.parse::<Condition>() {
            prop_assert!(fault.to_string().contains('^'));
        }
    }

    /// Of the language's own words, so that more of it is reached.
    #[test]
    fn no_order_of_words_panics(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "cold.p99", "bare.a-1.failed%", "cold.phase.exec.max", "cold.total.mean", "hot.rate",
                "20ms", "3", "0", "1%", ">", "<=", "==", "!=", "+", "-", "*", "/", "(", ")", "and", "or",
            ]),
            0..12,
        )
    ) {
        if let Ok(condition) = words.join(" ").parse::<Condition>() {
            condition.check(&report()).ok();
        }
    }
}
