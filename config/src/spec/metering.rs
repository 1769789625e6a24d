//! What usage is measured for, kept and charged.

use std::time::Duration;

/// How usage is measured and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeteringSpec {
    /// Books are kept. What is counted is counted in any case.
    pub enabled: bool,
    /// Between two looks at what instances use, and between two entries in the books.
    pub interval: Duration,
    /// Rows of minutes are kept for so long.
    pub keep_minutes: Duration,
    /// Rows of hours.
    pub keep_hours: Duration,
    /// Rows of days.
    pub keep_days: Duration,
}

/// What usage costs; zero for what is free.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PricesSpec {
    /// How the currency is called.
    pub currency: String,
    /// Of a million invocations.
    pub per_million_invocations: f64,
    /// Of a GB (2^30 bytes) reserved for a second by an instance that starts or works.
    pub per_gb_second: f64,
    /// The same by one that is idle or frozen.
    pub per_idle_gb_second: f64,
    /// Of a second of CPU time.
    pub per_cpu_second: f64,
}

/// What a function may use in a day or a month.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetSpec {
    /// In which it may use that.
    pub period: BudgetPeriod,
    /// In the currency of the prices.
    pub money: Option<f64>,
    /// Requests.
    pub invocations: Option<u64>,
    /// Reserved memory of instances that start or work.
    pub gb_seconds: Option<f64>,
    /// Part of it, in percent, from which on a warning is given.
    pub warn_percentage: f64,
    /// Requests are refused when it is used up.
    pub stop: bool,
}

/// The time that a budget is for, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetPeriod {
    /// From midnight to midnight.
    Day,
    /// From the first of a month.
    Month,
}

impl Default for MeteringSpec {
    /// Nothing yet.
    fn default() -> Self {
        MeteringSpec {
            enabled: false,
            interval: Duration::ZERO,
            keep_minutes: Duration::ZERO,
            keep_hours: Duration::ZERO,
            keep_days: Duration::ZERO,
        }
    }
}

impl Default for BudgetSpec {
    /// Everything, for a month.
    fn default() -> Self {
        BudgetSpec {
            period: BudgetPeriod::Month,
            money: None,
            invocations: None,
            gb_seconds: None,
            warn_percentage: 80.0,
            stop: true,
        }
    }
}

impl BudgetSpec {
    /// It limits something.
    pub fn limits_anything(&self) -> bool {
        self.money.is_some() || self.invocations.is_some() || self.gb_seconds.is_some()
    }
}
