//! The instances of a pool and the order in which their free slots are given out.

mod audit;
mod frozen;
mod inherit;
mod shelves;
mod usable;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pool::health::Record;
use crate::pool::{Frozen, InstanceState, Standing};
use crate::{InstanceId, Timestamp};
use shelves::{Shelf, Stack};

/// One instance.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) state: InstanceState,
    /// When it entered that state.
    pub(super) since: Timestamp,
    pub(super) created: Timestamp,
    /// Leases alive.
    pub(super) in_use: u32,
    /// Leases ended.
    pub(super) served: u64,
    /// Set while it is ready and no slot is in use.
    pub(super) idle_since: Option<Timestamp>,
    /// Set while it is frozen.
    pub(super) frozen: Option<Frozen>,
    /// It answered a request once, or was adopted.
    pub(super) proven: bool,
    /// Its failure is already part of the count of failures.
    pub(super) blamed: bool,
    /// Its drain is final.
    pub(super) evicted: bool,
    /// The count of failures when it was started.
    pub(super) round: u64,
    /// The number of the event that made it ready; later than that of a waiter it made wait.
    pub(super) ready_event: u64,
    /// When it is killed, while it is stopping.
    pub(super) kill_at: Timestamp,
    /// The concurrency when its last slot was given out.
    pub(super) limit: u32,
    /// Slots that may be given out, by its standing and by how long it is up.
    pub(super) slots: u32,
    /// Whether it is trusted, while it is ready.
    pub(super) standing: Standing,
    pub(super) record: Record,
    /// Since when it is up, while it has fewer slots for that.
    pub(super) warm_since: Option<Timestamp>,
    /// How far it has come with that.
    step: u32,
    shelf: Option<Shelf>,
    /// Neighbour that is used earlier.
    above: Option<Place>,
    /// Neighbour that is used later.
    below: Option<Place>,
}

/// Instances by id, with a stack of those that have a free slot.
///
/// The stack has three shelves. Partly used instances come first, so that requests gather and whole
/// instances stay idle; then idle ones, the most recently used first, so that the surplus stays
/// idle and can go; then those of them that are frozen, which are the ones that were idle for the
/// longest time. All are doubly linked through the instances, which lie in places that do not
/// move: giving out a slot searches nothing, taking it back looks up one id, and neither allocates.
#[derive(Debug)]
pub(super) struct Fleet {
    places: Vec<Option<Instance>>,
    vacant: Vec<Place>,
    ids: BTreeMap<InstanceId, Place>,
    partial: Stack,
    idle: Stack,
    frozen: Stack,
    concurrency: u32,
    slow_start: Duration,
    count: Counts,
}

/// Sums over all instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) starting: u32,
    pub(super) ready: u32,
    pub(super) draining: u32,
    pub(super) stopping: u32,
    /// Leases alive, in any state.
    pub(super) leases: u32,
    /// Of those that are ready, the ones that are not trusted.
    pub(super) aside: u32,
    /// Of those that are ready, the ones that have few slots for they are new.
    pub(super) warming: u32,
}

/// An index into [`Fleet::places`].
type Place = usize;

impl Instance {
    /// A new one; `round` as in [`Instance::round`].
    pub(super) fn new(id: InstanceId, state: InstanceState, round: u64, now: Timestamp) -> Self {
        Instance {
            id,
            state,
            since: now,
            created: now,
            in_use: 0,
            served: 0,
            idle_since: None,
            frozen: None,
            proven: false,
            blamed: false,
            evicted: false,
            round,
            ready_event: 0,
            kill_at: Timestamp::MAX,
            limit: 0,
            slots: 0,
            standing: Standing::Good,
            record: Record::default(),
            warm_since: None,
            step: 0,
            shelf: None,
            above: None,
            below: None,
        }
    }
}

impl Fleet {
    pub(super) fn new(concurrency: u32, slow_start: Duration) -> Self {
        Fleet {
            places: Vec::new(),
            vacant: Vec::new(),
            ids: BTreeMap::new(),
            partial: Stack::default(),
            idle: Stack::default(),
            frozen: Stack::default(),
            concurrency,
            slow_start,
            count: Counts::default(),
        }
    }

    pub(super) fn count(&self) -> Counts {
        self.count
    }

    /// Instances in any state.
    pub(super) fn live(&self) -> u32 {
        self.ids.len() as u32
    }

    /// Instances that take requests or will, without those that are set aside.
    pub(super) fn serving(&self) -> u32 {
        self.present() - self.count.aside
    }

    /// The same with them.
    pub(super) fn present(&self) -> u32 {
        self.count.ready + self.count.starting
    }

    /// Ready instances that are trusted.
    pub(super) fn trusted(&self) -> u32 {
        self.count.ready - self.count.aside
    }

