//! The load generator and cold-start bench behind `stoker bench`.
//!
//! It measures any URL; what it measures is a [`Report`], which everything that people look at
//! (table, CSV, page, comparison, conditions) is made of.

mod admin;
mod breakdown;
pub mod cli;
mod client;
pub mod compare;
pub mod conditions;
mod drift;
mod histogram;
mod intervals;
mod load;
pub mod machine;
mod mode;
pub mod output;
pub mod report;
mod request;
mod run;
mod samples;
mod schedule;
pub mod statistics;
mod stop;
mod target;
mod timeline;

pub use histogram::Histogram;
pub use report::Report;
