//! What goes with the invocations of the Azure Functions Trace 2019: how long functions take, and how
//! much memory they have. Columns are found by their headings, as in a trace.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::formats::hashed;
use crate::lines::Lines;
use crate::row::{Column, Row, unquoted};
use crate::{HASH_DIGITS, TraceError};

const PERCENTILE: &str = "percentile_Average_";
const MEMORY: &str = "AverageAllocatedMb";
const MIB: f64 = 1_048_576.0;

/// Shares in [0, 1] and the durations that they do not exceed, both ascending.
pub type Quantiles = Vec<(f64, Duration)>;

/// The durations of each function, by its name in the trace: the columns `percentile_Average_0` to
/// `percentile_Average_100` of a file of durations, in milliseconds.
pub fn azure2019_durations(path: &Path) -> Result<HashMap<String, Quantiles>, TraceError> {
    let mut found = HashMap::new();
    each_row(path, |headings, row| {
        let name = hashed(
            headings.text(row, "HashApp")?,
            headings.text(row, "HashFunction")?,
        );
        let mut quantiles = Quantiles::new();
        for (percent, column) in headings.percentiles() {
            // A duration below zero is a fault of a clock, and one below its predecessor of rounding.
            let seconds = row.number(column, 1e-3)?.max(0.0);
            let least = quantiles.last().map_or(Duration::ZERO, |(_, last)| *last);
            quantiles.push((percent / 100.0, Duration::from_secs_f64(seconds).max(least)));
        }
        if quantiles.is_empty() {
            let message = format!("there are no columns {PERCENTILE}0 to {PERCENTILE}100");
            return Err(TraceError::new(1, "", message));
        }
        found.insert(name, quantiles);
        Ok(())
    })?;
    Ok(found)
}

/// The average memory of an instance of each function, in bytes, by its name in the trace, or of each
/// app, as the published files have it, by the part of that name before the hyphen: the column
/// `AverageAllocatedMb` of a file of memory.
pub fn azure2019_memory(path: &Path) -> Result<HashMap<String, u64>, TraceError> {
    let mut found = HashMap::new();
    each_row(path, |headings, row| {
        let app = headings.text(row, "HashApp")?;
        let name = match headings.find("HashFunction") {
            Some(function) => hashed(app, row.text(function)?),
            None => app.chars().take(HASH_DIGITS).collect(),
        };
        let bytes = row.number(headings.column(MEMORY)?, 1.0)?.max(0.0) * MIB;
        found.insert(name, bytes as u64);
        Ok(())
    })?;
    Ok(found)
}

/// The columns of a file.
struct Headings(Vec<Column>);

impl Headings {
    fn find(&self, name: &str) -> Option<&Column> {
        self.0.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    fn column(&self, name: &str) -> Result<&Column, TraceError> {
        self.find(name)
            .ok_or_else(|| TraceError::new(1, name, "there is no such column"))
    }

    fn text<'a>(&self, row: &Row<'a>, name: &str) -> Result<&'a str, TraceError> {
        row.text(self.column(name)?)
    }

    /// Ascending.
    fn percentiles(&self) -> Vec<(f64, &Column)> {
        let percent = |column: &Column| {
            let percent: f64 = column.name.strip_prefix(PERCENTILE)?.parse().ok()?;
            (0.0..=100.0).contains(&percent).then_some(percent)
        };
        let columns = self.0.iter();
        let mut found: Vec<_> = columns.filter_map(|it| Some((percent(it)?, it))).collect();
        found.sort_by(|one, other| one.0.total_cmp(&other.0));
        found
    }
}

/// Calls for each line after the one of the headings.
fn each_row(
    path: &Path,
    mut take: impl FnMut(&Headings, &Row<'_>) -> Result<(), TraceError>,
) -> Result<(), TraceError> {
    let mut lines = Lines::open(path)?;
    let mut headings: Option<Headings> = None;
    let mut line = 0;
    while lines.next()? {
        line += 1;
        let text = lines.text();
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = text.split(',').map(unquoted).collect();
        let Some(headings) = &headings else {
            let names = fields.iter().enumerate();
            let columns = names.map(|(index, name)| Column {
                name: (*name).to_owned(),
                index,
            });
            headings = Some(Headings(columns.collect()));
            continue;
        };
        let row = Row {
            fields: &fields,
            line,
        };
        take(headings, &row).map_err(|error| lines.named(error))?;
    }
    match headings {
        Some(_) => Ok(()),
        None => Err(lines.named(TraceError::new(0, "", "there is no line of headings"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> std::path::PathBuf {
        let name = format!("stoker-profile-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    const DURATIONS: &str = "HashOwner,HashApp,HashFunction,Average,Count,percentile_Average_50,\
        percentile_Average_0,percentile_Average_100\n\
        o,0123456789abcdef,fedcba9876543210,20,7,20,-1,300.5\n\n\
        o,app,f,20,7,20,30,10\n";

    #[test]
    fn durations_are_quantiles_by_function() {
        let path = file("durations", DURATIONS);
        let found = azure2019_durations(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let of = |name: &str, micros: [u64; 3]| {
            let times = micros.map(Duration::from_micros);
            let expected: Quantiles = [0.0, 0.5, 1.0].into_iter().zip(times).collect();
            assert_eq!(found[name], expected);
        };
        of("0123456789ab-fedcba987654", [0, 20_000, 300_500]);
        // What descends does not.
        of("app-f", [30_000, 30_000, 30_000]);
    }

    #[test]
    fn memory_is_by_function_or_by_app() {
        let of = |text: &str| {
            let path = file("memory", text);
            let found = azure2019_memory(&path);
            std::fs::remove_file(&path).unwrap();
            found
        };
        let functions = "HashApp,HashFunction,AverageAllocatedMb\napp,f,1.5\n";
        assert_eq!(of(functions).unwrap()["app-f"], 3 << 19);
        let apps = "HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,0123456789abcdef,3,2\n";
        assert_eq!(of(apps).unwrap()["0123456789ab"], 2 << 20);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let says = |text: &str, expected: &str| {
            let path = file("wrong", text);
            let error = azure2019_durations(&path).unwrap_err().to_string();
            std::fs::remove_file(&path).unwrap();
            assert!(error.ends_with(expected), "{error}");
        };
        says("", ": there is no line of headings");
        says("a,b\n1,2\n", "column HashApp: there is no such column");
        let none = "there are no columns percentile_Average_0 to percentile_Average_100";
        says("HashApp,HashFunction\na,f\n", none);
        let number = "HashApp,HashFunction,percentile_Average_0\na,f,x\n";
        says(number, "\"x\" is no number of the size that a trace has");
    }
}