    pub(super) fn get(&self, id: InstanceId) -> Option<&Instance> {
        Some(self.at(*self.ids.get(&id)?))
    }

    /// For fields that neither state, slots nor order depend on.
    pub(super) fn get_mut(&mut self, id: InstanceId) -> Option<&mut Instance> {
        let place = *self.ids.get(&id)?;
        Some(self.at_mut(place))
    }

    /// By id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (InstanceId, &Instance)> {
        self.ids.iter().map(|(&id, &place)| (id, self.at(place)))
    }

    /// The ids of those in `state`, ascending.
    pub(super) fn in_state(&self, state: InstanceState) -> Vec<InstanceId> {
        let found = self.iter().filter(|(_, instance)| instance.state == state);
        found.map(|(id, _)| id).collect()
    }

    /// A ready instance has a free slot.
    pub(super) fn has_free(&self) -> bool {
        self.top().is_some()
    }

    /// The instance that is idle for the longest time, and since when.
    pub(super) fn idlest(&self) -> Option<(InstanceId, Timestamp)> {
        let instance = self.at(self.frozen.bottom.or(self.idle.bottom)?);
        Some((instance.id, instance.idle_since?))
    }

    /// Adds an instance that is not in yet.
    pub(super) fn insert(&mut self, instance: Instance, now: Timestamp) {
        *self.count.of(instance.state) += 1;
        self.count.leases += instance.in_use;
        self.count.aside += u32::from(instance.standing.is_aside());
        let id = instance.id;
        let place = match self.vacant.pop() {
            Some(place) => {
                self.places[place] = Some(instance);
                place
            }
            None => {
                self.places.push(Some(instance));
                self.places.len() - 1
            }
        };
        self.ids.insert(id, place);
        self.reshelve(place, now);
    }

    /// Takes an instance out; its leases are void.
    pub(super) fn remove(&mut self, id: InstanceId) -> Option<Instance> {
        let place = self.ids.remove(&id)?;
        self.start_over(place);
        self.unlink(place);
        self.vacant.push(place);
        let instance = self.places[place].take()?;
        *self.count.of(instance.state) -= 1;
        self.count.leases -= instance.in_use;
        Some(instance)
    }

    /// Moves an instance to another state.
    pub(super) fn enter(&mut self, id: InstanceId, state: InstanceState, now: Timestamp) {
        let Some(&place) = self.ids.get(&id) else {
            return;
        };
        self.start_over(place);
        let instance = self.at_mut(place);
        instance.frozen = None;
        let former = std::mem::replace(&mut instance.state, state);
        instance.since = now;
        *self.count.of(former) -= 1;
        *self.count.of(state) += 1;
        self.reshelve(place, now);
    }

    /// Gives out the next free slot, and says whether its instance was frozen until now.
    pub(super) fn lease(&mut self, now: Timestamp) -> Option<(&Instance, bool)> {
        let place = self.top()?;
        let concurrency = self.concurrency;
        let instance = self.at_mut(place);
        let thawed = instance.frozen.take().is_some();
        instance.in_use += 1;
        instance.limit = concurrency;
        self.count.leases += 1;
        self.reshelve(place, now);
        Some((self.at(place), thawed))
    }

    /// Takes one slot back; none if none was out.
    pub(super) fn release(&mut self, id: InstanceId, now: Timestamp) -> Option<&mut Instance> {
        let place = *self.ids.get(&id)?;
        let instance = self.at_mut(place);
        instance.in_use = instance.in_use.checked_sub(1)?;
        instance.served += 1;
        self.count.leases -= 1;
        self.reshelve(place, now);
        Some(self.at_mut(place))
    }

    /// Changes the slots of every instance; those with more in use get nothing new until below.
    pub(super) fn set_slots(&mut self, concurrency: u32, slow_start: Duration, now: Timestamp) {
        self.concurrency = concurrency;
        self.slow_start = slow_start;
        self.refresh(now);
    }

    /// Trusts an instance and lets it have all its slots.
    fn start_over(&mut self, place: Place) {
        let instance = self.at_mut(place);
        let aside = std::mem::take(&mut instance.standing).is_aside();
        let warming = instance.warm_since.take().is_some();
        self.count.aside -= u32::from(aside);
        self.count.warming -= u32::from(warming);
    }

    fn at(&self, place: Place) -> &Instance {
        self.places[place]
            .as_ref()
            .expect("a place in use holds an instance")
    }

    fn at_mut(&mut self, place: Place) -> &mut Instance {
        self.places[place]
            .as_mut()
            .expect("a place in use holds an instance")
    }
}

impl Counts {
    fn of(&mut self, state: InstanceState) -> &mut u32 {
        match state {
            InstanceState::Starting => &mut self.starting,
            InstanceState::Ready => &mut self.ready,
            InstanceState::Draining => &mut self.draining,
            InstanceState::Stopping => &mut self.stopping,
        }
    }
}
