//! Requests that arrive.

use std::time::Duration;

use crate::Timestamp;
use crate::sim::{Random, Spread};

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// When it comes.
    pub at: Timestamp,
    /// How long the function works on it.
    pub service: Duration,
    /// How long it waits for a slot.
    pub patience: Duration,
}

/// `count` requests at the same time.
pub fn burst(at: Timestamp, count: usize, service: Duration, patience: Duration) -> Vec<Arrival> {
    vec![
        Arrival {
            at,
            service,
            patience
        };
        count
    ]
}

/// Requests at random, `rate` per second on average, for `length` from `start`.
pub fn poisson(
    start: Timestamp,
    length: Duration,
    rate: f64,
    service: Spread,
    random: &mut Random,
) -> Vec<Arrival> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let mut arrivals = Vec::new();
    if rate <= 0.0 {
        return arrivals;
    }
    let gap = Spread::Exponential(Duration::from_secs_f64(1.0 / rate));
    let mut at = start + gap.sample(random);
    while at < start + length {
        arrivals.push(Arrival {
            at,
            service: service.sample(random),
            patience: PATIENCE,
        });
        at = at + gap.sample(random);
    }
    arrivals
}
