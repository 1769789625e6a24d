//! A machine with few processors, which all that computes shares evenly.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use stoker_core::{InstanceId, Timestamp};

/// Steps of virtual time in a nanosecond, as a power of two: what is lost in divisions stays far
/// below a nanosecond.
const FRACTION_BITS: u32 = 20;

/// Processor sharing (Kleinrock, 1967): with `n` jobs on `c` processors, each goes on at the rate
/// `min(1, c / n)`. Virtual time goes on at that rate, so that jobs end in the order of the virtual
/// times at which they end, whatever comes in between.
#[derive(Debug)]
pub(super) struct Machine {
    millicpus: u128,
    /// In steps.
    virtual_now: u128,
    now: Timestamp,
    /// Virtual ends and places.
    jobs: BinaryHeap<Reverse<(u128, u64, usize)>>,
    begun: u64,
    places: Vec<Option<Job>>,
    vacant: Vec<usize>,
}

/// Something that computes, and what comes after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) function: u32,
    pub(super) task: Task,
    /// Without the processor, after it.
    pub(super) rest: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    Start {
        instance: InstanceId,
    },
    Call {
        instance: InstanceId,
        since: Timestamp,
        /// Before that.
        wait: Duration,
        /// How long it would take by itself.
        service: Duration,
    },
}

impl Machine {
    pub(super) fn new(millicpus: u32) -> Self {
        Machine {
            millicpus: u128::from(millicpus.max(1)),
            virtual_now: 0,
            now: Timestamp::ZERO,
            jobs: BinaryHeap::new(),
            begun: 0,
            places: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// Begins a job that needs a processor for so long.
    pub(super) fn begin(&mut self, job: Job, work: Duration, now: Timestamp) {
        self.advance(now);
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(job);
        self.begun += 1;
        let end = self.virtual_now + (work.as_nanos() << FRACTION_BITS);
        self.jobs.push(Reverse((end, self.begun, place)));
    }

    /// When the next job ends if nothing else comes.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        let Reverse((end, ..)) = self.jobs.peek()?;
        let (rate, per) = self.rate();
        let left = end.saturating_sub(self.virtual_now) * per;
        let nanos = left.div_ceil(rate << FRACTION_BITS);
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Some(self.now + Duration::from_nanos(nanos))
    }

    /// Takes the job out that ends next.
    pub(super) fn end(&mut self, now: Timestamp) -> Option<Job> {
        self.advance(now);
        let Reverse((end, _, place)) = self.jobs.pop()?;
        // What a division lost is not to be paid by the others.
        self.virtual_now = self.virtual_now.max(end);
        self.vacant.push(place);
        self.places[place].take()
    }

    fn advance(&mut self, now: Timestamp) {
        let span = now.since(self.now).as_nanos();
        self.now = self.now.max(now);
        let (rate, per) = self.rate();
        self.virtual_now += (span << FRACTION_BITS) * rate / per;
    }

    /// Of every job, as a fraction.
    fn rate(&self) -> (u128, u128) {
        let wanted = 1_000 * (self.jobs.len() as u128).max(1);
        (self.millicpus.min(wanted), wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn job(function: u32) -> Job {
        Job {
            function,
            task: Task::Start {
                instance: InstanceId::new(0, function),
            },
            rest: Duration::ZERO,
        }
    }

    /// Alone for 50 ms, then two share one processor: the second one, of 50 ms, takes 100, as the
    /// first has 50 left too.
    #[test]
    fn jobs_share_what_there_is() {
        let mut machine = Machine::new(1_000);
        machine.begin(job(1), Duration::from_millis(100), at(0));
        assert_eq!(machine.next_end(), Some(at(100)));
        machine.begin(job(2), Duration::from_millis(60), at(50));
        assert_eq!(machine.next_end(), Some(at(150)));
        assert_eq!(machine.end(at(150)).unwrap().function, 1);
        // 50 of 60 are done, and it is alone now.
        assert_eq!(machine.next_end(), Some(at(160)));
        assert_eq!(machine.end(at(160)).unwrap().function, 2);
        assert_eq!(machine.next_end(), None);
    }

    /// Half a processor makes one job take twice as long; four for one job are no more than one.
    #[test]
    fn a_job_has_no_more_than_one_processor() {
        for (millicpus, end) in [(500, 200), (1_000, 100), (4_000, 100)] {
            let mut machine = Machine::new(millicpus);
            machine.begin(job(1), Duration::from_millis(100), at(0));
            assert_eq!(machine.next_end(), Some(at(end)));
        }
    }
}
