//! Budgets: how much of them is used, who is warned and who is stopped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use stoker_config::{BudgetPeriod, BudgetSpec, PricesSpec};
use stoker_gateway::BudgetStatus;
use stoker_meter::{Counter, GIB_SECOND_KIB_MILLIS, Period, Totals, show_time};

use super::report::prices;
use super::{Metering, lock, now};
use crate::wire::{Budget, BudgetInfo};

/// Whose word a budget is.
const MANIFEST: &str = "manifest";
const API: &str = "api";

/// The budgets by function, each with who set it.
type Limits = HashMap<Arc<str>, (BudgetSpec, &'static str)>;

impl Metering {
    /// Compares what was used with what may be, and has the gateway act on it.
    pub(super) fn look_at_budgets(&self, now: u64) -> Result<(), String> {
        let limits = self.limits()?;
        let mut used: HashMap<Period, HashMap<String, Totals>> = HashMap::new();
        let spec = Arc::clone(&self.gateway.snapshot().gateway);
        let mut budgets = HashMap::new();
        for (function, (budget, _)) in limits {
            let period = period(&budget);
            let sums = match used.entry(period) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let sums = self.books()?.sums(period.start(now), period.next(now));
                    let sums = sums.map_err(|error| error.to_string())?;
                    place.insert(sums.into_iter().collect())
                }
            };
            let used = sums.get(&*function).copied().unwrap_or_default();
            let status = status(&budget, &used, &spec.prices, now);
            if status.used_ratio >= status.warn_ratio {
                self.warn(&function, &status, period.start(now));
            }
            budgets.insert(function, status);
        }
        lock(&self.warned).retain(|(function, _)| budgets.contains_key(function));
        self.gateway.set_budgets(budgets);
        Ok(())
    }

    /// The budget of a function, and how much of it is used.
    pub(crate) fn budget(&self, function: &str) -> Result<BudgetInfo, String> {
        let limits = self.limits()?;
        let status = self.gateway.budgets().get(function).cloned();
        let found = limits.get(function);
        Ok(BudgetInfo {
            budget: found.map(|(spec, _)| shown(spec)),
            source: found.map(|(_, source)| (*source).to_owned()),
            used_ratio: status.as_ref().map(|status| status.used_ratio),
            stopped: status.as_ref().and_then(|status| status.stopped.clone()),
            ends: status.map(|status| show_time(status.until)),
        })
    }

    /// Sets the budget of a function apart from its manifest, or goes back to that.
    pub(crate) fn set_budget(&self, function: &str, budget: Option<&Budget>) -> Result<(), String> {
        let text = budget.map(serde_json::to_string).transpose();
        let text = text.map_err(|error| error.to_string())?;
        let set = self.books()?.set_budget(function, text.as_deref());
        set.map_err(|error| error.to_string())?;
        let now = now();
        self.enter(now)?;
        self.look_at_budgets(now)
    }

    fn limits(&self) -> Result<Limits, String> {
        let snapshot = self.gateway.snapshot();
        let mut limits = Limits::new();
        for (name, entry) in &snapshot.functions {
            if let Some(budget) = &entry.spec.budget {
                limits.insert(Arc::clone(name), (budget.clone(), MANIFEST));
            }
        }
        let set = self.books()?.budgets().map_err(|error| error.to_string())?;
        for (function, text) in set {
            let Some((name, _)) = snapshot.functions.get_key_value(function.as_str()) else {
                continue;
            };
            let budget: Budget = serde_json::from_str(&text)
                .map_err(|error| format!("the budget of {name} cannot be read: {error}"))?;
            limits.insert(Arc::clone(name), (check(&budget)?, API));
        }
        Ok(limits)
    }

    /// Once in a period.
    fn warn(&self, function: &Arc<str>, status: &BudgetStatus, start: u64) {
        let stopped = status.stopped.is_some();
        // Being stopped is said apart from being warned, also if both come at once.
        let key = (Arc::clone(function), start * 2 + u64::from(stopped));
        if lock(&self.warned).insert(key) {
            let (percent, until) = (status.used_ratio * 100.0, show_time(status.until));
            let what = match stopped {
                true => "and is refused requests until then",
                false => "",
            };
            eprintln!(
                "stoker: {function} has used {percent:.1} % of its budget, which ends at {until} {what}"
            );
        }
    }
}

