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
