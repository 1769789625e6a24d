//! When requests are due, decided before any is sent.

use std::sync::Arc;
use std::time::Duration;

use stoker_traces::random::Random;

/// When requests are due.
#[derive(Clone, Debug)]
pub(crate) enum Schedule {
    /// At a rate, whatever becomes of earlier ones: an open loop.
    Open {
        /// Requests per second, above 0.
        rate: f64,
        /// Since the beginning; none is due at or after it.
        duration: Duration,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// So many at the beginning.
    AtOnce(u64),
    /// Each as soon as an earlier one is done: a closed loop, ended by whichever comes first.
    Closed {
        /// So many in all.
        count: Option<u64>,
        /// None begins after it.
        duration: Option<Duration>,
    },
    /// At these times, ascending, each a request of this number.
    Listed(Arc<[(Duration, usize)]>),
}

/// How arrivals at a rate are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arrivals {
    /// At equal distances.
    Constant,
    /// As independent callers would come: exponential distances, the same for the same seed.
    Poisson {
        /// Of the distances.
        seed: u64,
    },
}

/// One request to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Since the beginning; none if it is due as soon as there is room.
    pub(crate) at: Option<Duration>,
    /// Which of the requests; counted round by who sends them.
    pub(crate) index: usize,
}

impl Schedule {
    /// All arrivals, in order. Computed on the way, so that a run of hours needs no memory.
    pub(crate) fn arrivals(&self) -> Box<dyn Iterator<Item = Arrival> + Send> {
        match self.clone() {
            Schedule::Open {
                rate,
                duration,
                arrivals,
            } => {
                let times = times(rate, arrivals).take_while(move |at| *at < duration);
                Box::new(times.enumerate().map(|(index, at)| Arrival {
                    at: Some(at),
                    index,
                }))
            }
            Schedule::AtOnce(count) => Box::new((0..count).map(|index| Arrival {
                at: Some(Duration::ZERO),
                index: index as usize,
            })),
            Schedule::Closed { count, .. } => {
                let count = count.unwrap_or(u64::MAX);
                Box::new((0..count).map(|index| Arrival {
                    at: None,
                    index: index as usize,
                }))
            }
            Schedule::Listed(list) => Box::new((0..list.len()).map(move |place| Arrival {
                at: Some(list[place].0),
                index: list[place].1,
            })),
        }
    }

    /// No request of a closed loop begins after it.
    pub(crate) fn limit(&self) -> Option<Duration> {
        match self {
            Schedule::Closed { duration, .. } => *duration,
            _ => None,
        }
    }

    /// About how long it takes, if that is known before.
    pub(crate) fn expected(&self) -> Option<Duration> {
        match self {
            Schedule::Open { duration, .. } => Some(*duration),
            Schedule::Closed { duration, .. } => *duration,
            Schedule::AtOnce(_) => None,
            Schedule::Listed(list) => list.last().map(|(at, _)| *at),
        }
    }
}

/// Times without end.
fn times(rate: f64, arrivals: Arrivals) -> Box<dyn Iterator<Item = Duration> + Send> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    match arrivals {
        // Multiplied, not added up: errors of rounding would become a drift.
        Arrivals::Constant => Box::new((0_u64..).map(move |index| seconds(index as f64 / rate))),
        Arrivals::Poisson { seed } => {
            let mut random = Random::new(seed);
            let mut at = 0.0;
            Box::new(std::iter::repeat_with(move || {
                at += random.exponential() / rate;
                seconds(at)
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(rate: f64, seconds: u64, arrivals: Arrivals) -> Vec<Duration> {
        let duration = Duration::from_secs(seconds);
        let schedule = Schedule::Open {
            rate,
            duration,
            arrivals,
        };
        schedule
            .arrivals()
            .map(|arrival| arrival.at.expect("it is due at a time"))
            .collect()
    }

    #[test]
    fn constant_arrivals_do_not_drift() {
        let times = open(3.0, 1000, Arrivals::Constant);
        assert_eq!(times.len(), 3000);
        assert_eq!(times[0], Duration::ZERO);
        assert_eq!(times[1].as_millis(), 333);
        assert_eq!(times[2997], Duration::from_secs(999));
    }

    #[test]
    fn poisson_arrivals_are_the_same_for_the_same_seed() {
        let seeded = |seed| open(100.0, 1000, Arrivals::Poisson { seed });
        let times = seeded(1);
        assert_eq!(times, seeded(1));
        assert_ne!(times, seeded(2));
        assert!(times.is_sorted());
        // 100,000 expected, 316 is one standard deviation.
        assert!(times.len().abs_diff(100_000) < 1500, "{}", times.len());
        // As many distances above the mean as an exponential distribution has: one in e.
        let long = times
            .windows(2)
            .filter(|pair| pair[1] - pair[0] > Duration::from_millis(10))
            .count();
        let share = long as f64 / times.len() as f64;
        assert!((share - (-1.0_f64).exp()).abs() < 0.01, "{share}");
    }

    #[test]
    fn counts_are_exact() {
        assert_eq!(Schedule::AtOnce(7).arrivals().count(), 7);
        let closed = Schedule::Closed {
            count: Some(5),
            duration: None,
        };
        let indices: Vec<usize> = closed.arrivals().map(|arrival| arrival.index).collect();
        assert_eq!(indices, [0, 1, 2, 3, 4]);
    }
}
