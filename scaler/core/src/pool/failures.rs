//! Failed starts in a row, and what they forbid.

use std::time::Duration;

use crate::{Backoff, StartFailure, Timestamp};

/// The failures since the last success.
///
/// Starts that were under way together fail together: only the first failure of such a round is
/// counted, or a single hiccup of the machine would look like a hopeless program.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// Rounds in a row.
    count: u32,
    /// Never reset, so that a round stays the same one for its late failures.
    round: u64,
    last: Option<StartFailure>,
    until: Timestamp,
}

impl Failures {
    /// What a new instance remembers, to tell its round by.
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    /// The last failure and the number of failures in a row.
    pub(super) fn last(&self) -> Option<(&StartFailure, u32)> {
        self.last.as_ref().map(|failure| (failure, self.count))
    }

    /// No start has failed since the last one that is known to have worked.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Records the failure of an instance of `round`.
    pub(super) fn record(
        &mut self,
        failure: StartFailure,
        round: u64,
        backoff: &Backoff,
        now: Timestamp,
    ) {
        self.last = Some(failure);
        if round == self.round || self.count == 0 {
            self.count += 1;
            self.round += 1;
            self.until = now + backoff.delay(self.count);
        }
    }

    /// Replaces the cause of a failure that was recorded.
    pub(super) fn explain(&mut self, failure: StartFailure) {
        if self.last.is_some() {
            self.last = Some(failure);
        }
    }

    /// A new instance answered; true if there was a failure to forget.
    pub(super) fn reset(&mut self) -> bool {
        let any = self.count > 0;
        self.count = 0;
        self.last = None;
        self.until = Timestamp::ZERO;
        any
    }

    /// The time before which nothing may start, if it is still to come.
    pub(super) fn backoff_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.until > now).then_some(self.until)
    }

    /// How many more may start now, of at most `max` at once: after a failure one at a time, until
    /// one of them answers.
    pub(super) fn allowance(&self, starting: u32, max: u32, now: Timestamp) -> u32 {
        if self.backoff_until(now).is_some() {
            return 0;
        }
        let limit = if self.count > 0 { max.min(1) } else { max };
        limit.saturating_sub(starting)
    }

    /// The cause to give to callers, if starts failed too often and none may be tried yet.
    pub(super) fn verdict(&self, backoff: &Backoff, now: Timestamp) -> Option<&StartFailure> {
        self.backoff_until(now)?;
        self.last
            .as_ref()
            .filter(|_| self.count >= backoff.reject_after.max(1))
    }
}

impl Backoff {
    /// `initial * 2^(failures - 1)`, at most `max`; zero without a failure.
    pub fn delay(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.initial.saturating_mul(factor).min(self.max)
    }
}
