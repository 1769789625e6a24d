//! What is counted of each revision of a function.

use std::ops::Index;

/// How many counters there are.
pub const COUNTERS: usize = 22;

/// One counter. The numbers are places in the ledger and never change; the names are columns in
/// the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Requests whose answer an instance began, and those that reached one and got none. Counted
    /// before the first byte of the answer is passed on.
    Invocations = 0,
    /// Of those, the ones that were answered with 5xx, cut short on the function's side, or not
    /// answered by it.
    Failures = 1,
    /// Of those, the ones that waited for an instance to start.
    Cold = 2,
    /// From the slot until the end of the answer, summed over requests, microseconds.
    WallMicros = 3,
    /// Bytes of requests' bodies.
    RequestBytes = 4,
    /// Bytes of answers' bodies.
    ResponseBytes = 5,
    /// CPU time of instances with all that they started, microseconds.
    CpuMicros = 6,
    /// Instances that came up.
    Starts = 7,
    /// What their starts took, from the decision on, microseconds.
    StartMicros = 8,
    /// Time of instances that were starting, microseconds.
    StartingMicros = 9,
    /// Time of instances that had a request, or drained, microseconds.
    BusyMicros = 10,
    /// Time of instances that had none and could run, or were told to end, microseconds.
    IdleMicros = 11,
    /// Time of instances that were frozen, microseconds.
    FrozenMicros = 12,
    /// Memory reserved by instances that were starting or busy, KiB times milliseconds.
    ActiveKibMillis = 13,
    /// Memory reserved by instances that were idle or frozen, KiB times milliseconds.
    IdleKibMillis = 14,
    /// Memory used by instances in any state, as measured, KiB times milliseconds.
    UsedKibMillis = 15,
    /// Time of processes that were kept ready to become instances, microseconds.
    SpareMicros = 16,
    /// Memory used by those, KiB times milliseconds.
    SpareKibMillis = 17,
    /// CPU time of those, and of what forks them, microseconds. That of one which became an instance
    /// is in here as far as it was measured before.
    SpareCpuMicros = 18,
    /// Instances that did not come up.
    FailedStarts = 19,
    /// CPU time of those, microseconds.
    FailedCpuMicros = 20,
    /// Copies of requests that were sent to the revision and whose answers nobody got. They are no
    /// invocations, and nothing else is counted of them as requests.
    Mirrored = 21,
}

impl Counter {
    /// Those that are there since the first release of the books; the others came later, one after the
    /// other.
    pub const FIRST: usize = 18;

    /// All of them, by their numbers.
    pub const ALL: [Counter; COUNTERS] = [
        Counter::Invocations,
        Counter::Failures,
        Counter::Cold,
        Counter::WallMicros,
        Counter::RequestBytes,
        Counter::ResponseBytes,
        Counter::CpuMicros,
        Counter::Starts,
        Counter::StartMicros,
        Counter::StartingMicros,
        Counter::BusyMicros,
        Counter::IdleMicros,
        Counter::FrozenMicros,
        Counter::ActiveKibMillis,
        Counter::IdleKibMillis,
        Counter::UsedKibMillis,
        Counter::SpareMicros,
        Counter::SpareKibMillis,
        Counter::SpareCpuMicros,
        Counter::FailedStarts,
        Counter::FailedCpuMicros,
        Counter::Mirrored,
    ];

    /// The name of its column.
    pub fn name(self) -> &'static str {
        match self {
            Counter::Invocations => "invocations",
            Counter::Failures => "failures",
            Counter::Cold => "cold",
            Counter::WallMicros => "wall_us",
            Counter::RequestBytes => "request_bytes",
            Counter::ResponseBytes => "response_bytes",
            Counter::CpuMicros => "cpu_us",
            Counter::Starts => "starts",
            Counter::StartMicros => "start_us",
            Counter::StartingMicros => "starting_us",
            Counter::BusyMicros => "busy_us",
            Counter::IdleMicros => "idle_us",
            Counter::FrozenMicros => "frozen_us",
            Counter::ActiveKibMillis => "active_kib_ms",
            Counter::IdleKibMillis => "idle_kib_ms",
            Counter::UsedKibMillis => "used_kib_ms",
            Counter::SpareMicros => "spare_us",
            Counter::SpareKibMillis => "spare_kib_ms",
            Counter::SpareCpuMicros => "spare_cpu_us",
            Counter::FailedStarts => "failed_starts",
            Counter::FailedCpuMicros => "failed_cpu_us",
            Counter::Mirrored => "mirrored",
        }
    }
}

/// A value of each counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub [u64; COUNTERS]);

impl Totals {
    /// Nothing was counted.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|value| *value == 0)
    }

    /// Adds others to these; at the largest number there is it stays.
    pub fn add(&mut self, other: &Totals) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// What came since `before`; a counter that went back, which only the loss of the machine can
    /// do, has not moved.
    pub fn since(&self, before: &Totals) -> Totals {
        let mut delta = *self;
        for (mine, theirs) in delta.0.iter_mut().zip(before.0) {
            *mine = mine.saturating_sub(theirs);
        }
        delta
    }

    /// With this counter set.
    #[must_use]
    pub fn with(mut self, counter: Counter, value: u64) -> Totals {
        self.0[counter as usize] = value;
        self
    }
}

impl Index<Counter> for Totals {
    type Output = u64;

    fn index(&self, counter: Counter) -> &u64 {
        &self.0[counter as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_and_names_are_unique() {
        for (place, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter as usize, place);
            let same = |other: &&Counter| other.name() == counter.name();
            assert_eq!(Counter::ALL.iter().filter(same).count(), 1);
        }
    }

    #[test]
    fn differences_never_go_below_nothing() {
        let before = Totals::default().with(Counter::Invocations, 5);
        let after = Totals::default()
            .with(Counter::Invocations, 3)
            .with(Counter::Cold, 2);
        let delta = after.since(&before);
        assert_eq!((delta[Counter::Invocations], delta[Counter::Cold]), (0, 2));
        assert!(after.since(&after).is_zero());
    }
}
