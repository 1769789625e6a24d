//! All functions, the one timer and the one driver.

mod begins;
mod pressure;
mod record;
mod room;
mod stall;
mod succession;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use stoker_core::{Event, InstanceId, ScaleSpec};
use stoker_meter::Ledger;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::clock::monotonic_nanos;
use crate::driver::{Driver, Exit, LaunchSpec, Observed, Prepared, Stop};
use crate::history::History;
use crate::record::Store;
use crate::starts::Gate;
use crate::timer::Timer;
use crate::{Clock, Function, Notices, Renewal, StartRecord, metering};
use begins::Begins;
pub(crate) use pressure::MemoryState;
pub use pressure::{PressureSettings, Reclaim};
use succession::Inheritance;

/// Registers functions and keeps their pools going.
pub struct Scaler<C: Send + 'static> {
    pub(crate) shared: Arc<Shared<C>>,
}

/// What a scaler needs.
pub struct ScalerSettings {
    /// Starts and stops instances.
    pub driver: Arc<dyn Driver>,
    /// Where starts and timers run.
    pub runtime: Handle,
    /// Receives what happens.
    pub notices: Notices,
    /// SIGTERM to SIGKILL for instances of the former gateway that no function claims.
    pub stop_grace: Duration,
    /// What usage is counted in; memory of this process if there is none.
    pub ledger: Option<Arc<Ledger>>,
}

/// What the functions share.
pub(crate) struct Shared<C: Send + 'static> {
    pub(crate) clock: Clock,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) notices: Notices,
    pub(crate) runtime: Handle,
    pub(crate) timer: Timer,
    pub(crate) gate: Arc<Gate>,
    /// The starts of late.
    pub(crate) history: History,
    /// What happened to all functions.
    pub(crate) record: Arc<Store>,
    /// Starts that were begun on the thread that asked for them.
    pub(crate) begins: Arc<Begins>,
    pub(crate) ledger: Arc<Ledger>,
    /// What was last seen of what is kept ready.
    pub(crate) spares: Mutex<metering::Spares>,
    stop_grace: Duration,
    reclaim: OnceLock<Reclaim>,
    renewal: OnceLock<Renewal<C>>,
    registry: Mutex<Registry<C>>,
    /// Rung whenever a function is gone, for whoever waits until none is left.
    changed: Notify,
}

/// What the scaler knows. Its lock comes before that of a function.
pub(crate) struct Registry<C: Send + 'static> {
    next_number: u32,
    /// Nothing may start any more.
    ended: bool,
    /// Without those that are finished.
    functions: HashMap<u32, Arc<Function<C>>>,
    /// Instances of former pools, by the pool that took them over.
    adopted: HashMap<InstanceId, u32>,
    /// Instances of the former gateway that nobody claimed yet.
    unclaimed: Vec<Observed>,
    /// Who does not claim now does not at all.
    settled: bool,
    /// What a living gateway left, until its function is registered.
    inheritance: Option<Inheritance<C>>,
    /// Functions whose pools are in another gateway.
    departed: HashMap<u32, Arc<Function<C>>>,
}

impl<C: Send + 'static> Scaler<C> {
    /// Asks the driver what the former gateway left and begins to watch.
    pub async fn new(settings: ScalerSettings) -> Arc<Self> {
        let unclaimed = settings.driver.adopt().await;
        if let Some(ledger) = &settings.ledger {
            let living = unclaimed.iter().map(|observed| observed.id);
            metering::settle_unheard(ledger, settings.driver.ended_unheard(), living);
        }
        let last = unclaimed
            .iter()
            .map(|observed| observed.id.pool())
            .max()
            .unwrap_or(0);
        let registry = Registry {
            next_number: last + 1,
            unclaimed,
            ..Registry::default()
        };
        Self::begin(settings, Clock::start(), registry)
    }

    fn begin(settings: ScalerSettings, clock: Clock, registry: Registry<C>) -> Arc<Self> {
        let ledger = settings.ledger.unwrap_or_else(Ledger::in_memory);
        let shared = Arc::new(Shared {
            clock,
            spares: Mutex::new(metering::Spares::new(clock.now(), monotonic_nanos())),
            ledger,
            driver: settings.driver,
            notices: settings.notices,
            runtime: settings.runtime.clone(),
            timer: Timer::default(),
            gate: Gate::of_machine(),
            history: History::default(),
            record: Store::new(clock),
            begins: Arc::default(),
            stop_grace: settings.stop_grace,
            reclaim: OnceLock::new(),
            renewal: OnceLock::new(),
            registry: Mutex::new(registry),
            changed: Notify::new(),
        });
        settings.runtime.spawn(Arc::clone(&shared).watch_driver());
        settings.runtime.spawn(Arc::clone(&shared).watch_timer());
        settings.runtime.spawn(Arc::clone(&shared).watch_starts());
        let record = Arc::clone(&shared.record);
        settings.runtime.spawn(record.write_always());
        Arc::new(Scaler { shared })
    }

    /// The clock that its pools go by.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Every function that is registered; a retired one until nothing of it is left.
    pub fn functions(&self) -> Vec<Arc<Function<C>>> {
        self.shared.functions()
    }

    /// The last starts of the function of this name, or of all, newest first.
    pub fn starts(&self, function: Option<&str>) -> Vec<StartRecord> {
        self.shared.history.list(function)
    }

    /// Remembers at most so many starts from now on; a thousand before that is said.
    pub fn remember_starts(&self, limit: usize) {
        self.shared.history.set_limit(limit);
    }

    /// Has the connections of instances renewed when they are frozen, from now on; they are closed
    /// before that is said. The first word holds.
    pub fn renew_connections(&self, renewal: Renewal<C>) {
        self.shared.renewal.set(renewal).ok();
    }

    /// What the driver keeps ready for starts.
    pub fn prepared(&self) -> Vec<Prepared> {
        self.shared.driver.prepared()
    }

    /// A new revision, with the instances of the same revision that the former gateway left.
    pub fn register(
        &self,
        launch: LaunchSpec,
        scaling: impl Into<Arc<ScaleSpec>>,
    ) -> Arc<Function<C>> {
        let mut registry = self.shared.lock();
        let number = registry.next_number;
        registry.next_number += 1;
        let (mine, others) = std::mem::take(&mut registry.unclaimed)
            .into_iter()
            .partition(|observed: &Observed| {
                observed.function == launch.function && observed.revision == launch.revision
            });
        registry.unclaimed = others;
        let mine: Vec<Observed> = mine;
        registry
            .adopted
            .extend(mine.iter().map(|observed| (observed.id, number)));
        let function = Function::new(Arc::clone(&self.shared), number, launch, scaling.into());
        registry.functions.insert(number, Arc::clone(&function));
        let inheriting = registry.claim_estate(&function);
        for observed in &mine {
            function.claim(observed);
        }
        let ended = registry.ended;
        drop(registry);
        if let Some(inheriting) = inheriting {
            inheriting.hand_to(&function);
        }
        for observed in &mine {
            function.adopt(observed);
        }
        function.apply(if ended { Event::ShutDown } else { Event::Tick });
        function
    }

    /// Stops the instances of the former gateway that no function claimed.
    pub fn stop_unclaimed(&self) {
        let unclaimed = {
            let mut registry = self.shared.lock();
            registry.settled = true;
            std::mem::take(&mut registry.unclaimed)
        };
        self.shared.stop_all(unclaimed);
    }

    /// Ends every function: what waits for a starting or running instance is still served, then
    /// the instances are stopped. Answers when nothing is left.
    pub async fn shut_down(&self) {
        let functions: Vec<_> = {
            let mut registry = self.shared.lock();
            registry.ended = true;
            registry.functions()
        };
        for function in functions {
            function.apply(Event::ShutDown);
        }
        self.shared
            .changes_until(|registry| registry.functions.is_empty())
            .await;
    }
}

