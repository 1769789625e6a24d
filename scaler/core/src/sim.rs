//! A deterministic simulator: the same [`Pool`](crate::Pool) and the same policies as in the
//! runtime, with virtual time and a simulated shell.
//!
//! A [`Scenario`] says what arrives and how the world behaves, a seed settles every chance, and
//! [`run`] plays it to its end: until the revision is retired, every request answered and every
//! instance gone. Equal scenarios and seeds give equal reports, down to the digest of all effects.

mod faults;
mod load;
mod random;
mod report;
mod scenario;
mod world;

pub use faults::Faults;
pub use load::{Arrival, burst, poisson};
pub use random::{Random, Spread};
pub use report::{Defect, Report};
pub use scenario::Scenario;

/// Plays a scenario to its end.
///
/// An error is a defect of the core: a broken invariant, a request answered twice or out of turn,
/// or a pool that does not come to its end.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Report, Defect> {
    world::World::new(scenario, seed).run()
}

#[cfg(test)]
mod tests;
