//! What must hold between any two events.

use std::fmt;

use crate::ScaleSpec;
use crate::pool::fleet::Fleet;
use crate::pool::waiters::Waiters;
use crate::pool::{InstanceState, Phase, Pool};

/// A broken invariant: a defect of the core itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation(pub &'static str);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Violation {}

/// The limits that the pool must keep: those of the settings, and for as long as a change of
/// settings or an adoption leaves more than that, what was left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceilings {
    live: u32,
    starting: u32,
    waiters: u32,
}

/// Up to this many instances and waiters, debug builds check after every event.
#[cfg(debug_assertions)]
const SMALL: u32 = 64;

impl Ceilings {
    pub(super) fn of(spec: &ScaleSpec) -> Self {
        Ceilings {
            live: spec.max_scale,
            starting: spec.max_starting,
            waiters: spec.max_waiters,
        }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Ceilings {
            live: self.live.max(other.live),
            starting: self.starting.max(other.starting),
            waiters: self.waiters.max(other.waiters),
        }
    }

    /// Allows what there is.
    pub(super) fn raise(&mut self, fleet: &Fleet, waiters: &Waiters) {
        *self = self.max(Ceilings {
            live: fleet.live(),
            starting: fleet.count().starting,
            waiters: waiters.len(),
        });
    }

    /// Goes down to the settings as far as what there is allows.
    pub(super) fn lower(&mut self, spec: &ScaleSpec, fleet: &Fleet, waiters: &Waiters) {
        self.live = self.live.min(fleet.live()).max(spec.max_scale);
        self.starting = self
            .starting
            .min(fleet.count().starting)
            .max(spec.max_starting);
        self.waiters = self.waiters.min(waiters.len()).max(spec.max_waiters);
    }
}

impl Pool {
    /// Checks every invariant; the time it takes is linear in instances and waiters.
    pub fn check(&self) -> Result<(), Violation> {
        self.fleet.audit(self.now).map_err(Violation)?;
        self.waiters.audit().map_err(Violation)?;
        self.check_instances()?;
        let next_due = self.next_due();
        let rules = [
            (
                self.waiters.is_empty() || !self.fleet.has_free(),
                "a request waits beside a free slot",
            ),
            (
                self.fleet.live() <= self.ceilings.live,
                "more instances than max_scale",
            ),
            (
                self.fleet.count().starting <= self.ceilings.starting,
                "more instances start than max_starting",
            ),
            (
                self.waiters.len() <= self.ceilings.waiters,
                "more requests wait than max_waiters",
            ),
            (
                self.waiters
                    .earliest_deadline()
                    .is_none_or(|deadline| deadline > self.now),
                "a request waits past its deadline",
            ),
            (
                self.due <= next_due,
                "something is due that nobody will look at",
            ),
            (self.armed <= self.due, "the shell wakes too late"),
            (next_due > self.now, "something is due and was not done"),
            (
                self.phase == Phase::Serving
                    || !self.waiters.is_empty()
                    || self.fleet.present() == 0,
                "a retired pool keeps an instance for nobody",
            ),
            (
                self.fleet.count().aside <= self.ejectable(),
                "more instances are set aside than may be",
            ),
            (
                self.wanted_spares().is_none_or(|count| {
                    self.phase == Phase::Serving
                        && self.spec.spares.is_some_and(|spec| {
                            (spec.least..=spec.most.max(spec.least)).contains(&count)
                        })
                }),
                "spares are wanted that nobody needs",
            ),
            (
                self.level == self.fleet.count().leases + self.waiters.len(),
                "the load is not what was measured",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, broken)) => Err(Violation(broken)),
        }
    }

    fn check_instances(&self) -> Result<(), Violation> {
        for (_, instance) in self.fleet.iter() {
            let used = instance.in_use > 0;
            match instance.state {
                InstanceState::Starting if used => {
                    return Err(Violation("a starting instance has a lease"));
                }
                InstanceState::Draining if !used => {
                    return Err(Violation("a draining instance has nothing to finish"));
                }
                InstanceState::Ready if instance.evicted => {
                    return Err(Violation("an evicted instance takes requests"));
                }
                InstanceState::Starting | InstanceState::Draining | InstanceState::Stopping
                    if instance.standing.is_aside() =>
                {
                    return Err(Violation("an instance is set aside that is not ready"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every time while the pool is small, otherwise rarely, so that debug builds stay usable.
    #[cfg(debug_assertions)]
    pub(super) fn check_sometimes(&self) {
        let small = self.fleet.live() + self.waiters.len() < SMALL;
        if (small || self.events.is_multiple_of(u64::from(SMALL)))
            && let Err(violation) = self.check()
        {
            panic!("{violation}: {self:?}");
        }
    }
}
