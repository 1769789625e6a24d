//! Starts that are held until the machine has room, and what is done for those that are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stoker_core::{Effect, Event, FailureKind, StartFailure, Timestamp};

use super::Function;
use super::elsewhere::Rule;
use super::start::stopped_before_start;
use crate::driver::Started;
use crate::starts::{Entry, Permit, Queued};
use crate::{Instance, Notice};

/// So many instances are measured after a start.
const MEASURED: usize = 8;

/// A start may begin, after so long.
pub(super) type Passed = (Permit, Duration);

impl<C: Send + 'static> Function<C> {
    /// Asks the gate for a start.
    pub(super) fn enter_gate(&self, instance: &Instance<C>) -> Entry {
        let need = self.footprint.bytes();
        let entry = self.shared.gate.enter(self.number, instance.id(), need);
        if matches!(entry, Entry::Waiting(_)) {
            self.held.fetch_add(1, Ordering::Relaxed);
        }
        entry
    }

    /// Waits until the start may begin, unless it is not needed any more or there is no memory for
    /// it within the start timeout.
    pub(super) async fn pass_gate(
        &self,
        instance: &Arc<Instance<C>>,
        entry: Entry,
    ) -> Result<Passed, StartFailure> {
        let mut queued = match entry {
            Entry::Passed(permit) => return Ok((permit, Duration::ZERO)),
            Entry::Waiting(queued) => queued,
        };
        let permit = self.wait_at_gate(instance, &mut queued).await;
        let (by, since) = (queued.by, queued.since);
        drop(queued);
        self.held.fetch_sub(1, Ordering::Relaxed);
        let waited = since.elapsed();
        self.notice(Notice::Held {
            id: instance.id(),
            by,
            waited,
        });
        let permit = permit?;
        if !self.forgo(instance.id()) {
            let now = self.shared.clock.now();
            self.lock().recorder.admitted(instance.id(), now);
        }
        Ok((permit, waited))
    }

    async fn wait_at_gate(
        &self,
        instance: &Instance<C>,
        queued: &mut Queued,
    ) -> Result<Permit, StartFailure> {
        let patience = self.launch.start_timeout;
        let mut deadline = queued.since + patience;
        loop {
            tokio::select! {
                permit = queued.admitted() => {
                    return permit.ok_or_else(stopped_before_start);
                }
                () = instance.draining() => return Err(stopped_before_start()),
                () = tokio::time::sleep_until(deadline.into()) => {
                    if let Some(shortage) = self.shared.gate.shortage(self.number) {
                        return Err(StartFailure {
                            kind: FailureKind::Resources,
                            detail: shortage.to_string().into(),
                        });
                    }
                    // Its turn comes.
                    deadline = Instant::now() + patience;
                }
            }
        }
    }

    /// Has the driver start it.
    pub(super) async fn start_within(
        &self,
        instance: &Instance<C>,
        permit: Permit,
        held: Duration,
    ) -> Result<Started, StartFailure> {
        let started = self.shared.driver.start(instance.id(), &self.launch).await;
        drop(permit);
        let mut started = started?;
        started.timings.gate = held;
        Ok(started)
    }

    /// Gives up the starts at the gate that nobody needs any more.
    pub(super) fn forgo_surplus(&self) {
        while self.held.load(Ordering::Relaxed) > 0
            && let Some(instance) = self.shared.gate.youngest(self.number)
            && self.forgo(instance)
        {
            self.shared.gate.withdraw(self.number, instance);
        }
    }

    /// Gives up a start that has not begun, unless it is needed; true if it was given up.
    fn forgo(&self, instance: stoker_core::InstanceId) -> bool {
        self.give_up(Event::Forgo { instance })
    }

    /// Since when the instance is idle that may be given up for others.
    pub(crate) fn reclaimable(&self) -> Option<Timestamp> {
        let state = self.lock();
        let here = matches!(state.rule, Rule::Here);
        here.then(|| state.pool.reclaimable()).flatten()
    }

    /// Gives up the instance that is idle for the longest time, if its policy does not want it.
    pub(crate) fn reclaim(&self) -> bool {
        self.give_up(Event::Reclaim)
    }

    /// True if an instance was told to end. Nothing is given up for another gateway's pool.
    fn give_up(&self, event: Event) -> bool {
        let now = self.shared.clock.now();
        let mut state = self.lock();
        if !matches!(state.rule, Rule::Here) {
            return false;
        }
        let effects = state.step(event, now, &self.meter);
        let gave_up = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Stop { .. }));
        let todo = self.resolve(&mut state, effects);
        drop(state);
        self.carry_out(todo);
        gave_up
    }

    /// Learns how much memory instances take, from some that are up.
    pub(super) fn measure(&self) {
        if !self.is_measured_now() {
            return;
        }
        let pids: Vec<u32> = {
            let state = self.lock();
            let pids = state.instances.values().filter_map(|it| it.pid());
            pids.take(MEASURED).collect()
        };
        for pid in pids {
            self.footprint.measure(pid);
        }
    }

    /// Learns how much memory an instance has taken that is about to end.
    pub(super) fn measure_at_end(&self, instance: &Instance<C>) {
        if let Some(pid) = instance.pid()
            && self.is_measured_now()
        {
            self.footprint.measure(pid);
        }
    }

    fn is_measured_now(&self) -> bool {
        let now = self.shared.clock.now();
        self.shared.gate.watches_memory() && self.footprint.is_due(now)
    }
}
