//! The shell round the core, with a driver that does what the test says.
//!
//! The clock is real: times are either an hour, so that they never come, or a few milliseconds that
//! a test waits out by waiting for what follows. Nothing sleeps in the hope that something happened.

#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

#[path = "shell/allocation.rs"]
mod allocation;
#[path = "shell/fake.rs"]
mod fake;
#[path = "shell/given.rs"]
mod given;
#[path = "shell/support.rs"]
mod support;

#[path = "shell/adopting.rs"]
mod adopting;
#[path = "shell/beginning.rs"]
mod beginning;
#[path = "shell/borrowing.rs"]
mod borrowing;
#[path = "shell/counting.rs"]
mod counting;
#[path = "shell/failing.rs"]
mod failing;
#[path = "shell/freezing.rs"]
mod freezing;
#[path = "shell/granting.rs"]
mod granting;
#[path = "shell/health.rs"]
mod health;
#[path = "shell/holding.rs"]
mod holding;
#[path = "shell/idling.rs"]
mod idling;
#[path = "shell/leaving.rs"]
mod leaving;
#[path = "shell/operating.rs"]
mod operating;
#[path = "shell/retiring.rs"]
mod retiring;
#[path = "shell/shutting_down.rs"]
mod shutting_down;
#[path = "shell/stopping.rs"]
mod stopping;
#[path = "shell/stress.rs"]
mod stress;
