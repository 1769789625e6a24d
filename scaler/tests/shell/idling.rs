//! Many functions that nobody calls.

use std::sync::Arc;
use std::time::Duration;

use stoker_core::ScaleSpec;
use tokio::runtime::{Builder, Handle};

use crate::allocation::held;
use crate::support::{Function, World, ask, launch, settle, spec};

const FUNCTIONS: usize = 10_000;

/// What a function that was never called may cost, with the window of the default settings.
const BOUND: usize = 2880;

/// A runtime on which a timer that is armed is a panic of the task that waits for it.
fn without_time() -> tokio::runtime::Runtime {
    Builder::new_current_thread().build().unwrap()
}

async fn tasks() -> usize {
    settle().await;
    Handle::current().metrics().num_alive_tasks()
}

#[test]
fn ten_thousand_idle_functions_arm_no_timer_and_cost_little() {
    without_time().block_on(async {
        let mut world = World::new().await;
        assert_eq!(
            tasks().await,
            4,
            "for exits, for the timer, for starts and for the record"
        );
        // The name and the command line are those of a function of a configuration.
        let names: Vec<_> = (0..FUNCTIONS).map(|n| format!("function-{n}")).collect();
        let before = held();
        let functions: Vec<Arc<Function>> = names
            .iter()
            .map(|name| world.scaler.register(launch(name, "one"), spec()))
            .collect();
        let each = (held() - before) as usize / FUNCTIONS;
        println!("an idle function costs {each} bytes");
        assert!(each <= BOUND, "{each} bytes for an idle function");
        assert_eq!(tasks().await, 4, "no timer was armed");
        assert!(world.is_quiet().await);

        for function in functions {
            function.retire();
        }
        let left = (held() - before) as usize / FUNCTIONS;
        println!("a retired one leaves {left} bytes behind");
        assert!(left < 64, "{left} bytes of each remain");
    });
}

#[test]
fn a_timer_that_is_armed_would_have_been_seen() {
    without_time().block_on(async {
        let world = World::new().await;
        let function = world.register(spec());
        let _asking = ask(&function);
        settle().await;
        // The task of the start is there, and that of the timer is not.
        assert_eq!(tasks().await, 4);
        drop(world.calls);
        assert_eq!(tasks().await, 3);
    });
}

#[test]
fn a_window_of_an_hour_costs_what_it_must() {
    without_time().block_on(async {
        let world = World::new().await;
        let before = held();
        let function = world.register(ScaleSpec {
            stable_window: Duration::from_secs(3600),
            ..spec()
        });
        let cost = (held() - before) as usize;
        println!("an idle function with a window of an hour costs {cost} bytes");
        assert!(cost <= BOUND + 3600 * 8);
        drop(function);
    });
}
