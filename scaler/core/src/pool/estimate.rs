//! How long a request will have to wait, from what was measured.

use std::time::Duration;

use crate::pool::fleet::Fleet;
use crate::pool::{InstanceState, Phase, Pool};
use crate::time::seconds;
use crate::{Admission, Effect, Effects, RejectCause, Timestamp, WaiterId};

/// The newest sample weighs at least one part in this many.
const MEMORY: u32 = 32;
/// Service times that must have been seen before anything is refused for them.
const ENOUGH_SERVICES: u32 = 8;
/// The same for start times, which are rarer.
const ENOUGH_STARTS: u32 = 3;

/// The times that a pool has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Learned {
    /// From the grant of a slot to its return.
    pub service: Moments,
    /// From the effect that asks for an instance to its readiness.
    pub start: Moments,
}

/// Mean and mean deviation, in seconds, exponentially weighted as in RFC 6298 section 2:
///
/// `deviation += (|sample - mean| - deviation) * weight`, then `mean += (sample - mean) * weight`.
///
/// The weight is `1 / n` for the `n`th sample, at least `1 / 32`: a plain average at first, which
/// forgets later.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// Samples so far, 32 for more.
    pub count: u32,
    /// The mean.
    pub mean: f64,
    /// The mean deviation.
    pub deviation: f64,
}

/// The wait that a request has before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wait {
    pub(super) expected: Duration,
    /// How much less it may well be.
    pub(super) margin: Duration,
}

impl Moments {
    /// Takes one sample in.
    pub(crate) fn learn(&mut self, sample: Duration) {
        let sample = sample.as_secs_f64();
        self.count = (self.count + 1).min(MEMORY);
        let weight = 1.0 / f64::from(self.count);
        if self.count > 1 {
            self.deviation += ((sample - self.mean).abs() - self.deviation) * weight;
        }
        self.mean += (sample - self.mean) * weight;
    }

    /// The same as another pool knows it; nothing if that is not what times can be.
    pub(crate) fn checked(self) -> Self {
        let is_time = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        match is_time(self.mean) && is_time(self.deviation) {
            true => Moments {
                count: self.count.min(MEMORY),
                ..self
            },
            false => Moments::default(),
        }
    }

    fn after(&self, enough: u32) -> Option<Self> {
        (self.count >= enough).then_some(*self)
    }
}

/// Slots that open: some at once, more as requests end, and those of instances on their way.
///
/// By time `t`, `slots * t / service` slots have opened on ready instances (Little's law with every
/// slot in use), and on each instance that comes at `r`, its slots at once and then
/// `slots * (t - r) / service`. The wait of the `place`th in the queue is the `t` at which that
/// reaches `place`.
struct Openings {
    /// Usable on ready instances.
    slots: f64,
    service: Option<Moments>,
    /// In seconds from now and slots; ascending.
    coming: Vec<(f64, f64)>,
}

impl Openings {
    /// In seconds; none if that depends on what was not measured yet.
    fn reach(&self, place: f64) -> Option<f64> {
        // A service time of zero would make every rate infinite.
        let mean = self.service.map(|service| service.mean.max(1e-9));
        let rate = |slots: f64| mean.map(|mean| slots / mean);
        if self.slots > 0.0 {
            mean?;
        }
        let (mut time, mut open, mut slots) = (0.0, 0.0, self.slots);
        for &(at, more) in &self.coming {
            let gained = rate(slots).unwrap_or(0.0) * (at - time);
            if open + gained >= place {
                break;
            }
            (time, open, slots) = (at, open + gained + more, slots + more);
            if open >= place {
                return Some(time);
            }
        }
        let rate = rate(slots).filter(|rate| *rate > 0.0)?;
        Some(time + (place - open) / rate)
    }

    /// Half of what as many service times deviate together, spread over all slots.
    fn margin(&self, place: f64) -> f64 {
        let coming: f64 = self.coming.iter().map(|(_, slots)| slots).sum();
        let deviation = self.service.map_or(0.0, |service| service.deviation);
        0.5 * deviation * place.sqrt() / (self.slots + coming).max(1.0)
    }
}

impl Pool {
    /// The wait of the `place`th in the queue, from 1, if enough is known. It never knows more
    /// than was measured: without it there is no answer.
    pub(super) fn wait_of(&self, place: u32, now: Timestamp) -> Option<Wait> {
        let start = self.learned.start.after(ENOUGH_STARTS);
        let concurrency = f64::from(self.spec.concurrency);
        let mut coming = Vec::new();
        let count = self.fleet.count();
        if count.starting > 0 {
            let mean = start?.mean;
            let starting = self
                .fleet
                .iter()
                .filter(|(_, instance)| instance.state == InstanceState::Starting);
            coming.extend(starting.map(|(_, instance)| {
                let elapsed = now.since(instance.created).as_secs_f64();
                ((mean - elapsed).max(0.0), concurrency)
            }));
        }
        let room = self.ceiling().saturating_sub(self.fleet.live());
        if room > 0 {
            // All at once and as early as can be: better no refusal than a wrong one.
            let backoff = self.failures.backoff_until(now);
            let delay = backoff.map_or(0.0, |until| until.since(now).as_secs_f64());
            coming.push((start?.mean + delay, concurrency * f64::from(room)));
        }
        coming.sort_by(|one, other| one.0.total_cmp(&other.0));
        let openings = Openings {
            slots: f64::from(usable(&self.fleet)),
            service: self.learned.service.after(ENOUGH_SERVICES),
            coming,
        };
        let place = f64::from(place);
        let expected = openings.reach(place)?;
        let of_start = start.filter(|_| !openings.coming.is_empty());
        let margin = openings.margin(place) + of_start.map_or(0.0, |start| start.deviation);
        Some(Wait {
            expected: Duration::try_from_secs_f64(expected).ok()?,
            margin: Duration::try_from_secs_f64(margin).ok()?,
        })
    }

