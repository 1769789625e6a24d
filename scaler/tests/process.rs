//! The process driver and the spawner with real programs.

#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

#[path = "process/support.rs"]
mod support;

#[path = "process/adopting.rs"]
mod adopting;
#[path = "process/beginning.rs"]
mod beginning;
#[path = "process/confining.rs"]
mod confining;
#[path = "process/ending.rs"]
mod ending;
#[path = "process/executing.rs"]
mod executing;
#[path = "process/freezing.rs"]
mod freezing;
#[path = "process/inheriting.rs"]
mod inheriting;
#[path = "process/isolating.rs"]
mod isolating;
#[path = "process/joining.rs"]
mod joining;
#[path = "process/limiting.rs"]
mod limiting;
#[path = "process/measuring.rs"]
mod measuring;
#[path = "process/preload.rs"]
mod preload;
#[path = "process/ready.rs"]
mod ready;
#[path = "process/spending.rs"]
mod spending;
#[path = "process/stubs.rs"]
mod stubs;
#[path = "process/succeeding.rs"]
mod succeeding;
#[path = "process/unprivileged.rs"]
mod unprivileged;
