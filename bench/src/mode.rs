//! What is measured, and how.

pub(crate) mod burst;
pub(crate) mod cold;
pub(crate) mod drain;
mod force;
pub(crate) mod replay;
pub(crate) mod soak;
pub(crate) mod step;
pub(crate) mod warm;

pub(crate) use force::{Force, Way};

/// The name of the series of cold requests beside another one.
fn cold_beside(name: &str) -> String {
    format!("{name}-cold")
}
