//! The figures and the distributions as comma-separated values (RFC 4180, lines ended by a line
//! feed), for spreadsheets and scripts.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Report;
use crate::breakdown::phase_names;
use crate::report::Series;
use crate::statistics::{self, Estimate, Figure, Measure, estimate};

/// One row for every figure of every series: of all repetitions together, whose `repetition` is
/// `all` and which have the 95 % interval from `low` to `high`, and of every repetition, counted from
/// 1. Durations are nanoseconds. Figures that too few samples carry are left out.
pub fn figures(report: &Report) -> String {
    let mut rows = Rows("series,repetition,measure,figure,unit,value,low,high\n".to_owned());
    for series in &report.series {
        rows.series(series, "all");
        for (index, repetition) in series.repetitions.iter().enumerate() {
            let alone = Series {
                name: series.name.clone(),
                repetitions: vec![repetition.clone()],
            };
            rows.series(&alone, &(index + 1).to_string());
        }
    }
    rows.0
}

/// One row for every bucket of every distribution: so many samples are at most as long as
/// `upto_ns` and longer than in the row before, and `share` of all are at most as long.
pub fn distributions(report: &Report) -> String {
    let mut rows = "series,repetition,measure,upto_ns,count,share\n".to_owned();
    for series in &report.series {
        for measure in measures(series) {
            for (index, repetition) in series.repetitions.iter().enumerate() {
                let Some(histogram) = measure.of(repetition) else {
                    continue;
                };
                let mut below = 0;
                for (ns, count) in histogram.buckets() {
                    below += count;
                    let share = below as f64 / histogram.count() as f64;
                    let name = field(&series.name);
                    let measure = field(&measure_name(&measure));
                    let number = index + 1;
                    writeln!(rows, "{name},{number},{measure},{ns},{count},{share:.6}")
                        .expect("a string takes all");
                }
            }
        }
    }
    rows
}

struct Rows(String);

impl Rows {
    fn series(&mut self, series: &Series, repetition: &str) {
        let count = |value: u64| Some((value as f64, None));
        let start = [
            field(&series.name),
            repetition.to_owned(),
            "requests".to_owned(),
        ];
        let whole = |value: Option<Estimate<f64>>| {
            value.map(|one| (one.value, one.interval.map(|i| (i.low, i.high))))
        };
        let failed = statistics::failed_share(series).map(|share| (share, None));
        self.row(
            &start,
            "answered",
            "count",
            count(statistics::answered(series)),
        );
        self.row(&start, "failed", "count", count(statistics::failed(series)));
        self.row(&start, "failed", "share", failed);
        self.row(
            &start,
            "discarded",
            "count",
            count(statistics::discarded(series)),
        );
        self.row(&start, "late", "count", count(statistics::late(series)));
        self.row(&start, "rate", "per_s", whole(statistics::rate(series)));
        for (name, value) in extra(series) {
            self.row(&start, &name, "", whole(Some(value)));
        }
        let [name, repetition, _] = start;
        for measure in measures(series) {
            let start = [name.clone(), repetition.clone(), measure_name(&measure)];
            for figure in Figure::ALL {
                let estimate = estimate(series, &measure, figure).ok();
                let ns = |duration: std::time::Duration| duration.as_nanos() as f64;
                let value = estimate.map(|one| {
                    let interval = one.interval.map(|i| (ns(i.low), ns(i.high)));
                    (ns(one.value), interval)
                });
                self.row(&start, figure.name(), "ns", value);
            }
        }
    }

    fn row(
        &mut self,
        start: &[String; 3],
        figure: &str,
        unit: &str,
        value: Option<(f64, Option<(f64, f64)>)>,
    ) {
        let Some((value, interval)) = value else {
            return;
        };
        let [series, repetition, measure] = start;
        let measure = field(measure);
        let figure = field(figure);
        let value = plain(value);
        write!(
            self.0,
            "{series},{repetition},{measure},{figure},{unit},{value},"
        )
        .expect("a string takes all");
        match interval {
            Some((low, high)) => writeln!(self.0, "{},{}", plain(low), plain(high)),
            None => writeln!(self.0, ","),
        }
        .expect("a string takes all");
    }
}

fn extra(series: &Series) -> BTreeMap<String, Estimate<f64>> {
    let names = statistics::extra_names(series);
    let each = names.into_iter().filter_map(|name| {
        let estimate = statistics::extra(series, &name)?;
        Some((name, estimate))
    });
    each.collect()
}

fn measures(series: &Series) -> Vec<Measure> {
    let mut measures = vec![Measure::FirstByte, Measure::Total];
    measures.extend(phase_names(series).into_iter().map(Measure::Phase));
    measures
}

/// A phase may be called as a measure is.
fn measure_name(measure: &Measure) -> String {
    match measure {
        Measure::FirstByte => "first_byte".to_owned(),
        Measure::Total => "total".to_owned(),
        Measure::Phase(name) => format!("phase.{name}"),
    }
}

/// At most six places.
fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Quoted if need be; what a spreadsheet would calculate is text.
fn field(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_quoted() {
        assert_eq!(field("cold"), "cold");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("a\nb"), "\"a\nb\"");
    }
}
