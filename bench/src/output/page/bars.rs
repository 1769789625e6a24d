//! Where the time goes, as bars whose parts add up: averages do, quantiles do not.

use std::fmt::Write;
use std::time::Duration;

use crate::Report;
use crate::breakdown::{Breakdown, phase_names};
use crate::report::Series;
use crate::statistics::{Figure, Measure, estimate};
use stoker_show::html::{escape, table};
use stoker_show::text;

/// Series that have bars; others are in the table only.
const MAX_SERIES: usize = 12;

const WIDTH: f64 = 1100.0;
const LEFT: f64 = 130.0;
const BAR: f64 = 26.0;

/// The colour of every known phase, so that it is the same in every series.
const COLOURS: [(&str, usize); 10] = [
    ("queue", 0),
    ("connect", 4),
    ("first-byte", 2),
    ("start", 1),
    ("decide", 7),
    ("prepare", 3),
    ("spawn", 1),
    ("clone", 5),
    ("exec", 6),
    ("listen", 8),
];

pub(super) fn section(report: &Report) -> String {
    let with_phases = report
        .series
        .iter()
        .filter(|one| !phase_names(one).is_empty());
    let with_phases: Vec<&Series> = with_phases.collect();
    if with_phases.is_empty() {
        return String::new();
    }
    let mut bars = String::new();
    let mut legend: Vec<(String, usize)> = Vec::new();
    for series in with_phases.iter().take(MAX_SERIES) {
        let breakdown = Breakdown::of(series);
        bars.push_str(&chart(&series.name, &breakdown));
        for (name, _) in breakdown.request.iter().chain(&breakdown.start) {
            if legend.iter().all(|known| known.0 != *name) {
                legend.push((name.clone(), colour(name)));
            }
        }
    }
    let legend: Vec<String> = legend
        .iter()
        .map(|(name, colour)| format!("<li class=\"k{colour}\">{}</li>", escape(name)))
        .collect();
    format!(
        "<section>\n<h2>Where the time goes</h2>\n<ul class=\"legend\">{}<li>outside of what the \
         target tells</li></ul>\n<figure>{bars}<figcaption>Averages per request. The start of an \
         instance may go on beside the connection and the first byte, so it has a bar of its own.\
         </figcaption></figure>\n{}</section>\n",
        legend.concat(),
        phases(&with_phases)
    )
}

fn colour(name: &str) -> usize {
    let known = COLOURS.iter().find(|known| known.0 == name);
    // Others by their letters, so that the same name has the same colour everywhere.
    known.map_or_else(
        || name.bytes().map(usize::from).sum::<usize>() % 8,
        |known| known.1,
    )
}

fn chart(name: &str, breakdown: &Breakdown) -> String {
    let sum = |parts: &[(String, Duration)]| parts.iter().map(|part| part.1).sum::<Duration>();
    let whole = breakdown
        .first_byte
        .max(sum(&breakdown.request))
        .max(sum(&breakdown.start));
    let height = if breakdown.start.is_empty() {
        66.0
    } else {
        98.0
    };
    let title = format!("Phases of {name}");
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n\
         <text class=\"name\" x=\"0\" y=\"16\">{}: {} to the first byte</text>\n",
        escape(&title),
        escape(name),
        text::span(breakdown.first_byte)
    );
    let rest = Some(breakdown.outside);
    row(&mut svg, 26.0, ("request", &breakdown.request, rest), whole);
    if !breakdown.start.is_empty() {
        row(&mut svg, 60.0, ("start", &breakdown.start, None), whole);
    }
    svg.push_str("</svg>\n");
    svg
}

fn row(
    svg: &mut String,
    top: f64,
    (title, parts, rest): (&str, &[(String, Duration)], Option<Duration>),
    whole: Duration,
) {
    let middle = top + BAR / 2.0 + 4.0;
    writeln!(svg, "<text x=\"0\" y=\"{middle}\">{title}</text>").expect("a string takes all");
    let scale = (WIDTH - LEFT) / whole.as_secs_f64().max(1e-9);
    let mut x = LEFT;
    let named = parts
        .iter()
        .map(|(name, time)| (name.as_str(), *time, colour(name)));
    for (name, time, colour) in named {
        let width = time.as_secs_f64() * scale;
        let tip = format!("{name} {}", text::span(time));
        writeln!(
            svg,
            "<g class=\"k{colour}\"><title>{}</title><rect class=\"bar\" x=\"{x:.1}\" y=\"{top}\" \
             width=\"{width:.1}\" height=\"{BAR}\" />{}</g>",
            escape(&tip),
            inside(&tip, name, [x, middle, width])
        )
        .expect("a string takes all");
        x += width;
    }
    if let Some(rest) = rest {
        let width = rest.as_secs_f64() * scale;
        writeln!(
            svg,
            "<g><title>outside {}</title><rect class=\"rest\" x=\"{x:.1}\" y=\"{top}\" \
             width=\"{width:.1}\" height=\"{BAR}\" /></g>",
            text::span(rest)
        )
        .expect("a string takes all");
    }
}

/// What fits into the bar.
fn inside(long: &str, short: &str, [x, y, width]: [f64; 3]) -> String {
    let fits = |text: &&str| text.chars().count() as f64 * 7.0 + 8.0 < width;
    let Some(text) = [long, short].into_iter().find(fits) else {
        return String::new();
    };
    let x = x + width / 2.0;
    format!(
        "<text class=\"inside\" x=\"{x:.1}\" y=\"{y}\">{}</text>",
        escape(text)
    )
}

fn phases(all: &[&Series]) -> String {
    let figures = [
        Figure::Mean,
        Figure::P50,
        Figure::P90,
        Figure::P99,
        Figure::Max,
    ];
    let mut rows = Vec::new();
    for series in all {
        for name in phase_names(series) {
            let measure = Measure::Phase(name.clone());
            let count = text::count(measure.samples(series).count());
            let shown = figures.map(|figure| {
                let estimate = estimate(series, &measure, figure);
                estimate.map_or_else(|_| "–".to_owned(), |one| text::span(one.value))
            });
            rows.push(
                [series.name.clone(), name, count]
                    .into_iter()
                    .chain(shown)
                    .collect(),
            );
        }
    }
    let headings = [
        "series", "phase", "samples", "mean", "p50", "p90", "p99", "max",
    ];
    table(&headings, 2, &rows)
}
