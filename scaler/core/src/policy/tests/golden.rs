//! `kpa` by hand: each row's arithmetic is in its comment.

use super::*;
use crate::{Clamp, Mode, Panic, Policy, PolicyState, RollingMax, ScaleSpec, decide};

/// Concurrency 10 at 70 %: seven requests per instance. Down by half, up a thousandfold, panic at
/// twice the ready instances. To zero after 60 s + 30 s.
fn spec() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::Kpa,
        concurrency: 10,
        target: 10.0,
        max_scale: 1_000,
        ..crate::testing::spec()
    }
}

/// After earlier decisions, in stable mode.
fn running() -> PolicyState {
    PolicyState {
        decided: true,
        initial_reached: true,
        ..PolicyState::default()
    }
}

/// In panic with eight instances wanted, the threshold last reached that many seconds ago.
fn panicking(seconds: u64) -> PolicyState {
    let last_breach = now() - Duration::from_secs(seconds);
    PolicyState {
        panic: Some(Panic {
            last_breach,
            peak: 8,
        }),
        ..running()
    }
}

fn idle(seconds: u64, ready: u32) -> Observations {
    let last_active = now() - Duration::from_secs(seconds);
    Observations {
        last_active,
        ..observed(0.0, 0.0, ready)
    }
}

fn without_data(ready: u32, starting: u32, queued: u32) -> Observations {
    Observations {
        load: None,
        starting,
        queued,
        ..observed(0.0, 0.0, ready)
    }
}

#[track_caller]
fn row(spec: ScaleSpec, prior: PolicyState, obs: Observations, expected: (u32, Mode, Clamp)) {
    let decision = decide(&spec, prior.clone(), &obs, now());
    let found = (decision.desired, decision.mode, decision.why.clamp);
    assert_eq!(found, expected, "{}", decision.why);
}

use Mode::{Panic as P, Stable as S};

#[test]
fn the_load_over_the_target() {
    // ceil(0.5 / 7) = 1.
    row(
        spec(),
        running(),
        observed(0.5, 0.5, 1),
        (1, S, Clamp::None),
    );
    // ceil(7 / 7) = 1.
    row(
        spec(),
        running(),
        observed(7.0, 7.0, 1),
        (1, S, Clamp::None),
    );
    // ceil(20.9 / 7) = ceil(2.99) = 3; 3 / 3 is no panic.
    row(
        spec(),
        running(),
        observed(20.9, 20.9, 3),
        (3, S, Clamp::None),
    );
    // ceil(21.1 / 7) = ceil(3.01) = 4; 4 / 3 is no panic.
    row(
        spec(),
        running(),
        observed(21.1, 21.1, 3),
        (4, S, Clamp::None),
    );
    // The target is never below 0.01: ceil(0.045 / 0.01) = 5, and 5 / 3 is no panic.
    let tiny = ScaleSpec {
        target: 0.001,
        ..spec()
    };
    row(
        tiny,
        running(),
        observed(0.045, 0.045, 3),
        (5, S, Clamp::None),
    );
}

#[test]
fn panic_begins_at_twice_the_ready_instances() {
    // ceil(63 / 7) = 9; 9 / 5 = 1.8, so ceil(35 / 7) = 5 counts.
    row(
        spec(),
        running(),
        observed(35.0, 63.0, 5),
        (5, S, Clamp::None),
    );
    // ceil(63.1 / 7) = 10; 10 / 5 = 2.
    row(
        spec(),
        running(),
        observed(35.0, 63.1, 5),
        (10, P, Clamp::None),
    );
    // ceil(8 / 7) = 2; 2 / 1 = 2.
    row(
        spec(),
        running(),
        observed(8.0, 8.0, 1),
        (2, P, Clamp::None),
    );
    // From none: R = 1, ceil(700 / 7) = 100.
    row(
        spec(),
        running(),
        observed(700.0, 700.0, 0),
        (100, P, Clamp::None),
    );
    // The stable load may be the larger one: ceil(70 / 7) = 10 over ceil(28 / 7) = 4, R = 2.
    row(
        spec(),
        running(),
        observed(70.0, 28.0, 2),
        (10, P, Clamp::None),
    );
}

#[test]
fn panic_holds_its_peak_for_a_stable_window() {
    // ceil(14 / 7) = 2, at least floor(8 / 2) = 4, but 8 were wanted.
    row(
        spec(),
        panicking(10),
        observed(14.0, 14.0, 8),
        (8, P, Clamp::PanicHold),
    );
    row(
        spec(),
        panicking(60),
        observed(14.0, 14.0, 8),
        (8, P, Clamp::PanicHold),
    );
    row(
        spec(),
        panicking(61),
        observed(14.0, 14.0, 8),
        (4, S, Clamp::MaxDownRate),
    );
    // ceil(77 / 7) = 11 is more than the peak.
    row(
        spec(),
        panicking(10),
        observed(77.0, 77.0, 8),
        (11, P, Clamp::None),
    );
    // The breach is over for 100 s but there is a new one: 16 / 8 = 2.
    row(
        spec(),
        panicking(100),
        observed(7.0, 112.0, 8),
        (16, P, Clamp::None),
    );
}

