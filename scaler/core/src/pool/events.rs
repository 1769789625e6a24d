//! What each event does by itself; the policy comes after.

use std::sync::Arc;
use std::time::Duration;

use crate::pool::check::Ceilings;
use crate::pool::fleet::Instance;
use crate::pool::waiters::Waiter;
use crate::pool::{InstanceState, Phase, Pool};
use crate::{
    Effect, Effects, Event, FailureKind, Holds, InstanceId, Outcome, PolicyState, RejectCause,
    ScaleSpec, StartFailure, Timestamp, WaiterId,
};

/// What is left to do after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// Nothing: no instance is to be started or stopped for it.
    Rest,
    /// Bring the instances in line with the policy.
    Settle,
    /// Ask the policy, and then the same.
    Ask,
    /// Settle, and then see whether this request, which waits since now, waits too long.
    Admit(WaiterId),
}

impl Pool {
    pub(super) fn handle(&mut self, event: Event, effects: &mut Effects) -> Follow {
        match event {
            Event::Acquire { waiter, deadline } => self.on_acquire(waiter, deadline, effects),
            Event::Cancel { waiter } => self.on_cancel(waiter),
            Event::Release {
                instance,
                outcome,
                since,
            } => self.on_release(instance, (outcome, since), effects),
            Event::Ready { instance } => self.on_ready(instance),
            Event::StartFailed { instance, failure } | Event::Exited { instance, failure } => {
                self.on_gone(instance, failure, effects)
            }
            Event::Adopted { instance } => self.on_adopted(instance),
            Event::Inherited(legacy) => self.on_inherited(*legacy, effects),
            Event::Unhealthy { instance } => self.on_unhealthy(instance, effects),
            Event::Scale { desired } => self.on_scale(desired, effects),
            Event::Evict => {
                self.evict(effects);
                self.evicted = true;
                self.initial_given_up = true;
                Follow::Settle
            }
            Event::Forgo { instance } => self.on_forgo(instance, effects),
            Event::Reclaim => self.on_reclaim(effects),
            Event::Schedule(steps) => self.on_schedule(steps),
            Event::Reconfigure(spec) => self.on_reconfigure(spec.into(), effects),
            Event::Retire => {
                if self.phase == Phase::Serving {
                    self.phase = Phase::Retired;
                }
                Follow::Settle
            }
            Event::ShutDown => {
                self.phase = Phase::ShuttingDown;
                Follow::Settle
            }
            Event::ForgoSpares => self.on_forgo_spares(),
            Event::Pressure { release } => self.on_pressure(release, effects),
            Event::FreezeRefused => {
                self.unfreezable = true;
                self.thaw_unwanted(effects);
                Follow::Settle
            }
            // Of what it was to come for, nothing is left.
            Event::Tick if self.policy.is_some() && self.next_due() > self.now => Follow::Rest,
            Event::Tick => Follow::Settle,
        }
    }

    /// Answers the waiters whose time is over.
    pub(super) fn expire_waiters(&mut self, effects: &mut Effects) {
        while let Some(waiter) = self.waiters.pop_expired(self.now) {
            self.reject(waiter.id, self.expired(), effects);
        }
    }

    fn on_acquire(
        &mut self,
        waiter: WaiterId,
        deadline: Timestamp,
        effects: &mut Effects,
    ) -> Follow {
        if self.waiters.contains(waiter) {
            return Follow::Rest;
        }
        let evicted = std::mem::take(&mut self.evicted);
        let refused = self.refusal(deadline);
        if let Some(cause) = refused {
            self.reject(waiter, cause, effects);
            return self.follow_arrival(evicted);
        }
        if self.grant(waiter, None, effects) {
            if let Some(learned) = &mut self.state.learned {
                learned.arrived(self.now);
                learned.granted(Duration::ZERO, self.now);
            }
            return self.follow_arrival(evicted);
        }
        if self.waiters.len() >= self.spec.max_waiters {
            self.reject(waiter, RejectCause::QueueFull, effects);
            return self.follow_arrival(evicted);
        }
        if let Some(learned) = &mut self.state.learned {
            learned.arrived(self.now);
        }
        self.want(deadline);
        self.waiters.push(Waiter {
            id: waiter,
            deadline,
            since: self.now,
            event: self.events,
        });
        Follow::Admit(waiter)
    }

