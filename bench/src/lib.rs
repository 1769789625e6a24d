//! The load generator and cold-start bench behind `stoker bench`.
//!
//! It measures any URL; what it measures is a [`Report`], which everything that people look at
//! (table, CSV, page, comparison, conditions) is made of.

mod breakdown;
pub mod compare;
pub mod conditions;
mod histogram;
mod intervals;
pub mod machine;
pub mod output;
pub mod random;
pub mod report;
mod samples;
pub mod statistics;
pub mod text;
pub mod trace;

pub use histogram::Histogram;
pub use report::Report;
