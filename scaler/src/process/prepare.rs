//! What the spawner is to keep ready, and what it says of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Shared;
use super::environment::common;
use crate::driver::{LaunchSpec, Prepared};
use crate::spawner::protocol::{PrepareRequest, Program, Request};

/// Of a function and its revision.
type Name = (Arc<str>, Arc<str>);

/// What is to be kept, and what is.
#[derive(Debug, Default)]
pub(super) struct Preparations {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By function and revision, for a spawner that takes the place of one that died.
    wanted: HashMap<Name, (Arc<LaunchSpec>, u32)>,
    /// By number.
    kept: HashMap<u64, Prepared>,
}

impl Preparations {
    /// What the spawner has told last.
    pub(super) fn kept(&self) -> Vec<Prepared> {
        let mut kept: Vec<Prepared> = self.lock().kept.values().cloned().collect();
        kept.sort_by_key(|prepared| prepared.number);
        kept
    }

    /// The spawner tells.
    pub(super) fn note(&self, prepared: Prepared) {
        let mut state = self.lock();
        if prepared.functions.is_empty() {
            state.kept.remove(&prepared.number);
        } else {
            state.kept.insert(prepared.number, prepared);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// See [`crate::driver::Driver::prepare`].
    pub(super) fn prepare(&self, spec: &Arc<LaunchSpec>, spares: Option<u32>) {
        let name = (Arc::clone(&spec.function), Arc::clone(&spec.revision));
        let mut state = self.preparations.lock();
        match spares {
            Some(spares) => drop(state.wanted.insert(name, (Arc::clone(spec), spares))),
            None => drop(state.wanted.remove(&name)),
        }
        // Under the lock, so that what is sent last is what is known here. Fails if the spawner is
        // gone, and is repeated to the next one.
        self.ask_to_prepare(spec, spares);
    }

    /// Another spawner knows nothing yet.
    pub(super) fn prepare_again(&self) {
        let mut state = self.preparations.lock();
        state.kept.clear();
        for (spec, spares) in state.wanted.values() {
            self.ask_to_prepare(spec, Some(*spares));
        }
    }

    fn ask_to_prepare(&self, spec: &Arc<LaunchSpec>, spares: Option<u32>) {
        let Some(runtime) = spec.runtime.clone() else {
            return;
        };
        let request = PrepareRequest {
            function: Arc::clone(&spec.function),
            revision: Arc::clone(&spec.revision),
            program: Program {
                command: spec.command.clone(),
                environment: common(spec, &self.state_dir),
                directory: spec.working_directory.clone(),
                user: spec.user.clone(),
                rlimits: spec.rlimits.clone(),
                resources: spec.resources.clone(),
                isolation: spec.isolation.clone(),
            },
            runtime,
            spares,
        };
        let request = Request::Prepare(Box::new(request));
        self.client.send(&request, Vec::new()).ok();
    }
}
