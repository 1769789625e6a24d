//! Stories about one pool, told in events and the effects they cause.

mod ending;
mod failing;
mod kpa;
mod model;
mod operating;
mod scaling;
mod slots;
mod timing;

use std::time::Duration;

pub(super) use crate::testing::spec;
use crate::{
    Backoff, Effect, Effects, Event, FailureKind, InstanceId, InstanceState, Outcome, Policy, Pool,
    RejectCause, ScaleSpec, StartFailure, Timestamp, WaiterId,
};

/// No effects.
pub(super) const NONE: [&str; 0] = [];
/// The pool's number in all stories.
const POOL: u32 = 7;

/// A pool, a clock, and a shell that does nothing but tick.
pub(super) struct Story {
    pub(super) pool: Pool,
    pub(super) now: Timestamp,
    wake_at: Timestamp,
}

impl Story {
    /// A pool whose first tick was applied.
    pub(super) fn new(spec: ScaleSpec) -> Self {
        let mut story = Story::untouched(spec);
        story.apply(Event::Tick);
        story
    }

    /// A pool without any event.
    pub(super) fn untouched(spec: ScaleSpec) -> Self {
        let now = Timestamp::from_nanos(1_000_000_000);
        Story {
            pool: Pool::new(spec, POOL, now),
            now,
            wake_at: Timestamp::MAX,
        }
    }

    /// Effects in words, without timers and decisions.
    pub(super) fn apply(&mut self, event: Event) -> Vec<String> {
        let effects = self.effects(event);
        effects.iter().filter_map(in_words).collect()
    }

    pub(super) fn effects(&mut self, event: Event) -> Effects {
        let effects = self.pool.apply(event, self.now);
        if let Err(violation) = self.pool.check() {
            panic!("{violation}: {:?}", self.pool);
        }
        for effect in effects.iter() {
            if let Effect::WakeAt(time) = effect {
                self.wake_at = *time;
            }
        }
        effects
    }

    /// Lets time pass, with all ticks that fall into it.
    pub(super) fn wait(&mut self, millis: u64) -> Vec<String> {
        let end = self.now + Duration::from_millis(millis);
        let mut words = Vec::new();
        while self.wake_at <= end {
            self.now = self.now.max(self.wake_at);
            self.wake_at = Timestamp::MAX;
            words.extend(self.apply(Event::Tick));
        }
        self.now = end;
        words
    }

    /// With a minute of patience.
    pub(super) fn acquire(&mut self, waiter: u64) -> Vec<String> {
        self.acquire_within(waiter, 60_000)
    }

    pub(super) fn acquire_within(&mut self, waiter: u64, millis: u64) -> Vec<String> {
        let deadline = self.now + Duration::from_millis(millis);
        self.apply(Event::Acquire {
            waiter: WaiterId(waiter),
            deadline,
        })
    }

    pub(super) fn cancel(&mut self, waiter: u64) -> Vec<String> {
        self.apply(Event::Cancel {
            waiter: WaiterId(waiter),
        })
    }

    pub(super) fn release(&mut self, count: u32) -> Vec<String> {
        self.apply(Event::Release {
            instance: id(count),
            outcome: Outcome::Answered,
        })
    }

    pub(super) fn ready(&mut self, count: u32) -> Vec<String> {
        self.apply(Event::Ready {
            instance: id(count),
        })
    }

    pub(super) fn start_failed(&mut self, count: u32) -> Vec<String> {
        self.start_failed_with(count, FailureKind::Exited)
    }

    pub(super) fn start_failed_with(&mut self, count: u32, kind: FailureKind) -> Vec<String> {
        self.apply(Event::StartFailed {
            instance: id(count),
            failure: failure(kind),
        })
    }

    pub(super) fn exited(&mut self, count: u32) -> Vec<String> {
        self.apply(Event::Exited {
            instance: id(count),
            failure: failure(FailureKind::Exited),
        })
    }

    /// `count` instances that answered a request each and are idle, the last one on top.
    pub(super) fn warm(&mut self, count: u32) {
        for number in 0..count {
            self.acquire(1_000_000 + u64::from(number));
        }
        for number in 1..=count {
            self.ready(number);
        }
        while let Some(busy) = self
            .pool
            .view(self.now)
            .instances
            .iter()
            .find(|it| it.in_use > 0)
        {
            self.release(busy.id.count());
        }
    }

    /// State and leases of every instance, oldest first: `1 ready 2`.
    pub(super) fn instances(&self) -> Vec<String> {
        let view = self.pool.view(self.now);
        let words = view.instances.iter().map(|instance| {
            let state = match instance.state {
                InstanceState::Starting => "starting",
                InstanceState::Ready => "ready",
                InstanceState::Draining => "draining",
                InstanceState::Stopping => "stopping",
            };
            format!("{} {state} {}", instance.id.count(), instance.in_use)
        });
        words.collect()
    }
}

pub(super) fn id(count: u32) -> InstanceId {
    InstanceId::new(POOL, count)
}

pub(super) fn failure(kind: FailureKind) -> StartFailure {
    StartFailure {
        kind,
        detail: "exit code 1".into(),
    }
}

fn in_words(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Grant {
            waiter,
            instance,
            cold,
        } => {
            let cold = if *cold { " cold" } else { "" };
            format!("grant {} at {}{cold}", waiter.0, instance.count())
        }
        Effect::Reject { waiter, cause } => {
            format!("reject {}: {}", waiter.0, cause_in_words(cause))
        }
        Effect::Start { instance } => format!("start {}", instance.count()),
        Effect::Drain { instance } => format!("drain {}", instance.count()),
        Effect::Stop { instance } => format!("stop {}", instance.count()),
        Effect::Kill { instance } => format!("kill {}", instance.count()),
        Effect::WakeAt(_) | Effect::Decided(_) => return None,
    })
}

fn cause_in_words(cause: &RejectCause) -> String {
    match cause {
        RejectCause::QueueFull => "full".into(),
        RejectCause::Expired { last_failure: None } => "expired".into(),
        RejectCause::Expired {
            last_failure: Some(failure),
        } => format!("expired, {}", failure.detail),
        RejectCause::StartFailed(failure) => failure.detail.to_string(),
        RejectCause::ShuttingDown => "shutting down".into(),
    }
}
