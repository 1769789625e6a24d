//! What the pool remembers of its starts, and the spares that it wants for the next ones.

use std::collections::VecDeque;
use std::time::Duration;

use crate::pool::events::Follow;
use crate::pool::{Phase, Pool};
use crate::{
    Effect, Effects, RollingMax, SpareDecision, SpareObservations, SpareSpec, SpareWhy, Timestamp,
    decide_spares,
};

/// Keeps a timeout of zero from becoming a busy loop.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

/// For a function that has spares.
#[derive(Debug)]
pub(super) struct Spares {
    /// Starts that may belong to one burst, oldest first; no more than there can be spares.
    recent: VecDeque<Timestamp>,
    bursts: RollingMax,
    /// An instance was started or taken over.
    used: bool,
    /// Given up for want of memory, until the next request.
    forgone: bool,
    /// What the shell was last told.
    wanted: Option<u32>,
    /// When to look again though nothing happened.
    pub(super) look_at: Timestamp,
}

impl Spares {
    pub(super) fn new() -> Box<Self> {
        Box::new(Spares {
            recent: VecDeque::new(),
            bursts: RollingMax::default(),
            used: false,
            forgone: false,
            wanted: None,
            look_at: Timestamp::MAX,
        })
    }

    /// Nothing is kept, for the function was not used; the next request changes that.
    fn is_released(&self) -> bool {
        (self.used || self.forgone) && self.wanted.is_none()
    }

    /// Counts a start, and the others that came within `span`.
    fn note_start(&mut self, span: Duration, spec: &SpareSpec, now: Timestamp) {
        self.used = true;
        self.recent.push_back(now);
        let too_many = |recent: &VecDeque<_>| recent.len() > spec.most.max(1) as usize;
        while too_many(&self.recent)
            || self
                .recent
                .front()
                .is_some_and(|first| now.since(*first) > span)
        {
            self.recent.pop_front();
        }
        let burst = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        self.bursts.record(burst, spec.idle_timeout, now);
    }
}

impl Pool {
    /// An instance is being started.
    pub(super) fn note_start(&mut self) {
        let Some(spec) = self.spec.spares else { return };
        let span = self.burst_span(&spec);
        if let Some(spares) = &mut self.spares {
            spares.note_start(span, &spec, self.now);
        }
    }

    /// The machine is short of memory: what is kept for an idle function goes.
    pub(super) fn on_forgo_spares(&mut self) -> Follow {
        let idle = self.level == 0;
        if let Some(spares) = self.spares.as_mut().filter(|_| idle) {
            spares.forgone = true;
        }
        Follow::Settle
    }

    /// There are instances of the revision already.
    pub(super) fn note_use(&mut self) {
        if let Some(spares) = &mut self.spares {
            spares.used = true;
        }
    }

    /// Tells the shell if another number of spares is wanted than before.
    pub(super) fn plan_spares(&mut self, effects: &mut Effects) {
        let Some(spec) = self.spec.spares else {
            if self
                .spares
                .take()
                .is_some_and(|spares| spares.wanted.is_some())
            {
                let why = SpareWhy::Retired;
                effects.push(Effect::Prepare(Box::new(SpareDecision {
                    spares: None,
                    why,
                })));
            }
            return;
        };
        let span = self.burst_span(&spec);
        let active = self.fleet.count().leases > 0 || !self.waiters.is_empty();
        let (now, last_active) = (self.now, self.last_active);
        let timeout = spec.idle_timeout.max(LEAST_TIMEOUT);
        let spares = self.spares.get_or_insert_with(Spares::new);
        spares.forgone &= !active;
        let forgone = spares.forgone;
        let idle_for = match active {
            true => Duration::ZERO,
            false => now.since(last_active),
        };
        let decision = decide_spares(
            &spec,
            SpareObservations {
                burst: spares.bursts.record(0, timeout, now),
                span,
                idle_for: spares.used.then_some(idle_for),
                retired: self.phase != Phase::Serving,
                forgone,
            },
        );
        spares.look_at = match (decision.spares, spec.eager || !spares.used) {
            (None, _) => Timestamp::MAX,
            (Some(_), true) => spares.bursts.falls_at(timeout).unwrap_or(Timestamp::MAX),
            (Some(_), false) => {
                let idle = if active { now } else { last_active } + timeout;
                idle.min(spares.bursts.falls_at(timeout).unwrap_or(Timestamp::MAX))
            }
        };
        let look_at = spares.look_at;
        if spares.wanted != decision.spares {
            spares.wanted = decision.spares;
            effects.push(Effect::Prepare(Box::new(decision)));
        }
        self.want(look_at);
    }

    /// The number that the shell was told, if it keeps any.
    pub(super) fn wanted_spares(&self) -> Option<u32> {
        self.spares.as_ref()?.wanted
    }

    /// A request must be followed by a look at the spares.
    pub(super) fn has_released_spares(&self) -> bool {
        self.spares
            .as_ref()
            .is_some_and(|spares| spares.is_released())
    }

    /// Starts within this time are one burst.
    fn burst_span(&self, spec: &SpareSpec) -> Duration {
        let start = self.learned.start;
        let mean = match start.count {
            0 => Duration::ZERO,
            _ => Duration::try_from_secs_f64(start.mean).unwrap_or_default(),
        };
        mean.max(spec.refill)
    }
}
