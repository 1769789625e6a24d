//! Canaries: a new revision gets more and more of its function's requests, step by step, and goes
//! back by itself if it is worse than those before it.
//!
//! What a canary remembers is in the store, so that it goes on after a restart or an upgrade, with the
//! step that was under way from its beginning: what was counted goes with the process. Every move is
//! written down before it is made, and traffic that somebody else divides meanwhile ends the canary.
//! Only the gateway that leads looks at canaries, so that each move is made once.

mod decide;
mod state;
mod watch;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stoker_gateway::Gateway;
use stoker_registry::{AuditEntry, Registry, Store, StoreError};
use tokio::sync::Notify;

use crate::reload::Reloader;

pub use decide::{Move, Stats, Step, decide};
pub use state::{Bounds, CanaryState, Moved, Phase, Plan};
use watch::Watch;

/// Between two looks at canaries under way, and while there are none.
const LOOK: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(5);

/// The canaries of all functions.
#[derive(Clone)]
pub struct Canaries {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Arc<Registry>,
    gateway: Arc<Gateway>,
    begun: Notify,
    /// Held from reading what a canary remembers to writing it.
    changing: Mutex<()>,
}

/// Why a canary cannot begin or end.
#[derive(Debug)]
pub enum CanaryError {
    /// What was asked for makes no sense.
    Invalid(String),
    /// It does not fit what holds now.
    Conflict(String),
    /// The store failed, or does not know the function or the revision.
    Store(StoreError),
}

impl Canaries {
    /// The canaries of the registry.
    pub fn new(registry: Arc<Registry>, gateway: Arc<Gateway>) -> Canaries {
        let shared = Arc::new(Shared {
            registry,
            gateway,
            begun: Notify::new(),
            changing: Mutex::new(()),
        });
        Canaries { shared }
    }

    /// Looks after them from now on, for as long as this gateway leads. To be called within a runtime
    /// by one that leads, once.
    pub fn watch(&self, reloader: Reloader) {
        tokio::spawn(Arc::clone(&self.shared).look_always(reloader));
    }

    /// Begins one; the first share is given within a second. It blocks.
    ///
    /// # Errors
    /// If the plan makes no sense, one is under way, or the function or its revision is not there.
    pub fn begin(
        &self,
        function: &str,
        plan: &Plan,
        who: &str,
    ) -> Result<CanaryState, CanaryError> {
        let store = self.shared.registry.store();
        let _changing = self.shared.changing();
        if read(store, function)?.is_some_and(|state| state.state == Phase::Running) {
            let problem = format!("a canary of {function} is under way; end it first");
            return Err(CanaryError::Conflict(problem));
        }
        let revision = store.revision(function, plan.revision)?;
        if revision.collected_ms.is_some() {
            let number = plan.revision;
            let problem = format!("revision {number} of {function} was collected");
            return Err(CanaryError::Conflict(problem));
        }
        let state = CanaryState::begin(plan, store.traffic(function)?, now_ms())?;
        write(store, function, &state)?;
        let what = format!("a canary of revision {} begins", plan.revision);
        audit(store, function, who, what)?;
        self.shared.begun.notify_one();
        Ok(state)
    }

    /// The canary of a function that is under way or ended last. It blocks.
    ///
    /// # Errors
    /// If the store fails or does not know the function.
    pub fn status(&self, function: &str) -> Result<Option<CanaryState>, CanaryError> {
        read(self.shared.registry.store(), function)
    }

    /// Ends one; within a second the traffic is as it was before. It blocks.
    ///
    /// # Errors
    /// If none is under way.
    pub fn abort(&self, function: &str, who: &str) -> Result<CanaryState, CanaryError> {
        let store = self.shared.registry.store();
        let _changing = self.shared.changing();
        let state = read(store, function)?.filter(|state| state.state == Phase::Running);
        let Some(mut state) = state else {
            let problem = format!("no canary of {function} is under way");
            return Err(CanaryError::Conflict(problem));
        };
        state.end(Phase::Aborted, format!("{who} ended it"), now_ms());
        write(store, function, &state)?;
        audit(store, function, who, "the canary is ended".to_owned())?;
        self.shared.begun.notify_one();
        Ok(state)
    }
}

impl Shared {
    async fn look_always(self: Arc<Self>, reloader: Reloader) {
        let mut watches = HashMap::new();
        loop {
            let lead = reloader.lead().await;
            let me = Arc::clone(&self);
            let look = tokio::task::spawn_blocking(move || {
                let moved = me.look(&mut watches);
                (watches, moved)
            });
            let Ok((kept, moved)) = look.await else {
                return;
            };
            watches = kept;
            if moved {
                // What hinders it is said by the reload; the next look finds what is in force.
                reloader.reload().await.ok();
            }
            drop(lead);
            let pause = if watches.is_empty() { REST } else { LOOK };
            tokio::time::timeout(pause, self.begun.notified())
                .await
                .ok();
        }
    }

    /// Looks at every canary; whether there is traffic that may not be in force here.
    fn look(&self, watches: &mut HashMap<String, Watch>) -> bool {
        let store = self.registry.store();
        let _changing = self.changing();
        let all = match store.canaries() {
            Ok(all) => all,
            Err(error) => {
                eprintln!("stoker: the canaries cannot be read: {error}");
                return false;
            }
        };
        let states = all.into_iter().filter_map(|(function, text)| {
            let state: CanaryState = serde_json::from_str(&text).ok()?;
            (!state.is_over()).then_some((function, state))
        });
        let states: HashMap<String, CanaryState> = states.collect();
        watches.retain(|function, _| states.contains_key(function));
        let counted = if states.is_empty() {
            Vec::new()
        } else {
            self.gateway.stats()
        };
        let mut moved = false;
        for (function, state) in states {
            let of_it = counted.iter().filter(|stats| stats.function == function);
            let watch = watches.entry(function.clone()).or_insert_with(|| {
                // Another gateway may have moved it since the configuration in force was read.
                moved = true;
                Watch::default()
            });
            match watch.look(store, (&function, state), of_it) {
                Ok(it) => moved |= it,
                Err(error) => eprintln!("stoker: the canary of {function} stands still: {error}"),
            }
        }
        moved
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        // What it guards is in the store, which has whole states only.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(store: &dyn Store, function: &str) -> Result<Option<CanaryState>, CanaryError> {
    let state = store.canary(function)?;
    Ok(state.and_then(|text| serde_json::from_str(&text).ok()))
}

fn write(store: &dyn Store, function: &str, state: &CanaryState) -> Result<(), StoreError> {
    let text = serde_json::to_string(state).expect("a state is made of texts and numbers");
    store.set_canary(function, Some(&text))
}

fn audit(store: &dyn Store, function: &str, who: &str, what: String) -> Result<(), StoreError> {
    store.audit(&AuditEntry {
        at_ms: now_ms(),
        who: who.to_owned(),
        role: String::new(),
        method: String::new(),
        path: format!("/v1/functions/{function}/canary"),
        status: 200,
        what,
    })
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl From<StoreError> for CanaryError {
    fn from(error: StoreError) -> Self {
        CanaryError::Store(error)
    }
}

impl fmt::Display for CanaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CanaryError::Invalid(problem) | CanaryError::Conflict(problem) => f.write_str(problem),
            CanaryError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CanaryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CanaryError::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Debug for Canaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canaries").finish_non_exhaustive()
    }
}
