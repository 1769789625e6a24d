//! What policies that are tried would do, and what those in force do meanwhile.

use prometheus::{CounterVec, GaugeVec, Opts};

use super::families::Families;
use crate::shadow::{Fare, Shadows};

/// Both sides are shown, so that nobody compares different spans of time.
pub(super) struct ShadowGauges {
    instances: GaugeVec,
    wait: GaugeVec,
    requests: CounterVec,
    starts: CounterVec,
    instance_seconds: CounterVec,
}

impl ShadowGauges {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        let own = ["function", "policy", "side"];
        let counters = |name: &str, help: &str, more: &[&str]| {
            let labels = [&own[..], more].concat();
            let counters = CounterVec::new(Opts::new(name, help), &labels)?;
            families.registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauges = |name: &str, help: &str, more: &[&str]| {
            let labels = [&own[..], more].concat();
            let gauges = GaugeVec::new(Opts::new(name, help), &labels)?;
            families.registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        Ok(ShadowGauges {
            instances: gauges(
                "stoker_shadow_instances",
                "Instances now: those that the policy in the shadow would have (side=\"shadow\"), and \
                 those that there are (side=\"live\").",
                &[],
            )?,
            wait: gauges(
                "stoker_shadow_wait_seconds",
                "The time that this share of the requests did not exceed in waiting for a slot since the trial \
                 began.",
                &["share"],
            )?,
            requests: counters(
                "stoker_shadow_requests_total",
                "Requests since the trial began: served at once, delayed, or refused.",
                &["result"],
            )?,
            starts: counters(
                "stoker_shadow_starts_total",
                "Instances started since the trial began.",
                &[],
            )?,
            instance_seconds: counters(
                "stoker_shadow_instance_seconds_total",
                "Instances times the time that they were there since the trial began.",
                &[],
            )?,
        })
    }

    /// Shows these and no others.
    pub(super) fn set(&self, shadows: &Shadows) {
        self.instances.reset();
        self.wait.reset();
        self.requests.reset();
        self.starts.reset();
        self.instance_seconds.reset();
        for (function, status) in shadows {
            for (side, fare) in [("shadow", &status.shadow), ("live", &status.live)] {
                self.add(&[function, &status.policy, side], fare);
            }
        }
    }

    fn add(&self, own: &[&str; 3], fare: &Fare) {
        let [function, policy, side] = *own;
        let instances = self.instances.with_label_values(own);
        instances.set(fare.instances.into());
        self.starts
            .with_label_values(own)
            .inc_by(fare.starts as f64);
        let seconds = self.instance_seconds.with_label_values(own);
        seconds.inc_by(fare.instance_seconds);
        for (share, wait) in [
            ("0.5", fare.wait_p50),
            ("0.99", fare.wait_p99),
            ("1", fare.wait_max),
        ] {
            let labels = [function, policy, side, share];
            self.wait.with_label_values(&labels).set(wait.as_secs_f64());
        }
        let late = fare.delayed + fare.refused;
        for (result, count) in [
            ("at-once", fare.requests.saturating_sub(late)),
            ("delayed", fare.delayed),
            ("refused", fare.refused),
        ] {
            let labels = [function, policy, side, result];
            self.requests
                .with_label_values(&labels)
                .inc_by(count as f64);
        }
    }
}
