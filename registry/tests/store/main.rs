//! The store as its users see it.

#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;
mod files;
mod key;
mod life;
mod model;
mod rows;
