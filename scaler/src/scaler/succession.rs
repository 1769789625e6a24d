//! All functions when one gateway takes over from another: leaving them, and inheriting them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use stoker_core::InstanceId;

use super::{Registry, Scaler, ScalerSettings, Shared};
use crate::driver::Observed;
use crate::handover::{Estate, FunctionEstate, Heir, Sender, Session};
use crate::metering::hand_over;
use crate::{Clock, Function};

/// What a living gateway left.
pub(super) struct Inheritance<C: Send + 'static> {
    functions: HashMap<(Arc<str>, Arc<str>), FunctionEstate>,
    living: Arc<HashMap<InstanceId, Observed>>,
    session: Arc<Session<C>>,
}

/// What one function is about to inherit.
pub(super) struct Inheriting<C: Send + 'static> {
    estate: FunctionEstate,
    living: Arc<HashMap<InstanceId, Observed>>,
    session: Arc<Session<C>>,
}

/// The former gateway's side.
impl<C: Send + 'static> Scaler<C> {
    /// From now on no function that serves starts, stops or grants anything, until
    /// [`Scaler::thaw`] or [`Scaler::depart`]; all of what they have. The lines of output are left
    /// out.
    pub fn freeze(&self) -> Estate {
        let (functions, next_number) = {
            let registry = self.shared.lock();
            (registry.functions(), registry.next_number)
        };
        hand_over(&self.shared.ledger);
        let frozen = functions.iter().filter_map(|function| function.freeze());
        Estate {
            functions: frozen.collect(),
            lines: Vec::new(),
            next_number,
        }
    }

    /// From now on no instance gets requests before it is known to run, until [`Scaler::thaw`].
    /// Answers when each that got some runs or does not; to be awaited before [`Scaler::freeze`],
    /// for no other gateway could go on with one of those.
    pub async fn settle(&self) {
        self.shared.begins.settle().await;
    }

    /// Goes on as if [`Scaler::settle`] and [`Scaler::freeze`] had not been called.
    pub fn thaw(&self) {
        self.shared.begins.allow();
        for function in self.shared.functions() {
            function.thaw();
        }
    }

    /// The heir decides about the functions that it claimed, by their numbers; the others are
    /// retired.
    pub fn depart(&self, heir: &Arc<Heir>, claimed: &HashSet<u32>) {
        for function in self.shared.functions() {
            let number = function.number();
            if !claimed.contains(&number) {
                function.thaw();
                function.retire();
                continue;
            }
            let mut registry = self.shared.lock();
            registry.functions.remove(&number);
            registry.departed.insert(number, Arc::clone(&function));
            drop(registry);
            function.depart(heir);
        }
        self.shared.changed.notify_waiters();
    }

    /// The heir is gone: whoever waits for it is turned away.
    pub fn lose_heir(&self) {
        let departed: Vec<_> = self.shared.lock().departed.values().cloned().collect();
        for function in departed {
            function.lose_heir();
        }
        self.shared.changed.notify_waiters();
    }

    /// Answers when nothing is left to do here after [`Scaler::depart`]: every start that was under
    /// way has ended, and so has every function that the heir did not claim.
    pub async fn wait_departed(&self) {
        let finished = |registry: &Registry<C>| {
            let starting = || registry.departed.values().any(|it| it.is_starting());
            registry.functions.is_empty() && !starting()
        };
        self.shared.changes_until(finished).await;
    }

    pub(crate) fn departed(&self, number: u32) -> Option<Arc<Function<C>>> {
        self.shared.lock().departed.get(&number).cloned()
    }
}

/// The heir's side.
impl<C: Send + 'static> Scaler<C> {
    /// Goes on with what a living gateway left, whose clock is `clock`. `living` are the instances
    /// that the driver took over. What the former gateway asks for later is to be given to the
    /// session, which answers over `sender`.
    pub fn succeed(
        settings: ScalerSettings,
        clock: Clock,
        (estate, living): (Estate, Vec<Observed>),
        sender: Sender,
    ) -> (Arc<Self>, Arc<Session<C>>) {
        let session = Arc::new(Session::new(sender));
        let living = living.into_iter().map(|observed| (observed.id, observed));
        let functions = estate.functions.into_iter().map(|function| {
            let key = (Arc::clone(&function.name), Arc::clone(&function.revision));
            (key, function)
        });
        let registry = Registry {
            next_number: estate.next_number,
            inheritance: Some(Inheritance {
                functions: functions.collect(),
                living: Arc::new(living.collect()),
                session: Arc::clone(&session),
            }),
            ..Registry::default()
        };
        (Self::begin(settings, clock, registry), session)
    }
}

impl<C: Send + 'static> Registry<C> {
    /// What a living gateway left of this revision.
    pub(super) fn claim_estate(&mut self, function: &Function<C>) -> Option<Inheriting<C>> {
        let launch = function.launch();
        let key = (Arc::clone(&launch.function), Arc::clone(&launch.revision));
        let inheritance = self.inheritance.as_mut()?;
        let estate = inheritance.functions.remove(&key)?;
        let number = function.number();
        self.adopted
            .extend(estate.instances().map(|(id, _)| (id, number)));
        Some(Inheriting {
            estate,
            living: Arc::clone(&inheritance.living),
            session: Arc::clone(&inheritance.session),
        })
    }
}

impl<C: Send + 'static> Inheriting<C> {
    /// The function has it all from now on.
    pub(super) fn hand_to(self, function: &Arc<Function<C>>) {
        let number = self.estate.number;
        let inherited = function.inherit(self.estate, &self.living);
        self.session.add(number, function, inherited);
    }
}

impl<C: Send + 'static> Shared<C> {
    /// A former gateway left an instance after all others.
    pub(super) fn observed(self: &Arc<Self>, observed: Observed) {
        let mut registry = self.lock();
        let known = registry.adopted.get(&observed.id);
        let function = match known {
            Some(number) => registry.functions.get(number).cloned(),
            None => registry.serving(&observed),
        };
        match function {
            Some(function) => {
                let number = function.number();
                registry.adopted.insert(observed.id, number);
                drop(registry);
                function.receive(&observed);
            }
            None if !registry.settled => registry.unclaimed.push(observed),
            None => {
                drop(registry);
                self.stop_all(vec![observed]);
            }
        }
    }

    /// A start has ended, of which somebody may wait for the last.
    pub(crate) fn started(&self) {
        if !self.lock().departed.is_empty() {
            self.changed.notify_waiters();
        }
    }
}

impl<C: Send + 'static> Registry<C> {
    /// The function whose revision the instance runs.
    fn serving(&self, observed: &Observed) -> Option<Arc<Function<C>>> {
        let mut functions = self.functions.values();
        functions
            .find(|function| {
                let launch = function.launch();
                launch.function == observed.function && launch.revision == observed.revision
            })
            .cloned()
    }
}
