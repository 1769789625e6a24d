//! The time of a revision's instances by what they did, and the memory that they had meanwhile.

use std::num::NonZeroU64;
use std::time::Duration;

use stoker_core::{Census, Timestamp};
use stoker_meter::{Counter, Meter};

/// How often at most what was summed up goes into the counters, unless somebody asks.
const PUBLISHED: Duration = Duration::from_millis(100);

const BUSY: usize = 1;
const IDLE: usize = 2;
const COUNTERS: [Counter; 4] = [
    Counter::StartingMicros,
    Counter::BusyMicros,
    Counter::IdleMicros,
    Counter::FrozenMicros,
];

/// Sums up, between two events of a pool, how many instances were in which condition for how long.
/// It lives beside the pool, under the same lock.
#[derive(Debug)]
pub(crate) struct Spans {
    /// The clock began at so many nanoseconds of CLOCK_MONOTONIC.
    origin_nanos: u64,
    /// By the settings; what an instance uses counts as reserved where they say nothing.
    reserved_kib: Option<NonZeroU64>,
    /// None until there is an instance: of very many functions most are never called.
    sums: Option<Box<Sums>>,
}

/// Of a function that has had an instance.
#[derive(Debug, Default)]
struct Sums {
    /// Up to when it has summed up.
    last: Timestamp,
    /// What holds since then.
    census: Census,
    /// Starting, busy, idle and frozen; nanoseconds that the counters do not have yet.
    nanos: [u64; 4],
    published: Timestamp,
    /// Of one instance, as measured last; zero while nobody knows.
    used_kib: u64,
    /// Microseconds of active and of idle instances whose memory is not known yet: reserved, and
    /// used.
    unweighed: [u64; 3],
    /// What is left of KiB times microseconds below whole milliseconds, for each of those.
    rests: [u64; 3],
}

impl Spans {
    /// Of no instances, each of which reserves so much. The clock began at so many nanoseconds of
    /// CLOCK_MONOTONIC.
    pub(crate) fn new(reserved_bytes: Option<u64>, origin_nanos: u64) -> Spans {
        let kib = reserved_bytes.map(|bytes| bytes.div_ceil(1024));
        Spans {
            origin_nanos,
            reserved_kib: kib.and_then(NonZeroU64::new),
            sums: None,
        }
    }

    /// From now on this holds. True if it is time to publish.
    pub(crate) fn note(&mut self, census: Census, now: Timestamp) -> bool {
        if self.sums.is_none() && census == Census::default() {
            return false;
        }
        let sums = self.sums(now);
        sums.pass(now);
        sums.census = census;
        now.since(sums.published) >= PUBLISHED
    }

    fn sums(&mut self, now: Timestamp) -> &mut Sums {
        self.sums.get_or_insert_with(|| {
            Box::new(Sums {
                last: now,
                published: now,
                ..Sums::default()
            })
        })
    }

    /// It is later.
    pub(crate) fn pass(&mut self, now: Timestamp) {
        if let Some(sums) = &mut self.sums {
            sums.pass(now);
        }
    }

    /// Sums up what holds as if it had held for so much longer.
    pub(crate) fn credit(&mut self, passed: Duration) {
        if let Some(sums) = &mut self.sums {
            sums.credit(passed);
        }
    }

    /// An instance was idle for so long when nobody counted.
    pub(crate) fn credit_idle(&mut self, passed: Duration, now: Timestamp) {
        let sums = self.sums(now);
        sums.nanos[IDLE] = sums.nanos[IDLE].saturating_add(nanos(passed));
    }

    /// There has been an instance.
    pub(crate) fn has_any(&self) -> bool {
        self.sums.is_some()
    }

    /// Another gateway has counted until then, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) fn skip_until(&mut self, stamp_nanos: u64) {
        let then = Timestamp::from_nanos(stamp_nanos.saturating_sub(self.origin_nanos));
        if let Some(sums) = &mut self.sums {
            sums.last = sums.last.max(then);
        }
    }

    /// Nothing holds any more: another gateway counts.
    pub(crate) fn leave(&mut self) {
        if let Some(sums) = &mut self.sums {
            sums.census = Census::default();
        }
    }

    /// An instance uses so much memory, in KiB.
    pub(crate) fn learn(&mut self, used_kib: u64) {
        if let Some(sums) = &mut self.sums {
            sums.used_kib = used_kib;
        }
    }

    /// Nobody has measured an instance so far.
    pub(crate) fn is_ignorant(&self) -> bool {
        self.sums.as_ref().is_some_and(|sums| sums.used_kib == 0)
    }

    /// Adds to the counters what was summed up.
    pub(crate) fn publish(&mut self, meter: &Meter) {
        if let Some(sums) = &mut self.sums {
            sums.publish(meter, self.reserved_kib.map(NonZeroU64::get));
            meter.stamp(self.origin_nanos.saturating_add(sums.last.as_nanos()));
        }
    }
}

impl Sums {
    fn pass(&mut self, now: Timestamp) {
        let passed = now.since(self.last);
        self.last = self.last.max(now);
        self.credit(passed);
    }

    fn credit(&mut self, passed: Duration) {
        let passed = nanos(passed);
        let Census {
            starting,
            busy,
            idle,
            frozen,
        } = self.census;
        for (sum, count) in self.nanos.iter_mut().zip([starting, busy, idle, frozen]) {
            *sum = sum.saturating_add(passed.saturating_mul(count.into()));
        }
    }

