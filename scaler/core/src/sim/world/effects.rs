//! Effects that are carried out, and checked to be such as a pool may ask for.

use std::time::Duration;

use crate::sim::Defect;
use crate::sim::world::{Happening, Lease, World};
use crate::{Effect, InstanceId, RejectCause, SpareDecision, Timestamp, WaiterId};

impl World<'_> {
    pub(super) fn carry_out(&mut self, effect: Effect) -> Result<(), Defect> {
        match effect {
            Effect::Grant {
                waiter,
                instance,
                cold,
            } => self.grant(waiter, instance, cold)?,
            Effect::Reject { waiter, cause } => self.reject(waiter, &cause)?,
            Effect::Start { instance } => self.start(instance)?,
            // Requests of the simulator all end by themselves.
            Effect::Drain { .. } => {}
            Effect::Freeze { instance } => self.freeze(instance)?,
            Effect::Thaw { instance } => {
                if !self.end_frost(instance) {
                    return self.defect("an instance was thawed that was not frozen");
                }
                self.report.thawed += 1;
            }
            Effect::Reclaim { instance } => {
                if !self.frozen.contains_key(&instance) {
                    return self.defect("an instance gave memory back that was not frozen");
                }
                self.report.reclaimed += 1;
            }
            Effect::Stop { instance } => {
                if self.frozen.contains_key(&instance) {
                    return self.defect("an instance was stopped that was frozen");
                }
                if !self.stopping.insert(instance) {
                    return self.defect("an instance was stopped twice");
                }
                if !self.random.chance(self.scenario.faults.stubborn) {
                    let later = self.scenario.stop_time.sample(&mut self.random);
                    self.plan_in(later, Happening::Exit(instance));
                }
            }
            Effect::Kill { instance } => {
                if !self.stopping.contains(&instance) {
                    return self.defect("an instance was killed before it was stopped");
                }
                self.report.killed += 1;
                self.plan_in(Duration::ZERO, Happening::Exit(instance));
            }
            Effect::WakeAt(time) => {
                self.wakes += 1;
                if time != Timestamp::MAX {
                    self.plan_at(time, Happening::Tick(self.wakes));
                }
            }
            Effect::Decided(_) => self.report.decisions += 1,
            Effect::Prepare(decision) => self.prepare(&decision)?,
        }
        Ok(())
    }

    fn prepare(&mut self, decision: &SpareDecision) -> Result<(), Defect> {
        if self.spares == decision.spares {
            return self.defect("the same number of spares was asked for twice");
        }
        self.spares = decision.spares;
        let spec = self.scenario.spec.spares;
        match (decision.spares, spec) {
            (Some(count), Some(spec)) if (spec.least..=spec.most).contains(&count) => Ok(()),
            (None, _) => Ok(()),
            _ => self.defect("spares were asked for that the settings do not allow"),
        }
    }

    fn grant(&mut self, waiter: WaiterId, instance: InstanceId, cold: bool) -> Result<(), Defect> {
        match self.waiting.pop_first() {
            Some((oldest, since)) if oldest == waiter => {
                self.report.waits.push(self.now.since(since));
            }
            _ => return self.defect("a slot was given to another one than the oldest waiter"),
        }
        if !self.live.contains_key(&instance) || self.stopping.contains(&instance) {
            return self.defect("a slot was given on an instance that is not there");
        }
        if self.frozen.contains_key(&instance) {
            return self.defect("a slot was given on an instance that is frozen");
        }
        self.report.granted += 1;
        self.report.cold += u64::from(cold);
        self.running.insert(
            waiter,
            Lease {
                instance,
                since: self.now,
            },
        );
        let service = self.service[waiter.0 as usize];
        self.plan_in(service, Happening::Finish(waiter));
        let faults = &self.scenario.faults;
        if self.random.chance(faults.leave_at_grant) {
            self.plan_in(Duration::ZERO, Happening::Leave(waiter));
        }
        if self.random.chance(faults.exit) {
            let later = self.random.within(service);
            self.plan_in(later, Happening::Exit(instance));
        }
        if self.random.chance(faults.unhealthy) {
            let later = self.random.within(service);
            self.plan_in(later, Happening::Unhealthy(instance));
        }
        Ok(())
    }

    fn freeze(&mut self, instance: InstanceId) -> Result<(), Defect> {
        let used = self.running.values().any(|it| it.instance == instance);
        if used || !self.live.contains_key(&instance) || self.stopping.contains(&instance) {
            return self.defect("an instance was frozen that is not idle");
        }
        if self.frozen.insert(instance, self.now).is_some() {
            return self.defect("an instance was frozen twice");
        }
        self.report.frozen += 1;
        Ok(())
    }

    /// False if it was not frozen.
    pub(super) fn end_frost(&mut self, instance: InstanceId) -> bool {
        let since = self.frozen.remove(&instance);
        self.report.frozen_time += since.map_or(Duration::ZERO, |since| self.now.since(since));
        since.is_some()
    }

    fn reject(&mut self, waiter: WaiterId, cause: &RejectCause) -> Result<(), Defect> {
        if self.waiting.remove(&waiter).is_none() {
            return self.defect("a request was rejected that did not wait");
        }
        self.report.reject(cause);
        Ok(())
    }

    fn start(&mut self, instance: InstanceId) -> Result<(), Defect> {
        if self.live.insert(instance, self.now).is_some() {
            return self.defect("an id was used twice");
        }
        let live = self.live.len() as u32;
        if live > self.scenario.spec.max_scale {
            return self.defect("more instances than max_scale");
        }
        self.report.started += 1;
        self.report.live_peak = self.report.live_peak.max(live);
        if self.random.chance(self.scenario.faults.held_start) {
            let later = self.random.within(Duration::from_secs(2));
            self.plan_in(later, Happening::Admit(instance));
        } else {
            self.begin(instance);
        }
        Ok(())
    }
}
