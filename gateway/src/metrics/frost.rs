//! What is counted of frozen instances.

use prometheus::{HistogramVec, IntCounterVec};
use stoker_scaler::Notice;

use super::families::Families;

/// The families with series per function and revision.
pub(super) struct Frost {
    freezes: IntCounterVec,
    thaw: HistogramVec,
    releases: IntCounterVec,
}

impl Frost {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        let own: &[&str] = &["function", "revision"];
        Ok(Frost {
            freezes: families.counters(
                "stoker_freezes_total",
                "Times that an idle instance was frozen.",
                own,
            )?,
            thaw: families.histograms(
                "stoker_thaw_duration_seconds",
                "Thaws of frozen instances, and the time that each took the gateway.",
                own,
            )?,
            releases: families.counters(
                "stoker_memory_releases_total",
                "Frozen instances that were told to go for want of memory.",
                own,
            )?,
        })
    }

    /// Counts what the scaler tells of a revision.
    pub(super) fn note(&self, own: &[&str], notice: &Notice<'_>) {
        match notice {
            Notice::Frozen { .. } => self.freezes.with_label_values(own).inc(),
            Notice::Thawed { took, .. } => {
                let thaw = self.thaw.with_label_values(own);
                thaw.observe(took.as_secs_f64());
            }
            Notice::Relieved { released, .. } if *released > 0 => {
                let releases = self.releases.with_label_values(own);
                releases.inc_by(*released as u64);
            }
            _ => {}
        }
    }

    /// Takes the series of a revision out of the exposition.
    pub(super) fn remove(&self, own: &[&str]) {
        // What is not there need not go.
        self.freezes.remove_label_values(own).ok();
        self.thaw.remove_label_values(own).ok();
        self.releases.remove_label_values(own).ok();
    }
}
