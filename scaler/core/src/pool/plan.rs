//! From the policy's answer to starts and stops.

use crate::pool::{InstanceState, Phase, Pool};
use crate::{
    Aggregation, Clamp, Decision, Effect, Effects, InstanceId, Load, Observations, Policy,
    RejectCause, Timestamp, WaiterId, decide,
};

use super::fleet::Instance;

impl Pool {
    /// Asks the policy if it is due (or `asked` for), and brings the instances in line with it.
    pub(super) fn settle(&mut self, asked: bool, effects: &mut Effects) {
        let mut fresh = self.schedule.advance(self.now) || asked || self.is_decision_due();
        self.uphold_floor();
        loop {
            if fresh {
                self.ask_policy();
            }
            self.target = self.govern().0;
            let missing = self.target.saturating_sub(self.fleet.serving());
            let reprieved = self.reprieve(missing);
            self.dispatch(effects);
            if !reprieved {
                break;
            }
            fresh = self.is_decision_due();
        }
        // Waiters that have got a slot need no further instance.
        self.target = self.govern().0;
        self.start_missing(effects);
        self.stop_surplus(effects);
        while self.uphold_floor() {
            self.dispatch(effects);
            self.stop_surplus(effects);
        }
        self.reject_hopeless(effects);
        self.freeze_idle(effects);
        // Another instance may be the one that is idle for the longest time now.
        for time in [self.idle_due(), self.freeze_due()].into_iter().flatten() {
            self.want(time);
        }
        self.announce(effects);
        if self.spares.is_some() || self.spec.spares.is_some() {
            self.plan_spares(effects);
        }
    }

    /// Gives free slots to the oldest waiters.
    pub(super) fn dispatch(&mut self, effects: &mut Effects) {
        while self.fleet.has_free()
            && let Some(waiter) = self.waiters.pop()
        {
            self.grant(waiter.id, Some(waiter.event), effects);
            if let Some(learned) = &mut self.state.learned {
                learned.granted(self.now.since(waiter.since), self.now);
            }
        }
    }

    /// Whether an instance whose [`Effect::Start`] is being carried out may be told
    /// [`Event::Ready`](crate::Event::Ready) before it is known to run, `begun` of such being under
    /// way. While starts fail nobody is sent to one in advance, and those under way count against
    /// `max_starting` like all others.
    pub fn may_begin(&self, begun: u32) -> bool {
        let starting = self.fleet.count().starting;
        self.failures.is_empty() && begun.saturating_add(starting) <= self.spec.max_starting
    }

    /// Gives the next free slot to a request that waited since the event `since`, if it did; false
    /// if there is no free slot.
    pub(super) fn grant(
        &mut self,
        waiter: WaiterId,
        since: Option<u64>,
        effects: &mut Effects,
    ) -> bool {
        let Some((instance, thawed)) = self.fleet.lease(self.now) else {
            return false;
        };
        if thawed {
            effects.push(Effect::Thaw {
                instance: instance.id,
            });
        }
        let cold = since.is_some_and(|event| event < instance.ready_event);
        effects.push(Effect::Grant {
            waiter,
            instance: instance.id,
            cold,
        });
        true
    }

    /// What the policy sees now.
    fn observe(&self) -> Observations {
        let count = self.fleet.count();
        let load = match self.spec.policy {
            Policy::Kpa => self.load(),
            // They ask with every request that waits, and need no averages.
            Policy::OnArrival | Policy::Histogram | Policy::Goal => None,
        };
        let active = count.leases > 0 || !self.waiters.is_empty();
        Observations {
            load,
            ready: self.fleet.trusted(),
            starting: count.starting,
            in_flight: count.leases,
            queued: self.waiters.len(),
            last_active: if active { self.now } else { self.last_active },
            waiting_since: self.waiters.oldest().map(|waiter| waiter.since),
            scheduled: self.schedule.floor(),
        }
    }

    fn load(&self) -> Option<Load> {
        let stable = self.spec.stable_window;
        let panic = stable.mul_f64(self.spec.panic_window_percentage / 100.0);
        let average = |span| match self.spec.metric_aggregation_algorithm {
            Aggregation::Linear => self.window.average(span),
            Aggregation::WeightedExponential => self.window.weighted(span),
        };
        Some(Load {
            stable: average(stable)?,
            panic: average(panic)?,
        })
    }

    /// Most policies are cheap to ask and worth it every time; `kpa` decides at its interval, and at
    /// once when requests wait and nothing will serve them.
    pub(super) fn is_decision_due(&self) -> bool {
        match self.spec.policy {
            Policy::OnArrival | Policy::Histogram | Policy::Goal => true,
            Policy::Kpa => {
                let at_zero = self.fleet.serving() == 0 && !self.waiters.is_empty();
                let wake_at = self.policy.as_ref().map(|decision| decision.wake_at);
                let due = match wake_at {
                    None => true,
                    Some(wake_at) => wake_at.is_some_and(|time| time <= self.now),
                };
                at_zero || due
            }
        }
    }

