//! What the policy `goal` knows of one function.

use std::time::Duration;

use crate::policy::learn::levels::{Hold, Level, Levels};
use crate::policy::learn::price::{Fault, Price};
use crate::policy::learn::rise::Rise;
use crate::policy::learn::usage::Usage;
use crate::time::seconds;
use crate::{Moments, ScaleSpec, Timestamp};

/// Seconds of idling that no late request is worth more than.
const DEAREST: f64 = 3600.0;
/// A start is counted on to be over after its mean and so many mean deviations, as a round trip in
/// RFC 6298.
const CAUTION: f64 = 4.0;
/// Levels whose regular times are made use of.
const REGULAR_LEVELS: u32 = 8;
/// Arrivals over which the time between them is averaged.
pub(super) const ARRIVALS: u32 = 1024;
/// Waits over which it is told how many of them need a start.
const WAITS: f64 = 256.0;

/// Everything that `goal` has learned. Bounded; an event costs a bounded time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::policy) struct Demand {
    pub(super) concurrency: u32,
    /// The goal: longer waits are late.
    pub(super) wait: Duration,
    /// Seconds of idling that a second of starting is worth.
    pub(super) start_price: f64,
    pub(super) start: Moments,
    /// What follows from the mean of `start`, which changes more rarely than it is asked for.
    pub(super) starting: Starting,
    pub(super) service: Moments,
    /// Seconds between two arrivals, over so many that their average does not follow a burst: late
    /// requests come in bursts, and would count less than others.
    pub(super) gap: f64,
    pub(super) arrivals: u32,
    pub(super) arrived: Option<Timestamp>,
    pub(super) levels: Levels,
    /// When more instances were needed than ever before.
    pub(super) peaked: Timestamp,
    pub(super) rise: Rise,
    pub(super) price: Price,
    /// Requests that waited, and starts where there were instances.
    pub(super) waits: f64,
    pub(super) starts: f64,
    pub(super) usage: Usage,
}

/// What follows from how long starts take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Starting {
    /// The mean.
    time: Duration,
    /// The largest power of e by which the price of a late request may rise.
    limit: f64,
}

/// What things are worth now, in seconds for which one instance idles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::policy) struct Worth {
    /// A start.
    start: f64,
    /// The same where instances run, for there not all that wait need a start.
    further_start: f64,
    /// That a request is not late.
    pub(in crate::policy) delay: f64,
    /// The same as far as it is for idle instances to see to it, and not for spares.
    idle_delay: f64,
}

/// Which instances are wanted though no request needs them yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::policy) struct Foretold {
    pub(in crate::policy) instances: u32,
    /// When that changes if nothing happens.
    pub(in crate::policy) until: Option<Timestamp>,
}

/// What is learned, event by event.
impl Demand {
    /// Nothing learned yet.
    pub(super) fn new(spec: &ScaleSpec) -> Self {
        let mut demand = Demand::default();
        demand.adapt(spec);
        demand
    }

    /// Takes over the settings that matter to what is learned.
    pub(super) fn adapt(&mut self, spec: &ScaleSpec) {
        self.concurrency = spec.concurrency;
        self.wait = spec.wait_p99;
        self.start_price = spec.start_price;
        self.learn_starting();
    }

    pub(super) fn arrived(&mut self, now: Timestamp) {
        if let Some(last) = self.arrived.replace(now) {
            self.arrivals = (self.arrivals + 1).min(ARRIVALS);
            let gap = now.since(last).as_secs_f64();
            self.gap += (gap - self.gap) / f64::from(self.arrivals);
        }
    }

    pub(super) fn granted(&mut self, waited: Duration, now: Timestamp) {
        let fault = match now - waited <= self.peaked {
            true => Fault::Nobodys,
            false => Fault::Ours,
        };
        let lag = match self.gap > 0.0 {
            true => self.start.mean / self.gap,
            false => 0.0,
        };
        let late = waited > self.wait;
        let limit = self.starting.limit;
        self.price.note(late.then_some(fault), lag, limit);
        if !waited.is_zero() {
            if self.waits >= WAITS {
                self.waits /= 2.0;
                self.starts /= 2.0;
            }
            self.waits += 1.0;
        }
    }

    pub(super) fn served(&mut self, service: Duration) {
        self.service.learn(service);
    }

    pub(super) fn started(&mut self, took: Duration) {
        self.start.learn(took);
        self.learn_starting();
        if self.usage.instances() > 1 {
            self.starts += 1.0;
        }
    }

    pub(super) fn changed(&mut self, level: u32, now: Timestamp) {
        let instances = level.div_ceil(self.concurrency.max(1));
        self.usage.use_instances(instances, now);
        if self.levels.change(instances, now) {
            self.peaked = now;
        }
        self.rise.change(instances, self.starting.time, now);
    }

