//! Slots and waiters as plain lists, searched from end to end.
//!
//! The reference does not know policies: which instances start and stop it learns from the effects,
//! and checks that they may. Whom each slot goes to it works out for itself.

mod compare;

use crate::{
    Admission, Effect, Effects, Event, InstanceId, InstanceState, Outcome, PoolView, RejectCause,
    ScaleSpec, Standing, Timestamp, WaiterId,
};

pub(super) struct Reference {
    spec: ScaleSpec,
    /// Oldest first.
    waiters: Vec<(WaiterId, Timestamp)>,
    /// Oldest first.
    instances: Vec<Entry>,
    /// Ascends; orders uses.
    clock: u64,
    answered: Vec<WaiterId>,
    shut_down: bool,
    /// An adoption or new settings may leave more than this allows.
    max_live: u32,
    /// The request that arrived with this event.
    newcomer: Option<WaiterId>,
    /// It was refused for it would wait too long.
    too_late: bool,
}

struct Entry {
    id: InstanceId,
    state: InstanceState,
    in_use: u32,
    /// When it last came to have its current shelf: idle or partly used.
    shelved: u64,
    evicted: bool,
    /// What it may give out, as last seen: by its standing and its age.
    slots: u32,
    standing: Standing,
    /// Failures since its last answer.
    failures: u32,
    frozen: bool,
}

impl Reference {
    pub(super) fn new(spec: ScaleSpec) -> Self {
        Reference {
            max_live: spec.max_scale,
            spec,
            waiters: Vec::new(),
            instances: Vec::new(),
            clock: 0,
            answered: Vec::new(),
            shut_down: false,
            newcomer: None,
            too_late: false,
        }
    }

    pub(super) fn spec(&self) -> &ScaleSpec {
        &self.spec
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn waiter(&self, place: usize) -> WaiterId {
        self.waiters[place].0
    }

    /// The ids of those that are as wanted by state and leases.
    pub(super) fn instances(&self, wanted: &dyn Fn(InstanceState, u32) -> bool) -> Vec<InstanceId> {
        let found = self
            .instances
            .iter()
            .filter(|entry| wanted(entry.state, entry.in_use));
        found.map(|entry| entry.id).collect()
    }

    /// Does what the event says, then checks and does what the effects say, then compares.
    pub(super) fn follow(
        &mut self,
        event: &Event,
        effects: &Effects,
        view: &PoolView,
        now: Timestamp,
    ) {
        self.clock += 1;
        self.newcomer = None;
        self.too_late = false;
        self.take(event);
        self.widen(view);
        for effect in effects.iter() {
            match effect {
                Effect::Grant {
                    waiter, instance, ..
                } => self.grant(*waiter, *instance, now),
                Effect::Reject { waiter, cause } => self.reject(*waiter, cause, now),
                Effect::Start { instance } => self.start(*instance),
                Effect::Drain { instance } => {
                    let entry = self.entry(*instance);
                    // One that is reprieved and not needed after all is told again.
                    let serves = [InstanceState::Ready, InstanceState::Draining];
                    assert!(serves.contains(&entry.state) && entry.in_use > 0);
                }
                Effect::Freeze { instance } => self.freeze(*instance),
                Effect::Thaw { instance } => {
                    let entry = self.entry(*instance);
                    assert!(entry.frozen, "thawed, but not frozen");
                    entry.frozen = false;
                }
                Effect::Reclaim { instance } => assert!(self.entry(*instance).frozen),
                Effect::Stop { instance } => self.stop(*instance),
                Effect::Kill { instance } => {
                    assert_eq!(self.entry(*instance).state, InstanceState::Stopping);
                }
                Effect::WakeAt(_) | Effect::Decided(_) | Effect::Prepare(_) => {}
            }
        }
        self.compare(view, now);
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Acquire { waiter, deadline } => {
                self.newcomer = Some(*waiter);
                self.waiters.push((*waiter, *deadline));
            }
            Event::Cancel { waiter } => self.waiters.retain(|(other, _)| other != waiter),
            Event::Release {
                instance, outcome, ..
            } => {
                let clock = self.clock;
                let entry = self.entry(*instance);
                entry.in_use -= 1;
                if entry.in_use == 0 || entry.in_use + 1 == entry.slots {
                    entry.shelved = clock;
                }
                match outcome {
                    Outcome::Answered => entry.failures = 0,
                    Outcome::Failed => entry.failures += 1,
                    Outcome::Unknown => {}
                }
            }
            Event::Ready { instance } => {
                let clock = self.clock;
                let entry = self.entry(*instance);
                if entry.state == InstanceState::Starting {
                    entry.state = InstanceState::Ready;
                    entry.shelved = clock;
                }
            }
            Event::StartFailed { instance, .. } | Event::Exited { instance, .. } => {
                self.instances.retain(|entry| entry.id != *instance);
            }
            Event::Adopted { instance } => {
                if self.instances.iter().all(|entry| entry.id != *instance) {
                    self.add(*instance, InstanceState::Ready);
                    self.max_live = self.max_live.max(self.instances.len() as u32);
                }
            }
            Event::Evict => {
                for entry in &mut self.instances {
                    entry.evicted |= entry.state != InstanceState::Starting;
                }
            }
            Event::Reconfigure(spec) => {
                self.max_live = spec.max_scale.max(self.instances.len() as u32);
                if spec.concurrency != self.spec.concurrency || !is_plain(&self.spec) {
                    // Instances change shelves; which one is on top then is not fixed.
                    self.clock += 1;
                    self.instances
                        .iter_mut()
                        .for_each(|entry| entry.shelved = self.clock);
                }
                self.spec = (**spec).clone();
            }
            Event::ShutDown => self.shut_down = true,
            // All goes on as it was.
            Event::Inherited(_) => {}
            Event::Unhealthy { .. }
            | Event::Forgo { .. }
            | Event::Reclaim
            | Event::Scale { .. }
            | Event::ForgoSpares
            | Event::Pressure { .. }
            | Event::FreezeRefused
            | Event::Retire
            | Event::Schedule(_)
            | Event::Tick => {}
        }
    }

