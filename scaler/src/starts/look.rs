//! What a look at the queue leaves to be done.

use std::time::Instant;

/// What is left to be done after the queue was looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// When to look again though nothing happened.
    pub(crate) at: Option<Instant>,
    /// The first function that waits for memory which others may be asked to leave.
    pub(crate) short: Option<u32>,
}
