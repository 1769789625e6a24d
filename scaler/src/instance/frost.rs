//! Whether an instance gets CPU: what its pool wants, and what was done about it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The wish changes under the function's lock, in the order of the pool's effects; it is acted on
/// without that lock, by whoever comes. Each one brings about the wish that is newest by then, so a
/// freeze that is overtaken by a request does nothing.
#[derive(Debug, Default)]
pub(super) struct Frost {
    /// How often the wish has changed: odd while it is that it be frozen.
    wishes: AtomicU64,
    done: Mutex<Done>,
}

#[derive(Debug)]
struct Done {
    /// None while only a former gateway knew.
    frozen: Option<bool>,
    /// Another gateway decides.
    given: bool,
}

impl Frost {
    /// The pool's wish; true if it is a new one.
    pub(super) fn want(&self, frozen: bool) -> bool {
        let changed = self.is_wanted() != frozen;
        if changed {
            self.wishes.fetch_add(1, Ordering::AcqRel);
        }
        changed
    }

    /// The pool wishes it to be frozen.
    pub(super) fn is_wanted(&self) -> bool {
        self.wishes() % 2 == 1
    }

    /// How often the wish has changed.
    pub(super) fn wishes(&self) -> u64 {
        self.wishes.load(Ordering::Acquire)
    }

    /// A gateway that decided before this one wished it to be frozen.
    pub(super) fn inherit(&self) {
        self.want(true);
        self.lock().frozen = None;
    }

    /// Has `act` bring about what is wished, unless that is so for certain; what it did if that was
    /// a change, and how long it took. What cannot be frozen runs on.
    ///
    /// # Errors
    /// That of `act`.
    pub(super) fn settle<E>(
        &self,
        act: impl FnOnce(bool) -> Result<(), E>,
    ) -> Result<Option<(bool, Duration)>, E> {
        let mut done = self.lock();
        let wanted = self.is_wanted();
        if done.given || done.frozen == Some(wanted) {
            return Ok(None);
        }
        let began = Instant::now();
        let result = act(wanted);
        let frozen = done.frozen.replace(wanted && result.is_ok());
        let changed = !wanted || frozen.is_some();
        result.map(|()| changed.then(|| (wanted, began.elapsed())))
    }

    /// Another gateway decides from now on, or this one does again.
    pub(super) fn set_given(&self, given: bool) {
        self.lock().given = given;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Done {
    fn default() -> Self {
        Done {
            frozen: Some(false),
            given: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn act(frost: &Frost) -> Option<bool> {
        let settled = frost.settle(|_| Ok::<(), Infallible>(()));
        settled.unwrap().map(|(frozen, _)| frozen)
    }

    #[test]
    fn a_freeze_that_comes_too_late_does_nothing() {
        let frost = Frost::default();
        assert!(frost.want(true));
        assert!(frost.want(false));
        assert_eq!(act(&frost), None);
        frost.want(true);
        assert_eq!(act(&frost), Some(true));
        assert_eq!(act(&frost), None);
        frost.want(false);
        assert_eq!(act(&frost), Some(false));
    }

    #[test]
    fn what_cannot_be_frozen_runs() {
        let frost = Frost::default();
        frost.want(true);
        assert_eq!(frost.settle(|_| Err("no")), Err("no"));
        frost.want(false);
        assert_eq!(act(&frost), None);
    }

    #[test]
    fn what_was_inherited_is_made_sure_of() {
        let frost = Frost::default();
        frost.inherit();
        let mut asked = None;
        let settled = frost.settle(|frozen| {
            asked = Some(frozen);
            Ok::<(), Infallible>(())
        });
        // It is no news.
        assert_eq!((settled, asked), (Ok(None), Some(true)));
        let frost = Frost::default();
        frost.inherit();
        frost.want(false);
        assert_eq!(act(&frost), Some(false));
    }

    #[test]
    fn one_that_was_given_away_is_left_alone() {
        let frost = Frost::default();
        frost.want(true);
        frost.set_given(true);
        assert_eq!(act(&frost), None);
        frost.set_given(false);
        assert_eq!(act(&frost), Some(true));
    }
}
