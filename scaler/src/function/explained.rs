//! Why a function has the instances that it has.

use std::sync::Arc;

use stoker_core::{Decision, InstanceId, Timestamp};

use super::{Function, FunctionView, State};
use crate::record::{LifeView, Told};
use crate::{HeldStarts, InstanceStatus};

/// A function with what led to its instances.
#[derive(Clone, Debug)]
pub struct Explained {
    /// As it is now.
    pub view: FunctionView,
    /// What the policy says now; none if it was never asked.
    pub decision: Option<Decision>,
    /// The last decision that was another one than that before it; none before the first.
    pub told: Option<Arc<Told>>,
    /// Of the instances, as far as it was seen.
    pub lives: Vec<(InstanceId, LifeView)>,
}

impl<C: Send + 'static> Function<C> {
    /// Its state and what led to it.
    pub fn explain(&self) -> Explained {
        let held = self.shared.gate.held(self.number);
        let state = self.lock();
        let now = self.shared.clock.now();
        let view = Self::look(&state, held, now);
        let lives = view.instances.iter().filter_map(|status| {
            let id = status.view.id;
            Some((id, state.recorder.life(id)?.clone()))
        });
        Explained {
            lives: lives.collect(),
            decision: state.pool.decision(now),
            told: state.recorder.decision().cloned(),
            view,
        }
    }

    /// Its state, for people and programs to look at.
    pub(super) fn look(state: &State<C>, held: Option<HeldStarts>, now: Timestamp) -> FunctionView {
        let pool = state.pool.view(now);
        let instances = pool.instances.iter().map(|view| {
            let instance = state.instances.get(&view.id).map(Arc::as_ref);
            InstanceStatus::new(view.clone(), instance)
        });
        FunctionView {
            instances: instances.collect(),
            pool,
            held,
        }
    }
}
