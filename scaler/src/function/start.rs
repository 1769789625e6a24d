//! Starting and adopting instances.

use std::sync::Arc;

use stoker_core::{Event, FailureKind, StartFailure};

use super::Function;
use crate::driver::{Observed, Started, Stop};
use crate::{Instance, Notice};

impl<C: Send + 'static> Function<C> {
    /// Starts an instance in a task of its own.
    pub(super) fn start(&self, instance: Arc<Instance<C>>) {
        let function = self.strong();
        // Here and not in the task, so that those of one burst are in order.
        let entry = self.enter_gate(&instance);
        self.shared.runtime.spawn(async move {
            let passed = function.pass_gate(&instance, entry).await;
            let result = match passed {
                Ok(_) if instance.is_stopping() => Err(stopped_before_start()),
                Ok((permit, held)) => function.start_within(&instance, permit, held).await,
                Err(failure) => Err(failure),
            };
            match result {
                Ok(started) => function.started(&instance, started),
                Err(failure) => function.start_failed(&instance, failure),
            }
            function.measure();
        });
    }

    /// Makes an instance of the former gateway known, so that its end is noticed from now on.
    pub(crate) fn claim(&self, observed: &Observed) {
        let instance = Arc::new(Instance::new(observed.id, self.shared.clock.now()));
        instance.set_started(Started {
            endpoint: observed.endpoint.clone(),
            pid: observed.pid,
            timings: Default::default(),
            kind: None,
        });
        self.lock().instances.insert(observed.id, instance);
    }

    /// Takes over an instance that was claimed, unless it ended meanwhile.
    pub(crate) fn adopt(&self, observed: &Observed) {
        let id = observed.id;
        self.notice(Notice::Adopted {
            id,
            pid: observed.pid,
        });
        self.apply_if(Event::Adopted { instance: id }, |state| {
            state.instances.contains_key(&id)
        });
    }

    pub(super) fn started(&self, instance: &Instance<C>, started: Started) {
        let (pid, timings) = (started.pid, started.timings);
        let kind = started.kind.unwrap_or_default();
        instance.set_started(started);
        self.apply(Event::Ready {
            instance: instance.id(),
        });
        self.notice(Notice::Started {
            id: instance.id(),
            pid,
            timings,
            kind,
        });
        self.shared.started();
        if instance.is_stopping() {
            // The wish to stop may have come before the driver knew the instance.
            self.shared.driver.stop(instance.id(), Stop::Terminate);
        }
    }

    pub(super) fn start_failed(&self, instance: &Instance<C>, failure: StartFailure) {
        instance.set_gone(failure.clone());
        self.notice(Notice::StartFailed {
            id: instance.id(),
            failure: &failure,
        });
        self.remove(
            Event::StartFailed {
                instance: instance.id(),
                failure,
            },
            instance.id(),
        );
        self.shared.started();
    }
}

pub(super) fn stopped_before_start() -> StartFailure {
    StartFailure {
        kind: FailureKind::Exited,
        detail: "it was stopped before it was started".into(),
    }
}