impl<C: Send + 'static> Shared<C> {
    /// How connections are renewed, if they are.
    pub(crate) fn renewal(&self) -> Option<Renewal<C>> {
        self.renewal.get().copied()
    }

    async fn watch_driver(self: Arc<Self>) {
        loop {
            tokio::select! {
                exit = self.driver.exited() => self.exited(exit),
                observed = self.driver.observed() => self.observed(observed),
            }
        }
    }

    async fn watch_timer(self: Arc<Self>) {
        loop {
            let (number, at) = self.timer.next(&self.clock).await;
            let function = self.lock().functions.get(&number).cloned();
            if let Some(function) = function {
                function.tick(at);
            }
        }
    }

    async fn changes_until(&self, holds: impl Fn(&Registry<C>) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn stop_all(self: &Arc<Self>, unclaimed: Vec<Observed>) {
        if unclaimed.is_empty() {
            return;
        }
        for observed in &unclaimed {
            self.driver.stop(observed.id, Stop::Terminate);
        }
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(shared.stop_grace).await;
            for observed in unclaimed {
                shared.driver.stop(observed.id, Stop::Kill);
            }
        });
    }

    fn exited(&self, exit: Exit) {
        let function = {
            let mut registry = self.lock();
            registry.unclaimed.retain(|observed| observed.id != exit.id);
            let number = registry
                .adopted
                .remove(&exit.id)
                .unwrap_or_else(|| exit.id.pool());
            registry.functions.get(&number).cloned()
        };
        if let Some(function) = function {
            function.exited(exit);
        }
        // It may have left memory.
        self.gate.ring();
    }

    /// Called when the last of a retired function has gone, and perhaps a request has come since.
    pub(crate) fn forget_if_finished(&self, function: &Function<C>) {
        let mut registry = self.lock();
        if function.is_finished() {
            registry.functions.remove(&function.number());
            drop(registry);
            // Before anybody hears of it: nothing more is to come.
            function.seal_record();
            self.changed.notify_waiters();
        }
    }

    /// Without those that are finished.
    pub(crate) fn functions(&self) -> Vec<Arc<Function<C>>> {
        self.lock().functions()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Registry<C>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Send + 'static> Default for Registry<C> {
    fn default() -> Self {
        Registry {
            next_number: 1,
            ended: false,
            functions: HashMap::new(),
            adopted: HashMap::new(),
            unclaimed: Vec::new(),
            settled: false,
            inheritance: None,
            departed: HashMap::new(),
        }
    }
}

impl<C: Send + 'static> Registry<C> {
    /// The number of the function that has this instance.
    pub(crate) fn number_of(&self, id: InstanceId) -> u32 {
        self.adopted.get(&id).copied().unwrap_or_else(|| id.pool())
    }

    /// Without those that are finished.
    pub(crate) fn functions(&self) -> Vec<Arc<Function<C>>> {
        self.functions.values().cloned().collect()
    }

    /// Nothing may start any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes a function in again that is needed after it was finished.
    pub(crate) fn remember(&mut self, function: Arc<Function<C>>) {
        self.functions.insert(function.number(), function);
    }
}