    /// What a request that came now would wait for a slot, as in
    /// [`PoolView::expected_wait`](crate::PoolView::expected_wait).
    pub fn expected_wait(&self, now: Timestamp) -> Option<Duration> {
        if self.fleet.has_free() {
            return Some(Duration::ZERO);
        }
        let wait = self.wait_of(self.waiters.len() + 1, now);
        wait.map(|wait| wait.expected)
    }

    /// Refuses the request that joined the queue just now if it would wait clearly too long.
    ///
    /// It comes after the policy was asked, so that a function whose every caller is in a hurry is
    /// started for them all the same: like one whose caller left, the request leaves its start
    /// behind.
    pub(super) fn admit(&mut self, id: WaiterId, effects: &mut Effects) {
        if self.spec.admission == Admission::Off || self.phase != Phase::Serving {
            return;
        }
        let Some(deadline) = self.waiters.deadline(id) else {
            return;
        };
        if self.comes_in_time(deadline) {
            return;
        }
        let Some(wait) = self.wait_of(self.waiters.len(), self.now) else {
            return;
        };
        let expected = wait.expected;
        if self.now + expected <= deadline + wait.margin {
            return;
        }
        self.waiters.remove(id);
        effects.push(Effect::Reject {
            waiter: id,
            cause: RejectCause::TooLate { expected },
        });
        if !self.spec.scale_down_delay.is_zero() {
            self.settle(false, effects);
        }
    }

    /// All that wait can have an instance of their own before `deadline`: then so does the last of
    /// them, whatever opens before. Most requests that wait are seen to here.
    fn comes_in_time(&self, deadline: Timestamp) -> bool {
        let room = self.ceiling().saturating_sub(self.fleet.live());
        let slots = u64::from(room) * u64::from(self.spec.concurrency);
        let backoff = self.failures.backoff_until(self.now);
        self.learned
            .start
            .after(ENOUGH_STARTS)
            .is_some_and(|start| {
                let from = backoff.unwrap_or(self.now).max(self.now);
                // A nanosecond for what rounding does.
                let latest = from + seconds(start.mean) + Duration::from_nanos(1);
                slots >= u64::from(self.waiters.len()) && latest <= deadline
            })
    }

    /// Instances that there may be once.
    fn ceiling(&self) -> u32 {
        match (self.phase, self.held) {
            (Phase::ShuttingDown, _) => 0,
            (Phase::Serving, Some(count)) => count.max(1).min(self.spec.max_scale),
            _ => self.spec.max_scale,
        }
    }
}

/// Slots of ready instances that may be given out.
fn usable(fleet: &Fleet) -> u32 {
    fleet
        .iter()
        .filter(|(_, instance)| instance.state == InstanceState::Ready)
        .map(|(_, instance)| instance.slots)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(seconds: f64) -> Option<Moments> {
        Some(Moments {
            count: MEMORY,
            mean: seconds,
            deviation: 0.0,
        })
    }

    #[test]
    fn moments_average_at_first_and_forget_later() {
        let mut moments = Moments::default();
        for millis in [100, 200, 300] {
            moments.learn(Duration::from_millis(millis));
        }
        assert!((moments.mean - 0.2).abs() < 1e-12);
        // |200 - 100| / 2 = 50, then 50 + (|300 - 150| - 50) / 3.
        assert!(
            (moments.deviation - 0.25 / 3.0).abs() < 1e-12,
            "{moments:?}"
        );
        for _ in 0..500 {
            moments.learn(Duration::from_secs(1));
        }
        assert!((moments.mean - 1.0).abs() < 1e-5 && moments.deviation < 1e-4);
    }

    #[test]
    fn the_place_in_the_queue_counts_in_openings() {
        let two = Openings {
            slots: 2.0,
            service: exact(0.5),
            coming: Vec::new(),
        };
        assert_eq!(two.reach(1.0), Some(0.25));
        assert_eq!(two.reach(10.0), Some(2.5));
        let one_more = Openings {
            coming: vec![(1.0, 2.0)],
            ..two
        };
        // Four open in the first second, two at its end, then eight a second.
        assert_eq!(one_more.reach(4.0), Some(1.0));
        assert_eq!(one_more.reach(6.0), Some(1.0));
        assert_eq!(one_more.reach(14.0), Some(2.0));
    }

    #[test]
    fn what_was_not_measured_gives_no_answer() {
        let cold = Openings {
            slots: 0.0,
            service: None,
            coming: vec![(2.0, 3.0)],
        };
        assert_eq!(cold.reach(3.0), Some(2.0));
        assert_eq!(cold.reach(4.0), None);
        let warm = Openings { slots: 1.0, ..cold };
        assert_eq!(warm.reach(1.0), None);
    }
}