    /// Why a request may not even wait.
    fn refusal(&self, deadline: Timestamp) -> Option<RejectCause> {
        if self.phase == Phase::ShuttingDown {
            return Some(RejectCause::ShuttingDown);
        }
        if deadline <= self.now {
            return Some(self.expired());
        }
        if self.fleet.serving() > 0 || self.has_reprievable() {
            return None;
        }
        let verdict = self.failures.verdict(&self.spec.backoff, self.now);
        verdict.map(|failure| RejectCause::StartFailed(failure.clone()))
    }

    fn on_cancel(&mut self, waiter: WaiterId) -> Follow {
        match self.waiters.remove(waiter) {
            true if self.phase != Phase::Serving => Follow::Settle,
            true => self.follow_load(),
            false => Follow::Rest,
        }
    }

    fn on_release(
        &mut self,
        id: InstanceId,
        (outcome, since): (Outcome, Timestamp),
        effects: &mut Effects,
    ) -> Follow {
        let Some(instance) = self.fleet.release(id, self.now) else {
            return Follow::Rest;
        };
        let service = self.now.since(since);
        self.learned.service.learn(service);
        if let Some(learned) = &mut self.state.learned {
            learned.served(service, self.now);
        }
        let drained = instance.state == InstanceState::Draining && instance.in_use == 0;
        let idle_since = instance.idle_since;
        let first_answer = outcome == Outcome::Answered && !instance.proven;
        instance.proven |= first_answer;
        let was_aside = instance.standing.is_aside();
        if outcome == Outcome::Answered {
            instance.record.failures = 0;
        }
        // Only a new instance tells whether starts work again.
        let recovered = first_answer && self.failures.reset();
        // Most requests are answered by an instance that is trusted: those end here.
        let telling = match outcome {
            Outcome::Answered => was_aside,
            Outcome::Failed => true,
            Outcome::Unknown => false,
        };
        let turned = telling && self.note_outcome(id, outcome, effects);

        if drained {
            self.stop(id, effects);
        } else if !self.waiters.is_empty() {
            self.dispatch(effects);
        } else if let Some(since) = idle_since {
            if let Some(timeout) = self.idle_timeout() {
                self.want(since + timeout);
            }
            if let Some(time) = self.freeze_due() {
                self.want(time);
            }
        }
        match recovered || turned || self.phase != Phase::Serving {
            true => Follow::Settle,
            false => self.follow_load(),
        }
    }

    fn on_ready(&mut self, id: InstanceId) -> Follow {
        let event = self.events;
        let Some(instance) = self.fleet.get_mut(id) else {
            return Follow::Rest;
        };
        if instance.state != InstanceState::Starting {
            return Follow::Rest;
        }
        instance.ready_event = event;
        let took = self.now.since(instance.created);
        self.learned.start.learn(took);
        if let Some(learned) = &mut self.state.learned {
            learned.started(took, self.now);
        }
        self.fleet.enter(id, InstanceState::Ready, self.now);
        self.fleet.begin_slowly(id, self.now, self.now);
        self.want(self.fleet.next_refresh());
        Follow::Settle
    }

    fn on_adopted(&mut self, id: InstanceId) -> Follow {
        if self.fleet.get(id).is_some() {
            return Follow::Rest;
        }
        if id.pool() == self.number {
            // An id is never given out twice.
            self.started = self.started.max(id.count());
        }
        let mut instance = Instance::new(id, InstanceState::Ready, self.failures.round(), self.now);
        instance.proven = true;
        self.note_use();
        instance.ready_event = self.events;
        self.fleet.insert(instance, self.now);
        self.ceilings.raise(&self.fleet, &self.waiters);
        // The revision is not new.
        self.initial_given_up = true;
        // What it carried until now is not known here, so it counts as in use until now, and the
        // policy looks at it as after a restart.
        self.last_active = self.now;
        self.state.decided = false;
        Follow::Ask
    }

