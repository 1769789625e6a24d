//! What instances use, added to the counters of their revision.

mod spans;
mod spares;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stoker_core::{InstanceId, Timestamp};
use stoker_meter::{Counter, Ledger, Meter};

use crate::clock::{instant_at, monotonic_nanos};
use crate::driver::{Exit, LaunchSpec, Measured, Spent};
use crate::{Function, Scaler};
pub(crate) use spans::Spans;
pub(crate) use spares::Spares;

/// What is between the last word of a gateway that is gone and its successor is no longer than
/// this, or something is wrong with the clocks.
const LONGEST_GAP: Duration = Duration::from_secs(30 * 86_400);

impl<C: Send + 'static> Scaler<C> {
    /// The file that everything is counted in.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.shared.ledger
    }

    /// Measures what the instances use now, and brings the counters up to date.
    pub async fn measure(&self) {
        let shared = &self.shared;
        let measured = shared.driver.measure().await;
        let now = shared.clock.now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut of: HashMap<u32, Vec<Measured>> = HashMap::new();
        self.measure_spares(now).await;
        let functions = {
            let registry = shared.lock();
            for it in measured {
                of.entry(registry.number_of(it.id)).or_default().push(it);
            }
            registry.functions()
        };
        for function in functions {
            let measured = of.remove(&function.number()).unwrap_or_default();
            function.measured(&measured, now);
        }
        let seconds = wall.unwrap_or_default().as_secs();
        shared.ledger.beat(monotonic_nanos(), seconds);
    }
}

impl<C: Send + 'static> Function<C> {
    /// What callers use is added here.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Some of its instances were measured.
    fn measured(&self, measured: &[Measured], now: Timestamp) {
        let ledger = self.meter.ledger();
        let mut memory = (0_u64, 0_u64);
        for it in measured {
            if let Some(cpu) = it.cpu_micros {
                let new = ledger.spent(it.id.as_raw(), cpu);
                self.meter.add(Counter::CpuMicros, new);
            }
            if let Some(bytes) = it.memory_bytes {
                memory = (memory.0 + bytes / 1024, memory.1 + 1);
            }
        }
        let mut state = self.lock();
        if state.decides() {
            state.spans.pass(now);
        }
        if let Some(average) = memory.0.checked_div(memory.1) {
            state.spans.learn(average);
        }
        state.spans.publish(&self.meter);
    }

    /// A start of this gateway has failed.
    pub(crate) fn charge_failed_start(&self, id: InstanceId) {
        self.meter.add(Counter::FailedStarts, 1);
        let spent = self.shared.driver.spent_by_start(id);
        let cpu = spent.map(|spent| spent.cpu_micros);
        let new = self.meter.ledger().ended(id.as_raw(), cpu);
        self.meter.add(Counter::FailedCpuMicros, new);
    }

    /// An instance is gone.
    pub(crate) fn note_spent(&self, exit: &Exit) {
        let id = exit.id.as_raw();
        let cpu = exit.spent.map(|spent| spent.cpu_micros);
        let new = self.meter.ledger().ended(id, cpu);
        self.meter.add(Counter::CpuMicros, new);
        let mut state = self.lock();
        if let Some(peak) = exit.spent.map(|spent| spent.peak_kib)
            && state.spans.is_ignorant()
        {
            state.spans.learn(peak);
        }
        state.spans.publish(&self.meter);
    }
}

/// How long, until `then` in nanoseconds of CLOCK_MONOTONIC, nobody has counted the time of a
/// revision's instances; nothing if nobody ever did.
fn gap(ledger: &Ledger, (function, revision): (&str, &str), then: u64) -> Duration {
    match ledger.last_stamp(function, revision) {
        0 => Duration::ZERO,
        stamp => Duration::from_nanos(then.saturating_sub(stamp)).min(LONGEST_GAP),
    }
}

/// Up to when some gateway has counted the time of a revision's instances, in nanoseconds of
/// CLOCK_MONOTONIC.
pub(crate) fn last_stamp(ledger: &Ledger, launch: &LaunchSpec) -> u64 {
    ledger.last_stamp(&launch.function, &launch.revision)
}

/// How long nobody has counted the time of a revision's instances until now.
pub(crate) fn gap_until_now(ledger: &Ledger, launch: &LaunchSpec) -> Duration {
    gap(
        ledger,
        (&launch.function, &launch.revision),
        monotonic_nanos(),
    )
}

/// When another gateway stopped to count the time of instances that this one has now.
pub(crate) fn handed_over(ledger: &Ledger) -> std::time::Instant {
    instant_at(match ledger.handed_over() {
        0 => monotonic_nanos(),
        nanos => nanos,
    })
}

/// The time of instances is counted up to now, and goes on in another gateway.
pub(crate) fn hand_over(ledger: &Ledger) {
    ledger.hand_over(monotonic_nanos());
}

/// Counts what ended while nobody listened, and forgets what else is not among the living.
pub(crate) fn settle_unheard(
    ledger: &Arc<Ledger>,
    ended: Vec<Unheard>,
    living: impl Iterator<Item = InstanceId>,
) {
    for it in ended {
        let gap = gap(ledger, (&it.function, &it.revision), it.at_nanos);
        // The books know its number, if it has one.
        let meter = ledger.meter((&it.function, &it.revision), None);
        let new = ledger.ended(it.id.as_raw(), Some(it.spent.cpu_micros));
        meter.add(Counter::CpuMicros, new);
        let micros = u64::try_from(gap.as_micros()).unwrap_or(0);
        let kib_millis = (micros / 1000).saturating_mul(it.spent.peak_kib);
        meter.add(Counter::IdleMicros, micros);
        meter.add(Counter::IdleKibMillis, kib_millis);
        meter.add(Counter::UsedKibMillis, kib_millis);
    }
    let living: HashSet<u64> = living.map(InstanceId::as_raw).collect();
    ledger.keep_instances(&living);
}

/// An instance that ended while no gateway was there to hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheard {
    /// Which.
    pub id: InstanceId,
    /// The function's name.
    pub function: Arc<str>,
    /// The revision's name.
    pub revision: Arc<str>,
    /// What it used in its life.
    pub spent: Spent,
    /// When it ended, in nanoseconds of CLOCK_MONOTONIC.
    pub at_nanos: u64,
}