    /// Brings what follows from the start time in line with it.
    pub(super) fn learn_starting(&mut self) {
        let cost = self.start_price * self.start.mean;
        self.starting = Starting {
            time: seconds(self.start.mean),
            limit: (DEAREST / cost.max(1e-6)).ln(),
        };
    }

    /// From now on there are so many instances.
    pub(in crate::policy) fn account(&mut self, instances: u32, now: Timestamp) {
        self.usage.have_instances(instances, now);
    }
}

/// What follows from it.
impl Demand {
    /// How long a start takes on the average, in seconds; none as long as that is not known.
    pub(in crate::policy) fn start(&self) -> Option<f64> {
        (self.start.count > 0).then_some(self.start.mean)
    }

    /// How long a start takes at most, nearly always.
    pub(in crate::policy) fn longest_start(&self) -> f64 {
        self.start.mean + CAUTION * self.start.deviation
    }

    /// How long a request takes, on the cautious side; none as long as that is not known.
    pub(in crate::policy) fn service(&self) -> Option<f64> {
        let known = self.service.count > 0;
        known.then_some(self.service.mean + self.service.deviation)
    }

    /// The share of requests that were late lately.
    pub(in crate::policy) fn late_share(&self) -> f64 {
        self.price.late_share()
    }

    pub(in crate::policy) fn worth(&self, spec: &ScaleSpec) -> Worth {
        let start = spec.start_price * self.start.mean * self.usage.thrift(spec);
        let needing = ((self.starts + 1.0) / (self.waits + 1.0)).min(1.0);
        let delay = start * (self.price.factor() - 1.0);
        Worth {
            start,
            further_start: start * needing,
            delay,
            idle_delay: if self.keeps_spares() { 0.0 } else { delay },
        }
    }

    /// How long the `instance`th instance may be idle, in seconds; zero if it goes at once, and
    /// comes back for what is foretold.
    pub(in crate::policy) fn idle_time(&self, instance: u32, worth: Worth) -> f64 {
        let hold = self.levels.hold(instance, worth.of(instance));
        if worth.delay > 0.0
            && let Some(level) = self.levels.unused(instance, REGULAR_LEVELS)
            && self.window(level, || hold, worth).is_some()
        {
            return 0.0;
        }
        hold.idle
    }

    /// Instances for what is foretold. Without a price for delays there are none: a start that
    /// comes early saves nothing else.
    pub(in crate::policy) fn foretold(&self, worth: Worth, now: Timestamp) -> Foretold {
        let mut foretold = Foretold::default();
        if worth.delay <= 0.0 {
            return foretold;
        }
        for number in 1..=REGULAR_LEVELS {
            let Some(level) = self.levels.unused(number, REGULAR_LEVELS) else {
                continue;
            };
            let hold = || level.hold(worth.of(number));
            let Some((from, to)) = self.window(level, hold, worth) else {
                continue;
            };
            let (from, to) = (level.rose + seconds(from), level.rose + seconds(to));
            let next = if now < from {
                from
            } else if now < to {
                foretold.instances = number;
                to
            } else {
                continue;
            };
            foretold.until = Some(foretold.until.map_or(next, |until| until.min(next)));
        }
        foretold
    }

    /// When the level's instance is to be started ahead, and until when it is waited for, in
    /// seconds since its last use; none if that costs more than to keep it or to let it come late.
    fn window(
        &self,
        level: &Level,
        hold: impl FnOnce() -> Hold,
        worth: Worth,
    ) -> Option<(f64, f64)> {
        let next = level.rhythm.expected()?;
        let from = (next.earliest - self.longest_start()).max(0.0);
        let missed = next.miss * (worth.start + worth.delay);
        let cost = (next.mean - from) + worth.start + missed;
        (cost < hold().cost).then_some((from, next.latest))
    }

    /// Spares pay only where a start is shorter than a request: for else the load has forgotten its
    /// present value until the start is over, and what was in use before tells more.
    fn keeps_spares(&self) -> bool {
        self.start.mean < self.service.mean
    }

    /// Instances beyond those in use that pay, if the function is `empty` for so long now: then they
    /// do only as long as an instance would be kept for the load that was.
    pub(in crate::policy) fn spares(&self, worth: Worth, empty: Duration, now: Timestamp) -> u32 {
        if worth.delay <= 0.0 || !self.keeps_spares() {
            return 0;
        }
        if !empty.is_zero() && empty.as_secs_f64() > self.idle_time(1, worth) {
            return 0;
        }
        self.rise.worthwhile(worth.delay, self.starting.time, now)
    }
}

impl Worth {
    /// That the `instance`th instance is there when it is needed.
    fn of(self, instance: u32) -> f64 {
        match instance {
            0 | 1 => self.start + self.delay,
            _ => self.further_start + self.idle_delay,
        }
    }
}
