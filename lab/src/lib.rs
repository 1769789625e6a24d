//! The policy lab: replays traces through the scaler's own core in virtual time.
//!
//! An [`Engine`] drives one [`stoker_core::Pool`] per function by the same events as the gateway
//! does, and carries out the effects as the gateway does: a start is followed by readiness after a
//! start time, a grant by a release after the service time, a stop by an exit, and starts pass the
//! same [gate](stoker_core::Gate). The core cannot tell
//! the difference, for nothing in it knows of simulation. Equal calls, settings and seeds give
//! equal [`Report`]s.
//!
//! What is not simulated: freezing and spares cost and save nothing, memory has no end, instances do
//! not fail, callers do not leave, and nobody intervenes.

#![forbid(unsafe_code)]

mod aim;
mod calls;
mod candidate;
mod chance;
pub mod cli;
mod engine;
mod function;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod make;
mod metric;
mod output;
mod report;
mod run;
mod sweep;
mod tally;
mod times;

pub use engine::{Engine, Progress, World};
pub use function::{Arrival, Setup};
pub use report::{FunctionReport, Report};
pub use times::Times;

use std::sync::Arc;

use stoker_core::ScaleSpec;

/// Replays the calls of one function, all at `at` or later than the one before, under `spec`.
///
/// Starts take what the calls say ([`Arrival::start`]), else a sample of `start_times`. This is for
/// callers that have no more to say; [`Engine`] takes many functions, streams and machines.
pub fn replay(
    spec: impl Into<Arc<ScaleSpec>>,
    arrivals: impl IntoIterator<Item = Arrival>,
    start_times: &Times,
    seed: u64,
) -> Report {
    let world = World {
        seed,
        ..World::default()
    };
    let mut engine = Engine::new(world);
    let setup = Setup {
        start: Arc::new(start_times.clone()),
        ..Setup::new(spec.into())
    };
    let function = engine.add("function", setup);
    for arrival in arrivals {
        engine.feed(Arrival {
            function,
            ..arrival
        });
    }
    engine.finish()
}
