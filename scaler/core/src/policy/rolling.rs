//! The largest of recent values.

use std::time::Duration;

use crate::Timestamp;

/// The maximum over a sliding span of time, for [`ScaleSpec::scale_down_delay`].
///
/// Keeps only values that can still become the maximum, so it never holds more entries than there
/// were distinct values.
///
/// [`ScaleSpec::scale_down_delay`]: crate::ScaleSpec::scale_down_delay
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RollingMax {
    /// Times ascend, values strictly descend.
    pub(super) entries: Vec<(Timestamp, u32)>,
}

impl RollingMax {
    /// Adds `value`, forgets what is at least `span` old, and returns the maximum of the rest.
    pub fn record(&mut self, value: u32, span: Duration, now: Timestamp) -> u32 {
        let keep = self
            .entries
            .partition_point(|&(_, earlier)| earlier > value);
        self.entries.truncate(keep);
        self.entries.push((now, value));
        let gone = self
            .entries
            .partition_point(|&(time, _)| now.since(time) >= span);
        // The newest stays, whatever the span.
        let gone = gone.min(self.entries.len() - 1);
        self.entries.drain(..gone);
        self.entries[0].1
    }

    /// Says that the latest value was wanted up to `now`, for policies that are not asked at a
    /// fixed interval.
    pub fn extend(&mut self, now: Timestamp) {
        if let Some((time, _)) = self.entries.last_mut() {
            *time = now;
        }
    }

    /// When the maximum falls if only smaller values follow.
    pub fn falls_at(&self, span: Duration) -> Option<Timestamp> {
        (self.entries.len() > 1).then(|| self.entries[0].0 + span)
    }
}