#[test]
fn a_restart_begins_in_panic_with_what_there_is() {
    let fresh = PolicyState::default;
    row(
        spec(),
        fresh(),
        observed(0.0, 0.0, 3),
        (3, P, Clamp::PanicHold),
    );
    // One instance is no reason.
    row(spec(), fresh(), observed(1.0, 1.0, 1), (1, S, Clamp::None));
}

#[test]
fn the_rate_of_change_is_bounded() {
    // ceil(7 / 7) = 1, at least floor(10 / 2) = 5.
    row(
        spec(),
        running(),
        observed(7.0, 7.0, 10),
        (5, S, Clamp::MaxDownRate),
    );
    // floor(9 / 2) = 4.
    row(
        spec(),
        running(),
        observed(7.0, 7.0, 9),
        (4, S, Clamp::MaxDownRate),
    );
    // ceil(70 / 7) = 10, at most ceil(2 * 3) = 6; 10 / 3 is panic.
    let slow = ScaleSpec {
        max_scale_up_rate: 2.0,
        ..spec()
    };
    row(
        slow,
        running(),
        observed(70.0, 70.0, 3),
        (6, P, Clamp::MaxUpRate),
    );
    // ceil(21 / 7) = 3, at most ceil(1.1 * 2) = 3; 3 / 2 is no panic.
    let crawling = ScaleSpec {
        max_scale_up_rate: 1.1,
        ..spec()
    };
    row(
        crawling,
        running(),
        observed(21.0, 21.0, 2),
        (3, S, Clamp::None),
    );
}

#[test]
fn the_last_instance_waits_for_window_and_grace() {
    row(
        spec(),
        running(),
        idle(89, 1),
        (1, S, Clamp::ScaleToZeroGrace),
    );
    row(spec(), running(), idle(90, 1), (0, S, Clamp::None));
    // floor(5 / 2) = 2 first.
    row(spec(), running(), idle(90, 5), (2, S, Clamp::MaxDownRate));
    // Nothing is started only to wait.
    row(spec(), running(), idle(10, 0), (0, S, Clamp::None));
    // max(30, 100) s of retention.
    let kept = || ScaleSpec {
        scale_to_zero_retention: Duration::from_secs(100),
        ..spec()
    };
    row(
        kept(),
        running(),
        idle(159, 1),
        (1, S, Clamp::ScaleToZeroGrace),
    );
    row(kept(), running(), idle(160, 1), (0, S, Clamp::None));
}

#[test]
fn the_scale_is_bounded() {
    // ceil(7 / 7) = 1, floor(3 / 2) = 1.
    let kept = ScaleSpec {
        min_scale: 3,
        ..spec()
    };
    row(kept, running(), observed(7.0, 7.0, 3), (3, S, Clamp::Min));
    // ceil(70 / 7) = 10; 10 / 4 is panic.
    let small = ScaleSpec {
        max_scale: 4,
        ..spec()
    };
    row(
        small,
        running(),
        observed(70.0, 70.0, 4),
        (4, P, Clamp::Max),
    );
    // Three at the start, until they were ready once.
    let initial = || ScaleSpec {
        initial_scale: 3,
        ..spec()
    };
    row(
        initial(),
        PolicyState::default(),
        idle(0, 0),
        (3, S, Clamp::Initial),
    );
    row(initial(), running(), idle(0, 0), (0, S, Clamp::None));
}

#[test]
fn activation_raises_what_is_not_zero() {
    let wide = || ScaleSpec {
        activation_scale: 5,
        ..spec()
    };
    row(
        wide(),
        running(),
        observed(7.0, 7.0, 1),
        (5, S, Clamp::ActivationScale),
    );
    row(wide(), running(), idle(90, 1), (0, S, Clamp::None));
    // A request that came just now has no weight in the averages.
    let arrived = Observations {
        queued: 1,
        ..observed(0.0, 0.0, 0)
    };
    row(spec(), running(), arrived, (1, S, Clamp::ActivationScale));
}

#[test]
fn without_data_it_holds() {
    row(
        spec(),
        running(),
        without_data(3, 1, 0),
        (4, S, Clamp::NoData),
    );
    row(
        spec(),
        running(),
        without_data(0, 0, 0),
        (0, S, Clamp::NoData),
    );
    row(
        spec(),
        running(),
        without_data(0, 0, 1),
        (1, S, Clamp::ActivationScale),
    );
    row(
        spec(),
        panicking(10),
        without_data(3, 0, 0),
        (8, P, Clamp::PanicHold),
    );
}

#[test]
fn less_must_be_wanted_for_the_delay() {
    let delayed = ScaleSpec {
        scale_down_delay: Duration::from_secs(10),
        ..spec()
    };
    let wanted = |seconds: u64| {
        let mut wanted = RollingMax::default();
        wanted.record(
            6,
            Duration::from_secs(10),
            now() - Duration::from_secs(seconds),
        );
        PolicyState {
            wanted,
            ..running()
        }
    };
    // ceil(7 / 7) = 1, but 6 within the last 10 s.
    row(
        delayed.clone(),
        wanted(9),
        observed(7.0, 7.0, 2),
        (6, S, Clamp::ScaleDownDelay),
    );
    row(
        delayed,
        wanted(10),
        observed(7.0, 7.0, 2),
        (1, S, Clamp::None),
    );
}
