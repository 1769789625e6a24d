//! The reasons of `goal`.

use std::fmt;
use std::time::Duration;

/// The terms of the policy `goal`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoalWhy {
    /// The goal: at most one request in a hundred waits longer.
    pub wait: Duration,
    /// The share of requests that waited longer lately, in \[0, 1\].
    pub late_share: f64,
    /// How long a start takes on the average; none as long as that is not known.
    pub start: Option<Duration>,
    /// How long a request takes, its mean and mean deviation together; none as long as that is not
    /// known.
    pub service: Option<Duration>,
    /// The idle time of one instance that it is worth that a request is not late.
    pub price: Duration,
    /// Waiting requests for which running ones make room in time, so that they need no start.
    pub bearable: u32,
    /// Instances beyond those in use that are kept for what may come while one starts.
    pub spares: u32,
    /// How long the instance that is idle for the longest time may be so.
    pub idle: Duration,
}

impl fmt::Display for GoalWhy {
    /// Part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = 100.0 * self.late_share;
        write!(f, "{late:.2} % wait longer than {:?}", self.wait)?;
        match self.start {
            None => write!(f, ", a start was not seen yet")?,
            Some(start) => write!(f, ", a start takes {start:.1?}")?,
        }
        if self.bearable > 0 {
            write!(f, ", {} waiting get a slot in time", self.bearable)?;
        }
        if !self.price.is_zero() {
            let price = self.price;
            write!(f, ", a late request counts as {price:.1?} of idling")?;
        }
        if self.spares > 0 {
            write!(f, ", so {} more are kept than are in use", self.spares)?;
        }
        write!(f, ", an idle one stays {:.1?}", self.idle)
    }
}
