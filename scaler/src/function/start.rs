//! Starting and adopting instances.

use std::sync::Arc;

use stoker_core::{Event, FailureKind, StartFailure};
use stoker_meter::Counter;

use super::Function;
use crate::driver::{FailedStart, Observed, StartEnd, StartKind, StartTimings, Started, Stop};
use crate::metering::gap_until_now;
use crate::starts::{Entry, Permit};
use crate::{Instance, Notice};

impl<C: Send + 'static> Function<C> {
    /// Starts an instance: on this thread, if it may get requests at once and the driver can do
    /// that, else in a task of its own.
    pub(super) fn start(&self, instance: Arc<Instance<C>>, early: bool) {
        // Here and not in the task, so that those of one burst are in order.
        let mut entry = self.enter_gate(&instance);
        if early {
            if let Entry::Passed(passed) = entry {
                if self.begin(&instance, passed) {
                    return;
                }
                entry = self.enter_gate(&instance);
            }
            self.lock().begun -= 1;
        }
        let function = self.strong();
        self.shared.runtime.spawn(async move {
            let passed = function.pass_gate(&instance, entry).await;
            let result = match passed {
                Ok(_) if instance.is_stopping() => Err(stopped_before_start()),
                Ok((permit, held)) => function.start_within(&instance, permit, held).await,
                Err(failure) => Err(failure),
            };
            match result {
                Ok(started) => function.started(&instance, started),
                Err(failure) => {
                    function.charge_failed_start(instance.id());
                    function.start_failed(&instance, failure);
                }
            }
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
        let gap = gap_until_now(&self.shared.ledger, &self.launch);
        self.apply_if(Event::Adopted { instance: id }, |state| {
            let lives = state.instances.contains_key(&id);
            if lives {
                // It was there when nobody counted.
                state.spans.credit_idle(gap, self.shared.clock.now());
            }
            lives
        });
    }

    /// Starts an instance on this thread and has it count as ready at once; false if that cannot
    /// be.
    fn begin(&self, instance: &Arc<Instance<C>>, passed: Permit) -> bool {
        let Some(permit) = self.shared.begins.enter() else {
            return false;
        };
        if instance.is_stopping() {
            return false;
        }
        let (function, started) = (self.strong(), Arc::clone(instance));
        let end = StartEnd::new(move |result| {
            function.ended_start(&started, result);
            drop((permit, passed));
        });
        let id = instance.id();
        let Ok(endpoint) = self.shared.driver.begin(id, &self.launch, end) else {
            return false;
        };
        instance.set_reachable(endpoint);
        self.apply(Event::Ready { instance: id });
        true
    }

    /// A start that was begun has ended.
    fn ended_start(&self, instance: &Instance<C>, result: Result<Started, FailedStart>) {
        self.lock().begun -= 1;
        match result {
            Ok(started) => self.started(instance, started),
            Err(FailedStart { failure, unread }) => {
                self.charge_failed_start(instance.id());
                self.forget_start(instance, &failure);
                // After the pool: whoever hears of it may ask for another instance at once.
                match unread {
                    true => instance.set_never_ran(failure),
                    false => instance.set_gone(failure),
                }
            }
        }
    }

    pub(super) fn started(&self, instance: &Instance<C>, mut started: Started) {
        if let Some(called) = started.timings.called {
            let decided = self.shared.clock.instant(instance.created());
            let decide = called.saturating_duration_since(decided);
            started.timings.decide = decide.saturating_sub(started.timings.gate);
        }
        let (pid, timings) = (started.pid, started.timings);
        let kind = started.kind.unwrap_or_default();
        let record = instance.start_record(&self.launch, (timings, timings.total()), Ok(pid));
        self.shared.history.add(record);
        let id = instance.id();
        if timings.called.is_some() {
            // Else another gateway has started and counted it.
            self.meter.add(Counter::Starts, 1);
            let took = u64::try_from(timings.total().as_micros()).unwrap_or(u64::MAX);
            self.meter.add(Counter::StartMicros, took);
        }
        if let Some(pid) = pid.filter(|_| kind != StartKind::Exec) {
            self.credit_spare(id, pid);
        }
        instance.set_started(started);
        let up = self.shared.clock.now();
        self.apply_if(Event::Ready { instance: id }, |state| {
            state.recorder.up(id, up);
            true
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
        self.measure();
    }

    pub(super) fn start_failed(&self, instance: &Instance<C>, failure: StartFailure) {
        self.forget_start(instance, &failure);
        instance.set_gone(failure);
    }

    fn forget_start(&self, instance: &Instance<C>, failure: &StartFailure) {
        let id = instance.id();
        let took = self.shared.clock.now().since(instance.created());
        let times = (StartTimings::default(), took);
        let record = instance.start_record(&self.launch, times, Err(failure.clone()));
        self.shared.history.add(record);
        self.notice(Notice::StartFailed { id, failure });
        let failure = failure.clone();
        let event = Event::StartFailed {
            instance: id,
            failure,
        };
        self.remove(event, id);
        self.shared.started();
    }
}

pub(super) fn stopped_before_start() -> StartFailure {
    StartFailure {
        kind: FailureKind::Exited,
        detail: "it was stopped before it was started".into(),
    }
}
