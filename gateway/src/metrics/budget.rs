//! How much of their budgets functions have used.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::{GaugeVec, IntGaugeVec, Opts};

use super::families::Families;
use crate::budget::BudgetStatus;

/// Of functions that have a budget.
pub(super) struct BudgetGauges {
    used: GaugeVec,
    warn: GaugeVec,
    stopped: IntGaugeVec,
}

impl BudgetGauges {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        let ratios = |name: &str, help: &str| {
            let gauges = GaugeVec::new(Opts::new(name, help), &["function"])?;
            families.registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        Ok(BudgetGauges {
            used: ratios(
                "stoker_budget_used_ratio",
                "The part of its budget that the function has used in this period.",
            )?,
            warn: ratios(
                "stoker_budget_warn_ratio",
                "The part of its budget from which on a warning is to be given.",
            )?,
            stopped: families.gauges(
                "stoker_budget_stopped",
                "1 while the function is refused requests because its budget is used up, else 0.",
                &["function"],
            )?,
        })
    }

    pub(super) fn set(&self, budgets: &HashMap<Arc<str>, BudgetStatus>) {
        self.used.reset();
        self.warn.reset();
        self.stopped.reset();
        for (function, status) in budgets {
            let own: &[&str] = &[function];
            self.used.with_label_values(own).set(status.used_ratio);
            self.warn.with_label_values(own).set(status.warn_ratio);
            let stopped = self.stopped.with_label_values(own);
            stopped.set(status.stopped.is_some().into());
        }
    }
}
