//! The table that people read after a run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Report;
use crate::breakdown::{Breakdown, phase_names};
use crate::report::{Repetition, Series};
use crate::statistics::{self, Basis, Estimate, Figure, Interval, Measure, REPETITIONS, estimate};
use stoker_show::text::{self, Columns, printable};

/// What is not known.
const NOTHING: &str = "-";

/// All of the report but the distributions, at most about 130 columns wide.
pub fn render(report: &Report) -> String {
    let mut page = heading(report);
    page.push('\n');
    page.push_str(&latencies(report));
    for series in &report.series {
        page.push_str(&phases(series));
    }
    page.push_str(&extras(report));
    page.push_str(&faults(report, "FAILED", |one| &one.failed));
    page.push_str(&faults(report, "DISCARDED", |one| &one.discarded));
    let remarks = remarks(report);
    if !remarks.is_empty() {
        page.push('\n');
    }
    for remark in remarks {
        page.push_str(&format!("note: {}\n", printable(&remark)));
    }
    page
}

fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let lines = [
        format!("{} {}", report.mode, report.url),
        format!(
            "{} CPUs, {}, {}, Linux {}",
            machine.cpus,
            or_nothing(&machine.cpu),
            or_nothing(&machine.system),
            or_nothing(&machine.kernel)
        ),
    ];
    lines.map(|line| printable(&line) + "\n").concat()
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { NOTHING } else { text }
}

/// A line of figures for every series and measure, and below it their intervals.
fn latencies(report: &Report) -> String {
    let figures = Figure::ALL.map(|figure| figure.name().to_uppercase());
    let headings = ["SERIES", "TO", "ANSWERED", "FAILED", "RATE"];
    let headings = headings.map(str::to_owned).into_iter().chain(figures);
    let mut columns = Columns::new(headings, 2);
    for series in &report.series {
        let rate = statistics::rate(series);
        let mut counts = [
            text::count(statistics::answered(series)),
            text::count(statistics::failed(series)),
            rate.map_or_else(nothing, |rate| format!("{}/s", text::number(rate.value))),
        ];
        let mut rate_interval = interval(rate, text::number);
        let mut name = series.name.clone();
        for measure in [Measure::FirstByte, Measure::Total] {
            if measure.samples(series).count() == 0 && measure == Measure::Total {
                continue;
            }
            let all = Figure::ALL.map(|figure| estimate(series, &measure, figure).ok());
            let values = all.map(|one| one.map_or_else(nothing, |one| text::span(one.value)));
            let intervals = all.map(|one| interval(one, text::span));
            let row = [name, measure.to_string()].into_iter().chain(counts);
            columns.row(row.chain(values));
            let blank = || std::iter::repeat_n(String::new(), 4);
            columns.row(blank().chain([rate_interval]).chain(intervals));
            (name, counts, rate_interval) = Default::default();
        }
    }
    let text = columns.render();
    // A line without intervals has nothing.
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

fn nothing() -> String {
    NOTHING.to_owned()
}

/// `1.18ms..1.25ms`; empty without an interval.
fn interval<T: Copy>(estimate: Option<Estimate<T>>, show: impl Fn(T) -> String) -> String {
    let interval = estimate.and_then(|estimate| estimate.interval);
    interval.map_or_else(String::new, |Interval { low, high, .. }| {
        format!("{}..{}", show(low), show(high))
    })
}

/// What the target says of where the time went.
fn phases(series: &Series) -> String {
    let names = phase_names(series);
    if names.is_empty() {
        return String::new();
    }
    let mut columns = Columns::new(["PHASE", "SAMPLES", "MEAN", "P50", "P90", "P99", "MAX"], 1);
    for name in names {
        let measure = Measure::Phase(name.clone());
        let count = measure.samples(series).count();
        let figures = [
            Figure::Mean,
            Figure::P50,
            Figure::P90,
            Figure::P99,
            Figure::Max,
        ];
        let figures = figures.map(|figure| {
            let estimate = estimate(series, &measure, figure);
            estimate.map_or_else(|_| nothing(), |one| text::span(one.value))
        });
        columns.row([name, text::count(count)].into_iter().chain(figures));
    }
    let mut page = format!(
        "\n{} by phase\n{}",
        printable(&series.name),
        columns.render()
    );
    let breakdown = Breakdown::of(series);
    if breakdown.outside > Duration::ZERO {
        page.push_str(&format!(
            "on average {} of {} to the first byte are outside of what the target tells\n",
            text::span(breakdown.outside),
            text::span(breakdown.first_byte)
        ));
    }
    page
}

/// What else was measured.
fn extras(report: &Report) -> String {
    let mut columns = Columns::new(["SERIES", "FIGURE", "VALUE", "95 %"], 2);
    let mut any = false;
    for series in &report.series {
        for name in statistics::extra_names(series) {
            any = true;
            let estimate = statistics::extra(series, &name);
            let value = estimate.map_or_else(nothing, |one| text::number(one.value));
            let interval = interval(estimate, text::number);
            columns.row([series.name.clone(), name, value, interval]);
        }
    }
    match any {
        true => format!("\n{}", columns.render()),
        false => String::new(),
    }
}

fn faults(
    report: &Report,
    heading: &str,
    of: impl Fn(&Repetition) -> &BTreeMap<String, u64>,
) -> String {
    let mut columns = Columns::new([heading, "WHY", "COUNT"], 2);
    let mut any = false;
    for series in &report.series {
        for (why, count) in sums(series, &of) {
            any = true;
            columns.row([series.name.clone(), why, text::count(count)]);
        }
    }
    if any {
        format!("\n{}", columns.render())
    } else {
        String::new()
    }
}

/// Counts by why, over all repetitions.
pub(super) fn sums(
    series: &Series,
    of: impl Fn(&Repetition) -> &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (why, count) in series.repetitions.iter().flat_map(of) {
        let sum: &mut u64 = sums.entry(why.clone()).or_insert(0);
        *sum = sum.saturating_add(*count);
    }
    sums
}

/// What a reader must know: of the run, and of its figures.
pub(super) fn remarks(report: &Report) -> Vec<String> {
    let mut remarks = report.notes.clone();
    for series in &report.series {
        let late = statistics::late(series);
        if late > 0 {
            remarks.push(format!(
                "{} requests of {} were sent late by the generator; their lateness counts",
                text::count(late),
                series.name
            ));
        }
    }
    let mut lacking = Vec::new();
    let mut by_samples = false;
    for series in &report.series {
        for figure in Figure::ALL {
            match estimate(series, &Measure::FirstByte, figure) {
                Err(few) if few.has > 0 => {
                    lacking.push(format!("{}.{} {few}", series.name, figure.name()));
                }
                Err(_) => {}
                Ok(estimate) => {
                    let basis = estimate.interval.map(|interval| interval.basis);
                    by_samples |= basis == Some(Basis::Samples);
                }
            }
        }
    }
    if !lacking.is_empty() {
        remarks.push(format!("left out: {}", lacking.join("; ")));
    }
    if by_samples {
        remarks.push(format!(
            "intervals (95 %) of figures with fewer than {REPETITIONS} repetitions that carry them \
             are those of the samples, and do not know how runs differ"
        ));
    }
    remarks
}