    fn publish(&mut self, meter: &Meter, reserved: Option<u64>) {
        self.published = self.last;
        let mut micros = [0; 4];
        for ((nanos, micros), counter) in self.nanos.iter_mut().zip(&mut micros).zip(COUNTERS) {
            *micros = *nanos / 1000;
            *nanos %= 1000;
            meter.add(counter, *micros);
        }
        let active = micros[..=BUSY].iter().sum::<u64>();
        let idle = micros[IDLE..].iter().sum::<u64>();
        let used = Some(self.used_kib).filter(|kib| *kib > 0);
        let reserved = reserved.or(used);
        let parts = [
            (active, reserved, Counter::ActiveKibMillis),
            (idle, reserved, Counter::IdleKibMillis),
            (active + idle, used, Counter::UsedKibMillis),
        ];
        for (at, (micros, kib, counter)) in parts.into_iter().enumerate() {
            self.unweighed[at] += micros;
            let Some(kib) = kib else { continue };
            let micros = std::mem::take(&mut self.unweighed[at]);
            let product = u128::from(micros) * u128::from(kib) + u128::from(self.rests[at]);
            self.rests[at] = (product % 1000) as u64;
            meter.add(counter, u64::try_from(product / 1000).unwrap_or(u64::MAX));
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use stoker_meter::Ledger;

    use super::*;

    fn meter() -> Meter {
        Ledger::in_memory().meter((&Arc::from("f"), &Arc::from("r")), None)
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_millis(millis)
    }

    fn census(starting: u32, busy: u32, idle: u32, frozen: u32) -> Census {
        Census {
            starting,
            busy,
            idle,
            frozen,
        }
    }

    #[test]
    fn time_is_counted_by_what_instances_did() {
        let meter = meter();
        let mut spans = Spans::new(Some(2048), 0);
        spans.note(census(1, 0, 0, 0), at(10));
        spans.note(census(0, 1, 1, 0), at(30));
        assert!(spans.note(census(0, 0, 1, 1), at(130)));
        spans.pass(at(150));
        spans.pass(at(140));
        spans.publish(&meter);
        let totals = meter.totals();
        let times = COUNTERS.map(|counter| totals[counter] / 1000);
        assert_eq!(times, [20, 100, 120, 20]);
        assert_eq!(totals[Counter::ActiveKibMillis], 2 * 120);
        assert_eq!(totals[Counter::IdleKibMillis], 2 * 140);
        assert_eq!(totals[Counter::UsedKibMillis], 0, "not known yet");
        spans.learn(5);
        spans.leave();
        spans.pass(at(1000));
        spans.publish(&meter);
        assert_eq!(meter.totals()[Counter::UsedKibMillis], 5 * 260);
        assert_eq!(meter.totals()[Counter::ActiveKibMillis], 240);
    }

    #[test]
    fn what_another_gateway_counted_is_left_out() {
        let meter = meter();
        let second = 1_000_000_000;
        let mut spans = Spans::new(None, 5 * second);
        spans.note(census(0, 1, 0, 0), at(0));
        spans.pass(at(1000));
        // It began to count there, and failed after 300 ms, of which it had published 200.
        spans.skip_until(5 * second + second + second / 5);
        spans.pass(at(1300));
        // Before the clock began, or nothing at all.
        spans.skip_until(3);
        spans.pass(at(1400));
        spans.publish(&meter);
        assert_eq!(meter.totals()[Counter::BusyMicros], 1_200_000);
    }

    #[test]
    fn what_is_not_reserved_counts_as_it_is_used() {
        let meter = meter();
        let mut spans = Spans::new(None, 0);
        spans.note(census(0, 1, 0, 0), at(0));
        spans.pass(at(50));
        spans.publish(&meter);
        assert_eq!(meter.totals()[Counter::ActiveKibMillis], 0);
        spans.learn(100);
        spans.credit_idle(Duration::from_millis(7), at(50));
        spans.publish(&meter);
        assert_eq!(meter.totals()[Counter::ActiveKibMillis], 5000);
        assert_eq!(meter.totals()[Counter::IdleKibMillis], 700);
    }

    proptest! {
        #[test]
        fn however_often_it_is_published_nothing_is_lost(
            steps in prop::collection::vec((0_u64..5_000_000, 0_u32..5, 0_u32..5, any::<bool>()), 1..50)
        ) {
            let (often, once) = (meter(), meter());
            let mut one = Spans::new(Some(3 << 20), 0);
            let mut other = Spans::new(Some(3 << 20), 0);
            let mut now = at(0);
            for (nanos, busy, idle, publish) in steps {
                now = now + Duration::from_nanos(nanos);
                one.note(census(0, busy, idle, 0), now);
                other.note(census(0, busy, idle, 0), now);
                if publish {
                    one.publish(&often);
                }
            }
            one.publish(&often);
            other.publish(&once);
            for counter in [Counter::BusyMicros, Counter::IdleMicros] {
                prop_assert_eq!(often.totals()[counter], once.totals()[counter]);
            }
            for counter in [Counter::ActiveKibMillis, Counter::IdleKibMillis] {
                prop_assert_eq!(often.totals()[counter], once.totals()[counter]);
            }
        }
    }
}
