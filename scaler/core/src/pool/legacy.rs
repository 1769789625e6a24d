//! What a pool leaves to a pool of the same revision in another gateway, which goes on from there.

use crate::pool::fleet::Instance;
use crate::pool::waiters::Waiter;
use crate::pool::{Frozen, InstanceState, Learned, Pool, Record, Standing};
use crate::{Effect, Effects, InstanceId, Timestamp, WaiterId};

use super::events::Follow;

/// All that a pool has, at times of the clock that both pools go by.
///
/// What the failed starts remember is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Legacy {
    /// Those whose slots are given out first come last.
    pub instances: Vec<Inherited>,
    /// Who waits and until when, oldest first. Their ids are new in the pool that inherits.
    pub waiters: Vec<(WaiterId, Timestamp)>,
    /// The number of instances that an operator holds.
    pub held: Option<u32>,
    /// Instances were evicted and nothing was asked for since.
    pub evicted: bool,
    /// When a request last ran or waited.
    pub last_active: Timestamp,
    /// The times that requests and starts took.
    pub learned: Learned,
    /// What the policy and its averages remember, in a form that only a pool reads. Without it, or
    /// under another policy, the successor looks at the instances as after a restart.
    pub memory: Vec<u64>,
}

/// One instance of a [`Legacy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// Its id, which is not one that the inheriting pool gives out.
    pub instance: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// When it entered that state.
    pub since: Timestamp,
    /// When it was asked for or adopted.
    pub created: Timestamp,
    /// Leases alive.
    pub in_use: u32,
    /// Leases ended.
    pub served: u64,
    /// When its last lease ended, if it is ready and idle.
    pub idle_since: Option<Timestamp>,
    /// Set while it is frozen, which only one that is ready and idle is.
    pub frozen: Option<Frozen>,
    /// It answered a request once.
    pub proven: bool,
    /// Its drain is final.
    pub evicted: bool,
    /// Whether it is trusted, if it is ready.
    pub standing: Standing,
    /// What it has done lately.
    pub record: Record,
    /// Since when it is up, while it has fewer slots for that.
    pub warm_since: Option<Timestamp>,
}

impl Pool {
    /// What another pool is to go on with. From then on this one must take no event, or the two
    /// would give out the same slots.
    pub fn legacy(&self) -> Legacy {
        let instances = self.fleet.by_turn().map(|instance| Inherited {
            instance: instance.id,
            state: instance.state,
            since: instance.since,
            created: instance.created,
            in_use: instance.in_use,
            served: instance.served,
            idle_since: instance.idle_since,
            frozen: instance.frozen,
            proven: instance.proven,
            evicted: instance.evicted,
            standing: instance.standing,
            record: instance.record,
            warm_since: instance.warm_since,
        });
        let waiters = self.waiters.iter();
        Legacy {
            instances: instances.collect(),
            waiters: waiters.map(|waiter| (waiter.id, waiter.deadline)).collect(),
            held: self.held,
            evicted: self.evicted,
            last_active: self.last_active,
            learned: self.learned,
            memory: self.memory(),
        }
    }

    pub(super) fn on_inherited(&mut self, legacy: Legacy, effects: &mut Effects) -> Follow {
        for inherited in &legacy.instances {
            self.inherit(inherited, effects);
        }
        for (waiter, deadline) in legacy.waiters {
            self.inherit_waiter(waiter, deadline, effects);
        }
        self.ceilings.raise(&self.fleet, &self.waiters);
        self.held = legacy.held;
        self.evicted = legacy.evicted;
        self.last_active = legacy.last_active.min(self.now);
        self.learned = Learned {
            service: legacy.learned.service.checked(),
            start: legacy.learned.start.checked(),
        };
        if self.learned.start.count > 0 || !legacy.instances.is_empty() {
            self.note_use();
        }
        // The revision is not new.
        self.initial_given_up = true;
        if !self.recall(&legacy.memory) {
            self.state.decided = false;
        }
        // Drains, stops and idle clocks may be due already, and so may trials and further slots.
        self.due = self.now;
        self.thaw_unwanted(effects);
        self.fleet.refresh(self.now);
        Follow::Ask
    }

    fn inherit(&mut self, inherited: &Inherited, effects: &mut Effects) {
        let id = inherited.instance;
        if self.fleet.get(id).is_some() {
            return;
        }
        let round = self.failures.round();
        let mut instance = Instance::new(id, inherited.state, round, self.now);
        instance.since = inherited.since.min(self.now);
        instance.created = inherited.created.min(self.now);
        instance.in_use = inherited.in_use;
        instance.limit = inherited.in_use;
        instance.served = inherited.served;
        instance.proven = inherited.proven;
        instance.evicted = inherited.evicted;
        instance.record = inherited.record;
        if inherited.state == InstanceState::Ready {
            instance.standing = inherited.standing;
            instance.warm_since = inherited.warm_since.map(|since| since.min(self.now));
        }
        match inherited.frozen {
            Some(frozen) if self.may_inherit_frozen(inherited) => {
                instance.frozen = Some(Frozen {
                    since: frozen.since.min(self.now),
                    ..frozen
                });
            }
            Some(_) => effects.push(Effect::Thaw { instance: id }),
            None => {}
        }
        if inherited.state == InstanceState::Stopping {
            // It was told; the time until it is killed begins anew.
            instance.kill_at = self.now + self.grace();
        }
        self.fleet.inherit(instance, inherited.idle_since, self.now);
        if inherited.state == InstanceState::Draining && inherited.in_use == 0 {
            self.stop(id, effects);
        }
    }

    fn inherit_waiter(&mut self, id: WaiterId, deadline: Timestamp, effects: &mut Effects) {
        if self.waiters.contains(id) {
            return;
        }
        if deadline <= self.now {
            self.reject(id, self.expired(), effects);
            return;
        }
        // The number of an event orders it among all others.
        self.events += 1;
        self.waiters.push(Waiter {
            id,
            deadline,
            since: self.now,
            event: self.events,
        });
    }
}
