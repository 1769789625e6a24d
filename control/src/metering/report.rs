//! Rows of the books as they are shown.

use std::collections::HashMap;

use stoker_config::PricesSpec;
use stoker_meter::{Counter, GIB_SECOND_KIB_MILLIS, Period, Prices, Totals, show_time};
use stoker_registry::{UsageQuery, UsageRow};

use super::Metering;
use crate::wire::{Usage, UsageInfo};

/// The most rows of one answer.
const MOST_ROWS: usize = 100_000;

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) by: Period,
    pub(crate) function: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoReport {
    /// It would be too long.
    TooLong(usize),
    Failed(String),
}

impl Metering {
    /// What was used. The books are as they are: see [`Metering::update`].
    pub(crate) fn usage(&self, asked: &Asked) -> Result<Usage, NoReport> {
        let query = UsageQuery {
            by: match asked.by {
                Period::Month => Period::Day,
                by => by,
            },
            from: asked.by.start(asked.from),
            to: asked.to,
            function: asked.function.clone(),
        };
        let books = self.books().map_err(NoReport::Failed)?;
        let rows = books.rows(&query, MOST_ROWS + 1);
        let mut rows = rows.map_err(|error| NoReport::Failed(error.to_string()))?;
        if rows.len() > MOST_ROWS {
            return Err(NoReport::TooLong(MOST_ROWS));
        }
        if asked.by == Period::Month {
            rows = by_month(rows);
        }
        let prices = prices(&self.gateway.snapshot().gateway.prices);
        let show = |row: &UsageRow| {
            let of = (row.function.as_str(), row.revision.as_str());
            info(row.start, of, &row.totals, &prices)
        };
        Ok(Usage {
            from: show_time(query.from),
            to: show_time(asked.to),
            by: asked.by.name().to_owned(),
            currency: (!prices.is_free()).then(|| prices.currency.clone()),
            rows: rows.iter().map(show).collect(),
        })
    }
}

/// The settings as the arithmetic takes them.
pub(super) fn prices(spec: &PricesSpec) -> Prices {
    Prices {
        per_million_invocations: spec.per_million_invocations,
        per_gb_second: spec.per_gb_second,
        per_idle_gb_second: spec.per_idle_gb_second,
        per_cpu_second: spec.per_cpu_second,
        currency: spec.currency.clone(),
    }
}

/// Rows of days put together to rows of months.
fn by_month(rows: Vec<UsageRow>) -> Vec<UsageRow> {
    let mut months: Vec<UsageRow> = Vec::new();
    let mut places: HashMap<(u64, String, String), usize> = HashMap::new();
    for row in rows {
        let start = Period::Month.start(row.start);
        let key = (start, row.function.clone(), row.revision.clone());
        match places.get(&key) {
            Some(place) => months[*place].totals.add(&row.totals),
            None => {
                places.insert(key, months.len());
                months.push(UsageRow { start, ..row });
            }
        }
    }
    months
}

fn info(
    start: u64,
    (function, revision): (&str, &str),
    used: &Totals,
    prices: &Prices,
) -> UsageInfo {
    let millis = |counter: Counter| used[counter] as f64 / 1000.0;
    let gb_seconds = |counter: Counter| used[counter] as f64 / GIB_SECOND_KIB_MILLIS;
    let idle = gb_seconds(Counter::IdleKibMillis);
    UsageInfo {
        start: show_time(start),
        start_ms: start * 1000,
        function: function.to_owned(),
        revision: revision.to_owned(),
        invocations: used[Counter::Invocations],
        failures: used[Counter::Failures],
        cold: used[Counter::Cold],
        wall_ms: millis(Counter::WallMicros),
        cpu_ms: millis(Counter::CpuMicros),
        starts: used[Counter::Starts],
        cold_ms: millis(Counter::StartMicros),
        busy_ms: millis(Counter::BusyMicros) + millis(Counter::StartingMicros),
        idle_ms: millis(Counter::IdleMicros),
        frozen_ms: millis(Counter::FrozenMicros),
        spare_ms: millis(Counter::SpareMicros),
        gb_seconds_reserved: gb_seconds(Counter::ActiveKibMillis) + idle,
        gb_seconds_idle: idle,
        gb_seconds_used: gb_seconds(Counter::UsedKibMillis),
        gb_seconds_spare: gb_seconds(Counter::SpareKibMillis),
        mirrored: used[Counter::Mirrored],
        failed_starts: used[Counter::FailedStarts],
        failed_cpu_ms: millis(Counter::FailedCpuMicros),
        spare_cpu_ms: millis(Counter::SpareCpuMicros),
        bytes_in: used[Counter::RequestBytes],
        bytes_out: used[Counter::ResponseBytes],
        cost: (!prices.is_free()).then(|| prices.cost(used).total()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_sums_of_days() {
        let row = |day: u64, function: &str, invocations| UsageRow {
            start: day * 86_400,
            function: function.to_owned(),
            revision: "r".to_owned(),
            totals: Totals::default().with(Counter::Invocations, invocations),
        };
        let months = by_month(vec![
            row(0, "a", 1),
            row(0, "b", 5),
            row(30, "a", 2),
            row(31, "a", 4),
        ]);
        let shown: Vec<_> = months
            .iter()
            .map(|it| {
                (
                    it.start / 86_400,
                    &*it.function,
                    it.totals[Counter::Invocations],
                )
            })
            .collect();
        assert_eq!(shown, [(0, "a", 3), (0, "b", 5), (31, "a", 4)]);
    }

    #[test]
    fn units_are_those_that_people_read() {
        let used = Totals::default()
            .with(Counter::WallMicros, 1_500)
            .with(Counter::ActiveKibMillis, 1_048_576_000)
            .with(Counter::IdleKibMillis, 2 * 1_048_576_000);
        let shown = info(60, ("f", "r"), &used, &Prices::default());
        assert_eq!((shown.wall_ms, shown.gb_seconds_reserved), (1.5, 3.0));
        assert_eq!((shown.gb_seconds_idle, shown.cost), (2.0, None));
        assert_eq!(
            (shown.start.as_str(), shown.start_ms),
            ("1970-01-01T00:01:00Z", 60_000)
        );
    }
}
