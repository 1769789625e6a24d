//! The distributions of latency: each series is a curve of its own, with those of its repetitions
//! behind it.

use super::COLOURS;
use crate::Report;
use crate::report::Series;
use crate::samples::Samples;
use crate::statistics::Measure;
use stoker_show::chart::{Axis, Frame, log_time};
use stoker_show::html::escape;

/// Curves of single repetitions; more would hide each other.
const MAX_REPETITIONS: usize = 12;

/// Nearer points of a curve are left out, in the chart's units.
const NEAR: f64 = 0.7;

pub(super) fn section(report: &Report) -> String {
    let counted: Vec<(usize, &Series, Samples)> = report
        .series
        .iter()
        .take(COLOURS)
        .enumerate()
        .map(|(index, series)| (index, series, Measure::FirstByte.samples(series)))
        .filter(|one| one.2.count() > 0)
        .collect();
    if counted.is_empty() {
        return String::new();
    }
    let mut legend = String::new();
    for (index, series, samples) in &counted {
        let count = stoker_show::text::count(samples.count());
        let name = escape(&series.name);
        legend.push_str(&format!(
            "<li class=\"k{index}\">{name} <small>{count}</small></li>\n"
        ));
    }
    let more = match report.series.len() > COLOURS {
        true => format!(
            "<p class=\"method\">The first {COLOURS} series are drawn; all are below.</p>\n"
        ),
        false => String::new(),
    };
    format!(
        "<section>\n<h2>Time to the first byte</h2>\n<ul class=\"legend\">\n{legend}</ul>\n{more}\
         <div class=\"charts\">\n<figure>{}<figcaption>Share of requests that were answered within \
         a time. Thin lines are single repetitions.</figcaption></figure>\n<figure>{}<figcaption>The \
         tail: with every nine the slower requests are ten times rarer.</figcaption></figure>\n\
         </div>\n<p class=\"reading\" hidden=\"hidden\" aria-live=\"polite\"></p>\n</section>\n",
        chart(&counted, Scale::Share),
        chart(&counted, Scale::Nines)
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Scale {
    /// Even.
    Share,
    /// By the logarithm of how rare the slower ones are.
    Nines,
}

impl Scale {
    fn axis(self, most: u64) -> Axis {
        let tick = |place: f64, text: &str| (place, text.to_owned());
        match self {
            Scale::Share => Axis {
                low: 0.0,
                high: 1.0,
                ticks: [0.0, 0.25, 0.5, 0.75, 1.0]
                    .map(|share| tick(share, &format!("{} %", share * 100.0)))
                    .into(),
                label: "",
            },
            Scale::Nines => {
                let names = [
                    "0 %",
                    "90 %",
                    "99 %",
                    "99.9 %",
                    "99.99 %",
                    "99.999 %",
                    "99.9999 %",
                ];
                let high = (most as f64).log10().ceil().clamp(1.0, 6.0);
                let ticks = names.iter().enumerate().take(high as usize + 1);
                let mut ticks: Vec<_> = ticks
                    .map(|(place, name)| tick(place as f64, name))
                    .collect();
                ticks.push(tick(2_f64.log10(), "50 %"));
                Axis {
                    low: 0.0,
                    high,
                    ticks,
                    label: "",
                }
            }
        }
    }

    /// Where the sample at `rank` of `count` is.
    fn place(self, rank: u64, count: u64) -> f64 {
        match self {
            Scale::Share => rank as f64 / count as f64,
            // Half a sample less, so that the last one has a place.
            Scale::Nines => -(1.0 - (rank as f64 - 0.5) / count as f64).log10(),
        }
    }
}

fn chart(counted: &[(usize, &Series, Samples)], scale: Scale) -> String {
    let ends = counted
        .iter()
        .filter_map(|(_, _, samples)| samples.min().zip(samples.max()));
    let (low, high) = ends.fold((u64::MAX, 1), |(low, high), (min, max)| {
        (low.min(min), high.max(max))
    });
    let most = counted.iter().map(|one| one.2.count()).max().unwrap_or(1);
    let frame = Frame {
        width: 640.0,
        height: 360.0,
        x: log_time(
            low as f64,
            high as f64,
            "time to the first byte, logarithmic",
        ),
        y: scale.axis(most),
    };
    let mut marks = String::new();
    for (index, series, all) in counted {
        let single = series.repetitions.len() > 1;
        for one in series
            .repetitions
            .iter()
            .take(MAX_REPETITIONS)
            .filter(|_| single)
        {
            let samples = Samples::of([&one.first_byte]);
            let class = format!("curve one k{index}");
            marks.push_str(&curve(&frame, scale, &samples, &class, None));
        }
        let class = format!("curve k{index}");
        marks.push_str(&curve(&frame, scale, all, &class, Some(&series.name)));
    }
    let (title, kind) = match scale {
        Scale::Share => ("Distribution of the time to the first byte", "share"),
        Scale::Nines => ("Tail of the time to the first byte", "nines"),
    };
    let attributes = format!(
        "class=\"cdf\" data-kind=\"{kind}\" data-y=\"{:.5} {:.5}\"",
        frame.y.low, frame.y.high
    );
    frame.render(title, &attributes, &marks)
}

/// The corners of the steps, in the chart's units: the place from which on so many are within it.
fn corners(frame: &Frame, scale: Scale, samples: &Samples) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> = Vec::new();
    let last = samples.steps().len().saturating_sub(1);
    for (index, &(ns, rank)) in samples.steps().iter().enumerate() {
        let x = frame.x((ns.max(1) as f64).log10());
        let y = frame.y(scale.place(rank, samples.count()));
        let far = corners
            .last()
            .is_none_or(|before| x - before.0 > NEAR || before.1 - y > NEAR);
        if far || index == last {
            corners.push((x, y));
        }
    }
    corners
}

/// A step at every duration. A curve with a name can be read with the pointer.
fn curve(
    frame: &Frame,
    scale: Scale,
    samples: &Samples,
    class: &str,
    name: Option<&str>,
) -> String {
    let corners = corners(frame, scale, samples);
    let Some(first) = corners.first() else {
        return String::new();
    };
    let mut path = format!("M{:.1} {:.1}", first.0, frame.y(frame.y.low));
    let mut points = Vec::new();
    for (x, y) in &corners {
        path.push_str(&format!("H{x:.1}V{y:.1}"));
        points.push(format!("{x:.1} {y:.1}"));
    }
    let data = name.map_or_else(String::new, |name| {
        format!(
            " data-name=\"{}\" data-points=\"{}\"",
            escape(name),
            points.join(" ")
        )
    });
    format!("<path class=\"{class}\" d=\"{path}\"{data} />\n")
}
