//! Which revisions get which requests.

use prometheus::{GaugeVec, IntCounterVec};

use super::families::Families;
use crate::gateway::Entry;

/// Which revisions get which requests, and what became of copies of them.
pub(super) struct TrafficMetrics {
    percent: GaugeVec,
    mirrored: IntCounterVec,
}

impl TrafficMetrics {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        Ok(TrafficMetrics {
            percent: families.levels(
                "stoker_traffic_percent",
                "Share of the function's requests that go to the revision, in percent.",
                &["function", "revision"],
            )?,
            mirrored: families.counters(
                "stoker_mirrored_requests_total",
                "Copies of requests for a revision that mirrors them, by what became of them: sent, \
                 busy, too-large, incomplete.",
                &["function", "result"],
            )?,
        })
    }

    /// Sets what holds for these functions and no others.
    pub(super) fn set<'a>(&self, functions: impl Iterator<Item = &'a Entry>) {
        self.percent.reset();
        self.mirrored.reset();
        for split in functions.filter_map(|entry| entry.split.as_deref()) {
            let deployment = split.deployment();
            for revision in &deployment.revisions {
                let labels = [&*deployment.function, &revision.number.to_string()];
                let share = deployment.traffic.share(revision.number);
                self.percent.with_label_values(&labels).set(share);
            }
            let counts = split.mirror_counts();
            let mirrors = deployment.traffic.mirror.is_some();
            // What was counted before goes on.
            for (result, count) in counts.filter(|(_, count)| mirrors || *count > 0) {
                let labels = [&*deployment.function, result];
                self.mirrored.with_label_values(&labels).inc_by(count);
            }
        }
    }
}
