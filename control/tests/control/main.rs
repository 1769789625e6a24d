//! The admin API over real sockets, with instances that are no processes.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod api;
mod cli;
mod driver;
mod keys;
mod leaving;
mod listeners;
mod logs;
mod operate;
mod reload;
mod roles;
mod tree;
mod world;