    fn on_unhealthy(&mut self, id: InstanceId, effects: &mut Effects) -> Follow {
        let Some(instance) = self.fleet.get_mut(id) else {
            return Follow::Rest;
        };
        if instance.state == InstanceState::Stopping {
            return Follow::Rest;
        }
        let wished = instance.state == InstanceState::Draining;
        let blame = !instance.proven && !wished && !instance.blamed;
        let round = instance.round;
        instance.blamed |= blame;
        self.stop(id, effects);
        if blame {
            let detail = Arc::from("the instance could not be reached before its first answer");
            self.blame(
                StartFailure {
                    kind: FailureKind::Exited,
                    detail,
                },
                round,
                effects,
            );
        }
        Follow::Settle
    }

    /// An instance is not running any more, whatever was known about it.
    fn on_gone(&mut self, id: InstanceId, failure: StartFailure, effects: &mut Effects) -> Follow {
        let Some(instance) = self.fleet.remove(id) else {
            return Follow::Rest;
        };
        let wished = matches!(
            instance.state,
            InstanceState::Draining | InstanceState::Stopping
        );
        if instance.blamed {
            self.failures.explain(failure);
        } else if !instance.proven && !wished {
            self.blame(failure, instance.round, effects);
        }
        // One that was stopping was not counted on: without anybody who waits for its room there is
        // nothing to do.
        let missed = !wished || !self.waiters.is_empty() || self.target > self.fleet.serving();
        match missed || self.phase != Phase::Serving {
            true => Follow::Settle,
            false => Follow::Rest,
        }
    }

    /// Records a failed start.
    fn blame(&mut self, failure: StartFailure, round: u64, effects: &mut Effects) {
        let waited_enough = failure.kind == FailureKind::NeverListened;
        let cause = RejectCause::StartFailed(failure.clone());
        self.failures
            .record(failure, round, &self.spec.backoff, self.now);
        self.initial_given_up = true;
        if let Some(until) = self.failures.backoff_until(self.now) {
            self.want(until);
        }
        if waited_enough && self.fleet.count().ready == 0 {
            self.reject_all(&cause, effects);
        }
    }

    fn on_scale(&mut self, desired: Option<u32>, effects: &mut Effects) -> Follow {
        self.held = desired;
        self.evicted = false;
        if desired == Some(0) && self.waiters.is_empty() {
            // Later ones, woken by an arrival, go by their idle clock.
            while let Some(id) = self.victim() {
                self.drain(id, effects);
            }
        }
        Follow::Ask
    }

    fn on_reconfigure(&mut self, spec: Arc<ScaleSpec>, effects: &mut Effects) -> Follow {
        self.evicted = false;
        self.ceilings = self.ceilings.max(Ceilings::of(&self.spec));
        self.window.advance(self.level, self.now);
        self.window.resize(spec.stable_window);
        self.fleet
            .set_slots(spec.concurrency.max(1), spec.slow_start, self.now);
        if spec.policy != self.spec.policy {
            // What one policy remembers means nothing to the other, except for the start.
            self.policy = None;
            self.state = PolicyState::new(&spec);
            self.initial_given_up = true;
        }
        if let Some(learned) = &mut self.state.learned {
            learned.adapt(&spec);
        }
        self.spec = spec;
        self.unfreezable = false;
        self.thaw_unwanted(effects);
        // Every time that something is due at may have changed.
        self.due = self.now;
        Follow::Ask
    }

    /// What follows a change of load that needs no instance: nothing, if the policy's answer holds
    /// for this load too.
    fn follow_load(&self) -> Follow {
        let holds = self.policy.as_ref().map_or(Holds::ALWAYS, |it| it.holds);
        match self.phase {
            Phase::Serving if self.has_released_spares() => Follow::Settle,
            Phase::Serving if holds.contains(self.load_now()) => Follow::Rest,
            _ => Follow::Settle,
        }
    }

    /// The same for a request that does not wait; what was evicted before it may be replaced.
    fn follow_arrival(&self, evicted: bool) -> Follow {
        match evicted {
            true => Follow::Settle,
            false => self.follow_load(),
        }
    }

    pub(super) fn expired(&self) -> RejectCause {
        let last_failure = self.failures.last().map(|(failure, _)| failure.clone());
        RejectCause::Expired { last_failure }
    }

    pub(super) fn reject(&self, waiter: WaiterId, cause: RejectCause, effects: &mut Effects) {
        effects.push(Effect::Reject { waiter, cause });
    }
}
