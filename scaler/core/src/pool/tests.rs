//! Stories about one pool, told in events and the effects they cause.

mod admitting;
mod ending;
mod failing;
mod freezing;
mod health;
mod histogram;
mod inheriting;
mod kpa;
mod model;
mod operating;
mod remembering;
mod room;
mod scaling;
mod slots;
mod slow_start;
mod spares;
mod timing;

use std::time::Duration;

pub(super) use crate::testing::spec;
use crate::{
    Admission, Backoff, Effect, Effects, Event, FailureKind, Freeze, Health, InstanceId,
    InstanceState, Moments, Outcome, Policy, Pool, RejectCause, ScaleSpec, Standing, StartFailure,
    Timestamp, WaiterId,
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
    /// Leases that are out, oldest first.
    grants: Vec<(InstanceId, Timestamp)>,
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
            grants: Vec::new(),
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
            match effect {
                Effect::WakeAt(time) => self.wake_at = *time,
                Effect::Grant { instance, .. } => self.grants.push((*instance, self.now)),
                _ => {}
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

    /// Has another pool go on from here after some milliseconds in which nobody decides.
    pub(super) fn hand_over(&mut self, millis: u64) -> Vec<String> {
        let legacy = self.pool.legacy();
        self.now = self.now + Duration::from_millis(millis);
        self.pool = Pool::new(self.pool.spec.clone(), POOL + 1, self.now);
        self.wake_at = Timestamp::MAX;
        self.apply(Event::Inherited(Box::new(legacy)))
    }

    pub(super) fn release(&mut self, count: u32) -> Vec<String> {
        self.release_with(count, Outcome::Answered)
    }

    /// Ends the oldest lease on an instance.
    pub(super) fn release_with(&mut self, count: u32, outcome: Outcome) -> Vec<String> {
        let instance = id(count);
        let place = self.grants.iter().position(|(other, _)| *other == instance);
        let since = place.map_or(self.now, |place| self.grants.remove(place).1);
        self.apply(Event::Release {
            instance,
            outcome,
            since,
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
                InstanceState::Ready if instance.standing == Standing::Trial => "trial",
                InstanceState::Ready if instance.standing != Standing::Good => "aside",
                InstanceState::Starting => "starting",
                InstanceState::Ready if instance.frozen.is_some() => "frozen",
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
        Effect::Freeze { instance } => format!("freeze {}", instance.count()),
        Effect::Thaw { instance } => format!("thaw {}", instance.count()),
        Effect::Reclaim { instance } => format!("reclaim {}", instance.count()),
        Effect::Drain { instance } => format!("drain {}", instance.count()),
        Effect::Stop { instance } => format!("stop {}", instance.count()),
        Effect::Kill { instance } => format!("kill {}", instance.count()),
        Effect::Prepare(decision) => match decision.spares {
            Some(count) => format!("prepare {count}"),
            None => "prepare nothing".into(),
        },
        Effect::WakeAt(_) | Effect::Decided(_) => return None,
    })
}

fn cause_in_words(cause: &RejectCause) -> String {
    match cause {
        RejectCause::QueueFull => "full".into(),
        RejectCause::TooLate { expected } => format!("too late, {expected:?}"),
        RejectCause::Expired { last_failure: None } => "expired".into(),
        RejectCause::Expired {
            last_failure: Some(failure),
        } => format!("expired, {}", failure.detail),
        RejectCause::StartFailed(failure) => failure.detail.to_string(),
        RejectCause::ShuttingDown => "shutting down".into(),
    }
}