    fn grant(&mut self, waiter: WaiterId, instance: InstanceId, now: Timestamp) {
        let (oldest, deadline) = self.waiters.remove(0);
        assert_eq!(oldest, waiter, "granted out of turn");
        assert!(deadline > now, "granted too late");
        self.answer(waiter);
        let best = self
            .instances
            .iter()
            .filter(|entry| entry.state == InstanceState::Ready && entry.in_use < entry.slots)
            .map(|entry| (entry.in_use > 0, entry.shelved))
            .max();
        let clock = self.clock;
        // Where slots come and go by themselves, the order of the shelves is not followed here.
        let plain = is_plain(&self.spec);
        let concurrency = self.spec.concurrency;
        let entry = self.entry(instance);
        assert!(!entry.frozen, "granted on a frozen instance");
        assert!(!entry.evicted, "granted on an evicted instance");
        assert!(entry.in_use < concurrency, "granted beyond the concurrency");
        assert!(
            entry.in_use < entry.slots || entry.state == InstanceState::Draining,
            "granted on an instance that is set aside or too new"
        );
        match entry.state {
            InstanceState::Ready if !plain => {}
            InstanceState::Ready => {
                assert_eq!(
                    best,
                    Some((entry.in_use > 0, entry.shelved)),
                    "not the top one"
                );
            }
            InstanceState::Draining => entry.state = InstanceState::Ready,
            other => panic!("granted on an instance that is {other:?}"),
        }
        entry.in_use += 1;
        if entry.in_use == 1 {
            entry.shelved = clock;
        }
    }

    fn reject(&mut self, waiter: WaiterId, cause: &RejectCause, now: Timestamp) {
        let place = self.waiters.iter().position(|(other, _)| *other == waiter);
        let place = place.expect("only those who wait are rejected");
        let (_, deadline) = self.waiters.remove(place);
        self.answer(waiter);
        let ready = self
            .instances
            .iter()
            .any(|it| it.state == InstanceState::Ready && !it.evicted);
        match cause {
            RejectCause::QueueFull => {
                assert!(self.waiters.len() as u32 >= self.spec.max_waiters);
            }
            RejectCause::TooLate { expected } => {
                assert_eq!(self.spec.admission, Admission::Deadline);
                assert_eq!(self.newcomer, Some(waiter), "it had begun to wait");
                assert!(now + *expected > deadline, "it would have been in time");
                self.too_late = true;
            }
            RejectCause::Expired { .. } => assert!(deadline <= now, "expired too early"),
            RejectCause::StartFailed(_) => assert!(!ready, "a ready one could serve"),
            RejectCause::ShuttingDown => assert!(self.shut_down),
        }
    }

    fn start(&mut self, id: InstanceId) {
        assert!(self.instances.iter().all(|entry| entry.id != id));
        assert!(
            (self.instances.len() as u32) < self.spec.max_scale,
            "beyond max_scale"
        );
        let starting = self
            .instances(&|state, _| state == InstanceState::Starting)
            .len() as u32;
        assert!(starting < self.spec.max_starting, "beyond max_starting");
        assert!(!self.shut_down, "started while shutting down");
        self.add(id, InstanceState::Starting);
    }

    fn stop(&mut self, id: InstanceId) {
        let entry = self.entry(id);
        assert_ne!(entry.state, InstanceState::Stopping, "stopped twice");
        assert!(!entry.frozen, "stopped while frozen");
        entry.state = InstanceState::Stopping;
    }

    /// Only idle ones, the idlest first, and so many of the others stay.
    fn freeze(&mut self, id: InstanceId) {
        let freeze = self.spec.freeze;
        assert!(freeze.after.is_some(), "frozen, but nobody asked for it");
        let idle = |it: &&Entry| {
            let ready = it.state == InstanceState::Ready && it.slots > 0;
            ready && it.in_use == 0 && !it.frozen
        };
        let hot: Vec<&Entry> = self.instances.iter().filter(idle).collect();
        assert!(
            hot.len() > freeze.keep_hot as usize,
            "too few are left that run"
        );
        let idlest = hot.iter().map(|it| it.shelved).min();
        let plain = is_plain(&self.spec);
        let entry = self.entry(id);
        assert!(entry.state == InstanceState::Ready && entry.in_use == 0);
        assert!(!entry.frozen, "frozen twice");
        assert!(!plain || Some(entry.shelved) == idlest, "not the idlest");
        entry.frozen = true;
    }

    fn answer(&mut self, waiter: WaiterId) {
        assert!(!self.answered.contains(&waiter), "answered twice");
        self.answered.push(waiter);
    }

    fn add(&mut self, id: InstanceId, state: InstanceState) {
        let shelved = self.clock;
        self.instances.push(Entry {
            id,
            state,
            in_use: 0,
            shelved,
            evicted: false,
            slots: 0,
            standing: Standing::Good,
            failures: 0,
            frozen: false,
        });
    }

    fn entry(&mut self, id: InstanceId) -> &mut Entry {
        let found = self.instances.iter_mut().find(|entry| entry.id == id);
        found.expect("effects name instances that are there")
    }
}

/// Slots do not come and go by themselves.
fn is_plain(spec: &ScaleSpec) -> bool {
    spec.slow_start.is_zero() && spec.health.failures == 0
}
