//! Tables and words of the page.

use std::time::Duration;

use crate::Report;
use crate::output::table::{remarks, sums};
use crate::statistics::{self, Estimate, Figure, Measure, estimate};
use stoker_show::html::{escape, table};
use stoker_show::text;

const NOTHING: &str = "–";

/// Every figure with its interval.
pub(super) fn percentiles(report: &Report) -> String {
    let mut rows = Vec::new();
    for series in &report.series {
        for measure in [Measure::FirstByte, Measure::Total] {
            let samples = measure.samples(series).count();
            if samples == 0 {
                continue;
            }
            let mut row = vec![
                series.name.clone(),
                measure.to_string(),
                text::count(samples),
            ];
            row.extend(Figure::ALL.map(|figure| duration(estimate(series, &measure, figure).ok())));
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let headings = [
        "series", "to", "samples", "min", "mean", "p50", "p90", "p99", "p99.9", "max",
    ];
    format!(
        "<section>\n<h2>Percentiles</h2>\n{}<p class=\"method\">Below each figure its 95 % confidence \
         interval; {NOTHING} where too few samples carry a figure.</p>\n</section>\n",
        table(&headings, 2, &rows)
    )
}

fn duration(estimate: Option<Estimate<Duration>>) -> String {
    with_interval(estimate, text::span)
}

fn with_interval<T: Copy>(estimate: Option<Estimate<T>>, show: impl Fn(T) -> String) -> String {
    let Some(estimate) = estimate else {
        return NOTHING.to_owned();
    };
    let mut cell = show(estimate.value);
    if let Some(interval) = estimate.interval {
        cell.push_str(&format!(
            "\n{} – {}",
            show(interval.low),
            show(interval.high)
        ));
    }
    cell
}

/// Answers, failures and what was discarded, per series.
pub(super) fn faults(report: &Report) -> String {
    let mut rows = Vec::new();
    let mut causes = Vec::new();
    for series in &report.series {
        let share = statistics::failed_share(series).filter(|share| *share > 0.0);
        let share = share.map_or_else(String::new, |share| format!("\n{}", text::percent(share)));
        rows.push(vec![
            series.name.clone(),
            series.repetitions.len().to_string(),
            text::count(statistics::answered(series)),
            format!("{}{share}", text::count(statistics::failed(series))),
            text::count(statistics::discarded(series)),
            text::count(statistics::late(series)),
            offered(series),
            with_interval(statistics::rate(series), |rate| {
                format!("{}/s", text::number(rate))
            }),
        ]);
        for (why, count) in sums(series, |one| &one.failed) {
            causes.push(vec![
                series.name.clone(),
                "failed".to_owned(),
                why,
                text::count(count),
            ]);
        }
        for (why, count) in sums(series, |one| &one.discarded) {
            let what = "discarded".to_owned();
            causes.push(vec![series.name.clone(), what, why, text::count(count)]);
        }
    }
    let headings = [
        "series",
        "repetitions",
        "answered",
        "failed",
        "discarded",
        "sent late",
        "offered",
        "answered/s",
    ];
    let causes = match causes.is_empty() {
        true => String::new(),
        false => format!(
            "<h3>Why</h3>\n{}",
            table(
                &["series", "what became of them", "why", "requests"],
                3,
                &causes
            )
        ),
    };
    format!(
        "<section>\n<h2>Requests</h2>\n{}{causes}</section>\n",
        table(&headings, 1, &rows)
    )
}

/// The rate that was scheduled, of all repetitions that had one.
fn offered(series: &crate::report::Series) -> String {
    let rates = series
        .repetitions
        .iter()
        .filter_map(|one| one.offered_per_s);
    let rates: Vec<f64> = rates.collect();
    match rates.len() {
        0 => NOTHING.to_owned(),
        count => format!(
            "{}/s",
            text::number(rates.iter().sum::<f64>() / count as f64)
        ),
    }
}

/// What else was measured.
pub(super) fn extras(report: &Report) -> String {
    let mut rows = Vec::new();
    for series in &report.series {
        for name in statistics::extra_names(series) {
            let value = with_interval(statistics::extra(series, &name), text::number);
            rows.push(vec![series.name.clone(), name, value]);
        }
    }
    match rows.is_empty() {
        true => String::new(),
        false => format!(
            "<section>\n<h2>Other figures</h2>\n{}</section>\n",
            table(&["series", "figure", "value"], 2, &rows)
        ),
    }
}

pub(super) fn notes(report: &Report) -> String {
    let notes = remarks(report)
        .into_iter()
        .map(|note| format!("<li>{}</li>\n", escape(&note)));
    let notes: String = notes.collect();
    match notes.is_empty() {
        true => String::new(),
        false => {
            format!("<section>\n<h2>Notes</h2>\n<ul class=\"notes\">\n{notes}</ul>\n</section>\n")
        }
    }
}

/// The command, the settings and the machine: what someone needs who measures again.
pub(super) fn conditions(report: &Report) -> String {
    let machine = &report.machine;
    let memory = format!(
        "{:.1} GiB",
        machine.memory_bytes as f64 / f64::from(1 << 30)
    );
    let mut facts: Vec<Vec<String>> = [
        ("stoker", &report.stoker),
        ("CPU", &machine.cpu),
        ("CPUs", &machine.cpus.to_string()),
        ("memory", &memory),
        ("kernel", &machine.kernel),
        ("system", &machine.system),
    ]
    .map(|(name, value)| vec![name.to_owned(), value.clone()])
    .into();
    let pair = |(name, value): (&String, &String)| vec![name.clone(), value.clone()];
    facts.extend(machine.more.iter().map(pair));
    let settings: Vec<Vec<String>> = report.settings.iter().map(pair).collect();
    format!(
        "<section>\n<h2>How it was measured</h2>\n<pre>{}</pre>\n<div class=\"columns\">\n\
         <div><h3>Machine</h3>\n{}</div>\n<div><h3>Settings</h3>\n{}</div>\n</div>\n</section>\n",
        escape(&shell(&report.command)),
        table(&["what", "value"], 2, &facts),
        table(&["setting", "value"], 2, &settings)
    )
}

/// As it would be typed.
fn shell(command: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    let words = command
        .iter()
        .map(|word| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        });
    words.collect::<Vec<String>>().join(" ")
}

pub(super) fn method() -> &'static str {
    "<section class=\"method\">\n<h2>How to read this</h2>\n\
     <p>Times count from when a request was scheduled, not from when it was sent: a target that stalls \
     makes every request late that was due meanwhile, and each of them is counted so (no coordinated \
     omission). Cold and warm requests never share a curve or a figure.</p>\n\
     <p>An interval is Student's t interval of the repetitions' figures if there are at least 5 of \
     them that carry the figure. Otherwise it comes from the samples alone (order statistics for \
     percentiles, the normal approximation for means), which does not know how runs differ. A \
     percentile is left out if no 95 % interval for it exists: below 6 samples for p50, 36 for p90, \
     368 for p99 and 3,688 for p99.9. Histograms are exact to a thousandth.</p>\n</section>\n"
}

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn commands_can_be_typed_again() {
        let words = [
            "stoker",
            "bench",
            "--fail-if",
            "cold.p99 > 20ms",
            "it's",
            "",
        ];
        assert_eq!(
            shell(&words.map(str::to_owned)),
            "stoker bench --fail-if 'cold.p99 > 20ms' 'it'\\''s' ''"
        );
    }
}
