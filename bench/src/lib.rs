//! The load generator and cold-start bench behind `stoker bench`.
//!
//! It measures any URL; what it measures is a [`Report`], which everything that people look at
//! (table, CSV, page, comparison, conditions) is made of.

mod histogram;
pub mod report;

pub use histogram::Histogram;
pub use report::Report;
