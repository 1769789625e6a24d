//! The crate from outside: trees of files in, a configuration or all errors out.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod access;
mod admin;
mod errors;
mod gateway;
mod isolation;
mod load;
mod manifest;
mod revision;
mod runtime;
mod scaling;
mod shadow;
mod speed;
mod telemetry;
mod tls;
mod tree;