/// What a budget comes to, if it can be one.
pub(crate) fn check(budget: &Budget) -> Result<BudgetSpec, String> {
    let period = match budget.period.as_deref() {
        Some("day") => BudgetPeriod::Day,
        Some("month") | None => BudgetPeriod::Month,
        Some(other) => return Err(format!("period is day or month, not {other:?}")),
    };
    let positive = |name: &str, value: Option<f64>| match value {
        Some(value) if !(value > 0.0 && value <= 1e12) => Err(format!(
            "{name} is a number above 0 and up to 1e12, not {value}"
        )),
        value => Ok(value),
    };
    let warn_percentage = budget.warn_percentage.unwrap_or(80.0);
    if !(warn_percentage > 0.0 && warn_percentage <= 100.0) {
        return Err(format!(
            "warn_percentage is a number above 0 and up to 100, not {warn_percentage}"
        ));
    }
    let spec = BudgetSpec {
        period,
        money: positive("money", budget.money)?,
        invocations: budget.invocations,
        gb_seconds: positive("gb_seconds", budget.gb_seconds)?,
        warn_percentage,
        stop: budget.stop.unwrap_or(true),
    };
    match spec.limits_anything() && spec.invocations != Some(0) {
        true => Ok(spec),
        false => Err("a budget has money, invocations (at least 1) or gb_seconds".to_owned()),
    }
}

fn period(budget: &BudgetSpec) -> Period {
    match budget.period {
        BudgetPeriod::Day => Period::Day,
        BudgetPeriod::Month => Period::Month,
    }
}

fn shown(spec: &BudgetSpec) -> Budget {
    Budget {
        period: Some(period(spec).name().to_owned()),
        money: spec.money,
        invocations: spec.invocations,
        gb_seconds: spec.gb_seconds,
        warn_percentage: Some(spec.warn_percentage),
        stop: Some(spec.stop),
    }
}

/// Where a function stands that has used so much in the period that holds `now`.
fn status(budget: &BudgetSpec, used: &Totals, money: &PricesSpec, now: u64) -> BudgetStatus {
    let prices = prices(money);
    let gb_seconds = used[Counter::ActiveKibMillis] as f64 / GIB_SECOND_KIB_MILLIS;
    let invocations = used[Counter::Invocations];
    let parts = [
        budget.money.map(|limit| {
            let cost = prices.cost(used).total();
            let words = format!("{cost:.2} of {limit} {}", prices.currency);
            (cost / limit, words.trim_end().to_owned())
        }),
        budget.invocations.map(|limit| {
            let ratio = invocations as f64 / limit as f64;
            (ratio, format!("{invocations} of {limit} invocations"))
        }),
        budget.gb_seconds.map(|limit| {
            let words = format!("{gb_seconds:.1} of {limit} GB-seconds");
            (gb_seconds / limit, words)
        }),
    ];
    let most = parts
        .into_iter()
        .flatten()
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let (used_ratio, words) = most.unwrap_or_default();
    let period = period(budget);
    let name = period.name();
    BudgetStatus {
        used_ratio,
        warn_ratio: budget.warn_percentage / 100.0,
        stopped: (budget.stop && used_ratio >= 1.0)
            .then(|| format!("the budget of this {name} is used up: {words}")),
        until: period.next(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> BudgetSpec {
        BudgetSpec {
            invocations: Some(1000),
            ..BudgetSpec::default()
        }
    }

    fn used(invocations: u64) -> Totals {
        Totals::default()
            .with(Counter::Invocations, invocations)
            .with(Counter::ActiveKibMillis, invocations * 1_048_576_000)
    }

    #[test]
    fn the_part_that_is_used_most_decides() {
        let prices = PricesSpec {
            per_gb_second: 0.5,
            currency: "EUR".to_owned(),
            ..PricesSpec::default()
        };
        let now = 1_795_298_700;
        let some = status(&budget(), &used(250), &prices, now);
        assert_eq!((some.used_ratio, some.stopped), (0.25, None));
        assert_eq!(show_time(some.until), "2026-12-01T00:00:00Z");
        let money = BudgetSpec {
            money: Some(100.0),
            period: BudgetPeriod::Day,
            ..budget()
        };
        let all = status(&money, &used(250), &prices, now);
        assert_eq!(all.used_ratio, 1.25);
        let why = "the budget of this day is used up: 125.00 of 100 EUR";
        assert_eq!(all.stopped.as_deref(), Some(why));
        assert_eq!(show_time(all.until), "2026-11-22T00:00:00Z");
        let lenient = BudgetSpec {
            stop: false,
            ..money
        };
        assert_eq!(status(&lenient, &used(250), &prices, now).stopped, None);
    }

    #[test]
    fn a_budget_has_bounds() {
        let budget: Budget = serde_json::from_str(r#"{"invocations": 5}"#).unwrap();
        let spec = check(&budget).unwrap();
        assert_eq!(
            spec,
            BudgetSpec {
                invocations: Some(5),
                ..BudgetSpec::default()
            }
        );
        assert_eq!(check(&shown(&spec)), Ok(spec));
        for wrong in [
            "{}",
            r#"{"invocations": 0}"#,
            r#"{"money": 0}"#,
            r#"{"money": -1.5}"#,
            r#"{"gb_seconds": 1e13}"#,
            r#"{"money": 1, "period": "year"}"#,
            r#"{"money": 1, "warn_percentage": 0}"#,
        ] {
            let budget: Budget = serde_json::from_str(wrong).unwrap();
            assert!(check(&budget).is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<Budget>(r#"{"moneys": 1}"#).is_err());
    }
}
