//! What is read off the pools and the process when Prometheus asks.

use std::collections::HashMap;

use prometheus::IntGaugeVec;
use stoker_scaler::FunctionView;
use stoker_scaler::driver::Prepared;

use super::families::Families;

/// Every instance is in one of these.
const STATES: [&str; 7] = [
    "starting", "ready", "frozen", "aside", "trial", "draining", "stopping",
];

/// What is read off the pools when Prometheus asks.
pub(super) struct Gauges {
    instances: IntGaugeVec,
    waiting: IntGaugeVec,
    in_flight: IntGaugeVec,
    desired: IntGaugeVec,
    backoff: IntGaugeVec,
    spares: IntGaugeVec,
    parents: IntGaugeVec,
    held: IntGaugeVec,
}

impl Gauges {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        let own = &["function", "revision"];
        Ok(Gauges {
            instances: families.gauges(
                "stoker_instances",
                "Instances now, by state.",
                &["function", "revision", "state"],
            )?,
            waiting: families.gauges(
                "stoker_waiting_requests",
                "Requests waiting for an instance now.",
                own,
            )?,
            in_flight: families.gauges("stoker_in_flight_requests", "Slots in use now.", own)?,
            desired: families.gauges("stoker_desired_instances", "Instances wanted now.", own)?,
            held: families.gauges(
                "stoker_starts_waiting",
                "Starts that do not begin yet, for there is no room for them.",
                own,
            )?,
            backoff: families.gauges(
                "stoker_start_backoff",
                "1 while failed starts hold the next one back.",
                own,
            )?,
            spares: families.gauges(
                "stoker_spares",
                "Processes that wait now to become an instance; those that functions share count \
                 for each.",
                own,
            )?,
            parents: families.gauges(
                "stoker_parents",
                "Processes now that have the handler loaded and fork instances.",
                own,
            )?,
        })
    }

    /// Forgets revisions that are gone.
    pub(super) fn reset(&self) {
        for gauge in [
            &self.instances,
            &self.waiting,
            &self.in_flight,
            &self.desired,
            &self.backoff,
            &self.spares,
            &self.parents,
            &self.held,
        ] {
            gauge.reset();
        }
    }

    /// Adds what is kept ready for a revision.
    pub(super) fn add_prepared(&self, own: &[&str; 2], prepared: &Prepared) {
        let spares = i64::try_from(prepared.spares.len()).unwrap_or(i64::MAX);
        self.spares.with_label_values(own).add(spares);
        let loaded = prepared.parent.is_some_and(|(_, loaded)| loaded);
        self.parents.with_label_values(own).add(loaded.into());
    }

    /// Adds a revision; several may share a name.
    pub(super) fn add(&self, own: &[&str; 2], view: &FunctionView) {
        let mut counts: HashMap<_, i64> = HashMap::new();
        for instance in &view.pool.instances {
            *counts.entry(instance.state_name()).or_default() += 1;
        }
        for state in STATES {
            let count = counts.get(state).copied().unwrap_or_default();
            let labels = [own[0], own[1], state];
            self.instances.with_label_values(&labels).add(count);
        }
        let pool = &view.pool;
        let desired = pool.last_decision.as_ref().map_or(0, |last| last.desired);
        for (gauge, value) in [
            (&self.waiting, pool.waiting),
            (&self.in_flight, pool.in_flight),
            (&self.desired, desired),
            (&self.backoff, u32::from(pool.backoff_until.is_some())),
            (&self.held, view.held.map_or(0, |held| held.count)),
        ] {
            gauge.with_label_values(own).add(value.into());
        }
    }
}
