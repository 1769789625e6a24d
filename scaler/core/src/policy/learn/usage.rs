//! How much of what there was was in use.

use crate::{ScaleSpec, Timestamp};

/// Instance-seconds over which idle and busy ones are compared.
const MEMORY: f64 = 20_000.0;

/// Instance-seconds lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Until when they are counted.
    pub(super) at: Timestamp,
    pub(super) instances: u32,
    /// Instances that are needed, or would be.
    pub(super) used: u32,
    pub(super) alive: f64,
    pub(super) busy: f64,
}

impl Usage {
    pub(super) fn use_instances(&mut self, used: u32, now: Timestamp) {
        self.advance(now);
        self.used = used;
    }

    pub(super) fn have_instances(&mut self, instances: u32, now: Timestamp) {
        self.advance(now);
        self.instances = instances;
    }

    pub(super) fn instances(&self) -> u32 {
        self.instances
    }

    fn advance(&mut self, now: Timestamp) {
        let seconds = now.since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.alive += seconds * f64::from(self.instances);
        self.busy += seconds * f64::from(self.used.min(self.instances));
        if self.alive > MEMORY {
            self.alive /= 2.0;
            self.busy /= 2.0;
        }
    }

    /// What idling may cost over what it is worth: 1 below the ceiling on idle time, above it the
    /// ceiling over what there was.
    pub(super) fn thrift(&self, spec: &ScaleSpec) -> f64 {
        let ceiling = spec.max_idle_percentage / 100.0 * self.busy;
        let idle = self.alive - self.busy;
        match spec.max_idle_percentage > 0.0 && idle > ceiling {
            true => ceiling / idle,
            false => 1.0,
        }
    }
}
