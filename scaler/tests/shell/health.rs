//! Instances that fail, and requests that are refused for they would wait too long.

use std::time::{Duration, Instant};

use stoker_core::{Admission, Health, ScaleSpec, Standing};
use stoker_scaler::AcquireError;

use crate::support::{NEVER, World, acquire, ask, at_once, spec, within};

#[tokio::test]
async fn failures_in_a_row_set_an_instance_aside_until_a_trial_succeeds() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 2,
        health: Health {
            failures: 2,
            ejection: Duration::from_millis(500),
            ..spec().health
        },
        ..spec()
    });
    let (one, two) = (ask(&function), ask(&function));
    for _ in 0..2 {
        world.start().await.succeed();
    }
    let (mut one, mut two) = (within(one).await.unwrap(), within(two).await.unwrap());
    one.answered();
    two.answered();
    let (good, bad) = (one.instance().id(), two.instance().id());
    drop((one, two));
    for _ in 0..2 {
        let mut lease = at_once(&function).unwrap();
        assert_eq!(lease.instance().id(), bad);
        lease.failed();
    }
    let kept = at_once(&function).unwrap();
    assert_eq!(kept.instance().id(), good);
    // It waits for the trial, which comes by itself.
    let mut trial = within(ask(&function)).await.unwrap();
    assert_eq!(trial.instance().id(), bad);
    trial.answered();
    drop(trial);
    let view = function.view().pool;
    assert!(
        view.instances
            .iter()
            .all(|it| it.standing == Standing::Good)
    );
    assert!(world.is_quiet().await);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_refused_at_once_with_its_length() {
    let mut world = World::new().await;
    let function = world.register(ScaleSpec {
        max_scale: 1,
        admission: Admission::Deadline,
        ..spec()
    });
    drop(world.proven(&function).await);
    for _ in 0..8 {
        let lease = at_once(&function).unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(lease);
    }
    let _busy = at_once(&function).unwrap();
    let mut asking = acquire(&function, Instant::now() + Duration::from_millis(20));
    let AcquireError::TooLate(expected) = within(&mut asking).await.unwrap_err() else {
        panic!("it was let in");
    };
    // Eight of them at 300 ms, and two before that took no time.
    assert!(expected >= Duration::from_millis(60), "{expected:?}");
    assert_eq!(function.view().pool.waiting, 0);
    // A patient one waits, and the next one is told of it.
    let _patient = ask(&function);
    let known = function.expected_wait().unwrap();
    assert!(known > expected && known < NEVER, "{known:?}");
}