    pub(super) fn ask_policy(&mut self) {
        let observations = self.observe();
        let mut prior = std::mem::take(&mut self.state);
        prior.initial_reached |= self.initial_given_up;
        let mut decision = decide(&self.spec, prior, &observations, self.now);
        self.state = std::mem::take(&mut decision.next);
        let times = [decision.wake_at, decision.wake_waiting_at];
        times.into_iter().flatten().for_each(|time| self.want(time));
        self.policy = Some(decision);
    }

    /// What the policy would answer if it were asked at `now`, for `explain`: most are asked only
    /// when it matters, so that their last answer may be an old one. `kpa` stands by its last one
    /// until its next interval, as does whoever is overruled.
    pub(super) fn present_decision(&self, now: Timestamp) -> Option<Decision> {
        let last = self.governed()?;
        if last.idle_timeout.is_none() || self.govern().1.is_some() {
            return Some(last);
        }
        let mut prior = self.state.clone();
        prior.initial_reached |= self.initial_given_up;
        Some(decide(
            &self.spec,
            prior,
            &self.observe(),
            now.max(self.now),
        ))
    }

    /// The policy's answer after what people and the pool's own end impose, and the reason if that
    /// changed it.
    pub(super) fn govern(&self) -> (u32, Option<Clamp>) {
        let policy = self.policy.as_ref().map_or(0, |decision| decision.desired);
        let queued = self.waiters.len();
        let ready = self.fleet.trusted();
        let serving = self.fleet.serving();
        // Enough for every waiter, and no less than there is.
        let demand = match queued {
            0 => 0,
            _ => ready.saturating_add(queued.div_ceil(self.spec.concurrency.max(1))),
        };
        let needed = demand.max(serving).min(self.spec.max_scale);
        let (mut desired, mut clamp) = match self.phase {
            Phase::Serving => match self.held {
                Some(0) => (demand.min(1), Clamp::Override),
                Some(count) => (count.min(self.spec.max_scale), Clamp::Override),
                None => (policy, Clamp::None),
            },
            Phase::Retired | Phase::ShuttingDown if queued == 0 => (0, Clamp::Retired),
            Phase::Retired => (needed, Clamp::Retired),
            Phase::ShuttingDown => (serving.max(1), Clamp::Retired),
        };
        let asked_for = if queued == 0 { serving } else { needed };
        if self.evicted && desired > asked_for {
            (desired, clamp) = (asked_for, Clamp::Evicted);
        }
        (desired, (desired != policy).then_some(clamp))
    }

    /// Starts what is missing, as far as failures and bounds allow.
    fn start_missing(&mut self, effects: &mut Effects) {
        let missing = self.target.saturating_sub(self.fleet.serving());
        if missing == 0 || self.phase == Phase::ShuttingDown {
            return;
        }
        let room = self.spec.max_scale.saturating_sub(self.fleet.live());
        let starting = self.fleet.count().starting;
        let allowed = self
            .failures
            .allowance(starting, self.spec.max_starting, self.now);
        for _ in 0..missing.min(room).min(allowed) {
            self.started += 1;
            let id = InstanceId::new(self.number, self.started);
            let round = self.failures.round();
            let instance = Instance::new(id, InstanceState::Starting, round, self.now);
            self.fleet.insert(instance, self.now);
            self.note_start();
            effects.push(Effect::Start { instance: id });
        }
    }

    /// Drains what must go now, what was idle for long enough, and what goes for want of memory.
    fn stop_surplus(&mut self, effects: &mut Effects) {
        let limit = self.limit();
        while self.fleet.present() > limit {
            let Some(victim) = self.victim() else {
                return;
            };
            self.drain(victim, effects);
        }
        self.release_frozen(effects);
        let Some(timeout) = self.idle_timeout() else {
            return;
        };
        while self.fleet.serving() > self.target
            && let Some((id, since)) = self.fleet.idlest()
            && since + timeout <= self.now
        {
            self.drain(id, effects);
        }
    }

    /// Instances above this number go at once, busy or not.
    fn limit(&self) -> u32 {
        let max = self.spec.max_scale;
        match (self.phase, self.held, self.idle_timeout()) {
            (Phase::Retired | Phase::ShuttingDown, ..) if self.waiters.is_empty() => 0,
            (Phase::Retired | Phase::ShuttingDown, ..) => max,
            // What an arrival woke leaves by its idle clock.
            (Phase::Serving, Some(0), _) => max,
            (Phase::Serving, Some(_), _) | (Phase::Serving, None, None) => {
                // Those that are set aside are not part of the target.
                let aside = self.fleet.count().aside;
                self.target.saturating_add(aside).min(max)
            }
            (Phase::Serving, None, Some(_)) => max,
        }
    }

