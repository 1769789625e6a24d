//! The reasons of `goal`.

use std::fmt;
use std::time::Duration;

use crate::time::seconds;

/// The terms of the policy `goal`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoalWhy {
    /// The goal: at most one request in a hundred waits longer.
    pub wait: Duration,
    /// The share of requests that waited longer lately, in \[0, 1\].
    pub late_share: f64,
    /// How long a start takes on the average, in seconds; none as long as that is not known.
    pub start_s: Option<f64>,
    /// How long a request takes, its mean and mean deviation together, in seconds; none as long as
    /// that is not known.
    pub service_s: Option<f64>,
    /// The idle time of one instance that it is worth that a request is not late, in seconds.
    pub price_s: f64,
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
        match self.start_s.map(seconds) {
            None => write!(f, ", a start was not seen yet")?,
            Some(start) => write!(f, ", a start takes {start:.1?}")?,
        }
        if self.bearable > 0 {
            write!(f, ", {} waiting get a slot in time", self.bearable)?;
        }
        let price = seconds(self.price_s);
        if !price.is_zero() {
            write!(f, ", a late request counts as {price:.1?} of idling")?;
        }
        if self.spares > 0 {
            write!(f, ", so {} more are kept than are in use", self.spares)?;
        }
        write!(f, ", an idle one stays {:.1?}", self.idle)
    }
}
