//! What functions may use, as far as requests are concerned: who is out of it is refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

use crate::problem::{Problem, ProblemKind};

/// The budget of one function, as it was last looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetStatus {
    /// The part of it that is used; above 1 if more was.
    pub used_ratio: f64,
    /// The part from which on a warning is given.
    pub warn_ratio: f64,
    /// Why requests are refused, if they are: one lower-case sentence.
    pub stopped: Option<String>,
    /// When its period ends, in seconds since 1970.
    pub until: u64,
}

/// The budgets of all functions that have one.
#[derive(Default)]
pub(crate) struct Budgets {
    by_function: ArcSwap<HashMap<Arc<str>, BudgetStatus>>,
    /// Some function is stopped: others pay for one look at this.
    stops: AtomicBool,
}

impl Budgets {
    /// These hold from now on.
    pub(crate) fn set(&self, budgets: HashMap<Arc<str>, BudgetStatus>) {
        let stops = budgets.values().any(|it| it.stopped.is_some());
        self.by_function.store(Arc::new(budgets));
        self.stops.store(stops, Ordering::Release);
    }

    pub(crate) fn get(&self) -> Arc<HashMap<Arc<str>, BudgetStatus>> {
        self.by_function.load_full()
    }

    /// Whether a function may be called.
    pub(crate) fn check(&self, function: &str) -> Result<(), Problem> {
        match self.stops.load(Ordering::Acquire) {
            true => self.look(function),
            false => Ok(()),
        }
    }

    #[cold]
    fn look(&self, function: &str) -> Result<(), Problem> {
        let budgets = self.by_function.load();
        let Some(status) = budgets.get(function) else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let left = status
            .until
            .saturating_sub(now.unwrap_or_default().as_secs());
        let Some(why) = status.stopped.as_ref().filter(|_| left > 0) else {
            return Ok(());
        };
        let mut problem = Problem::new(ProblemKind::BudgetSpent, why.clone());
        problem.retry_after = Some(Duration::from_secs(left));
        Err(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_out_of_it_is_refused_and_only_until_the_period_ends() {
        let budgets = Budgets::default();
        assert!(budgets.check("a").is_ok());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let status = |stopped: bool, until| BudgetStatus {
            used_ratio: 1.0,
            warn_ratio: 0.8,
            stopped: stopped.then(|| "all of it is used".to_owned()),
            until,
        };
        budgets.set(HashMap::from([
            (Arc::from("a"), status(true, now + 1000)),
            (Arc::from("b"), status(false, now + 1000)),
            (Arc::from("c"), status(true, now - 1)),
        ]));
        let problem = budgets.check("a").unwrap_err();
        assert_eq!(problem.kind, ProblemKind::BudgetSpent);
        assert!(problem.retry_after.unwrap() > Duration::from_secs(900));
        for open in ["b", "c", "d"] {
            assert!(budgets.check(open).is_ok(), "{open}");
        }
        budgets.set(HashMap::new());
        assert!(budgets.check("a").is_ok());
    }
}