    /// How long an instance above the target may be idle, if the idle clock decides at all.
    pub(super) fn idle_timeout(&self) -> Option<std::time::Duration> {
        match (self.held, &self.policy) {
            (Some(0), _) => Some(self.spec.idle_timeout),
            (Some(_), _) => None,
            (None, Some(decision)) => decision.idle_timeout,
            (None, None) => Some(self.spec.idle_timeout),
        }
    }

    /// When the instance that is idle for the longest time is to be looked at.
    ///
    /// One that stays beyond its time, as part of the target, is looked at again when the load or a
    /// setting changes, which are events of their own.
    pub(super) fn idle_due(&self) -> Option<Timestamp> {
        let (_, since) = self.fleet.idlest()?;
        let time = since + self.idle_timeout()?;
        (self.fleet.serving() > self.target || time > self.now).then_some(time)
    }

    /// The instance that is missed least: one that starts for nobody, the youngest first; one that
    /// is set aside; the one idle for the longest time; the one with the fewest requests.
    pub(super) fn victim(&self) -> Option<InstanceId> {
        let count = self.fleet.count();
        let needed = self.waiters.len().div_ceil(self.spec.concurrency.max(1));
        let starting = || self.fleet.in_state(InstanceState::Starting).last().copied();
        if count.starting > needed {
            return starting();
        }
        if count.aside > 0 {
            let aside = self.fleet.iter().filter(|(_, it)| it.standing.is_aside());
            return aside
                .min_by_key(|(id, it)| (it.in_use, *id))
                .map(|(id, _)| id);
        }
        if let Some((id, _)) = self.fleet.idlest() {
            return Some(id);
        }
        self.fleet
            .iter()
            .filter(|(_, instance)| instance.state == InstanceState::Ready)
            .min_by_key(|(id, instance)| (instance.in_use, *id))
            .map(|(id, _)| id)
            .or_else(starting)
    }

    /// Answers the waiters that nothing can serve and nothing may be started for.
    fn reject_hopeless(&mut self, effects: &mut Effects) {
        if self.waiters.is_empty() || self.fleet.serving() > 0 || self.has_reprievable() {
            return;
        }
        let verdict = self.failures.verdict(&self.spec.backoff, self.now);
        let cause = match (verdict, self.phase) {
            (Some(failure), _) => RejectCause::StartFailed(failure.clone()),
            (None, Phase::ShuttingDown) => RejectCause::ShuttingDown,
            (None, _) => return,
        };
        self.reject_all(&cause, effects);
    }

    pub(super) fn reject_all(&mut self, cause: &RejectCause, effects: &mut Effects) {
        while let Some(waiter) = self.waiters.pop() {
            effects.push(Effect::Reject {
                waiter: waiter.id,
                cause: cause.clone(),
            });
        }
    }

    /// Tells the shell about a decision that is not the former one.
    fn announce(&mut self, effects: &mut Effects) {
        let Some(policy) = self.policy.as_ref().filter(|_| self.announces) else {
            return;
        };
        let answer = (self.govern().0, policy.mode);
        if self.announced != Some(answer) {
            self.announced = Some(answer);
            if let Some(decision) = self.governed() {
                effects.push(Effect::Decided(Box::new(decision)));
            }
        }
    }

    /// The policy's last answer as it is in force.
    pub(super) fn governed(&self) -> Option<Decision> {
        let mut decision = self.policy.clone()?;
        let (desired, clamp) = self.govern();
        if let Some(clamp) = clamp {
            decision.why.unclamped = decision.desired;
            decision.why.clamp = clamp;
        }
        decision.desired = desired;
        decision.why.desired = desired;
        Some(decision)
    }

    /// The earliest time at which something is due, from scratch.
    pub(super) fn next_due(&self) -> Timestamp {
        let mut due = self.waiters.earliest_deadline().unwrap_or(Timestamp::MAX);
        if let Some(decision) = &self.policy {
            let waiting = decision.wake_waiting_at;
            let waiting = waiting.filter(|_| !self.waiters.is_empty());
            let times = decision.wake_at.into_iter().chain(waiting);
            due = times.fold(due, Timestamp::min);
        }
        if let Some(time) = self.failures.backoff_until(self.now) {
            due = due.min(time);
        }
        for time in [self.idle_due(), self.freeze_due()].into_iter().flatten() {
            due = due.min(time);
        }
        due = due.min(self.fleet.next_refresh());
        due = due.min(self.schedule.next().unwrap_or(Timestamp::MAX));
        if let Some(spares) = &self.spares {
            due = due.min(spares.look_at);
        }
        let count = self.fleet.count();
        if count.draining + count.stopping > 0 {
            for (_, instance) in self.fleet.iter() {
                match instance.state {
                    InstanceState::Draining => {
                        due = due.min(instance.since + self.spec.drain_timeout);
                    }
                    InstanceState::Stopping => due = due.min(instance.kill_at),
                    InstanceState::Starting | InstanceState::Ready => {}
                }
            }
        }
        due
    }
}
