//! One HTML page, which needs nothing but itself. It is well-formed XML too, so that it can be
//! checked.

use stoker_show::STYLE;
use stoker_show::chart::{Axis, Frame, linear, log_time};
use stoker_show::html::{escape, table};

use super::table::{cells, wait};
use super::{Entry, Outcome};
use crate::metric::Metric;

/// Policies that have a colour and a timeline of their own.
const COLOURS: usize = 8;

/// Waits below this are drawn as this, nanoseconds: what people cannot tell from none.
const SHORTEST_NS: f64 = 10e3;

/// Names of policies are not cut into pieces, and charts stay legible where there is little room:
/// they scroll.
const LAYOUT: &str = "th, td { padding-right: 9px; }\n\
    td:first-child { min-width: 9em; overflow-wrap: break-word; }\n\
    @media (max-width: 800px) {\n  figure { overflow-x: auto; }\n  \
    figure svg { width: 760px; }\n}\n";

const HEADINGS: [&str; 17] = [
    "Policy",
    "p50",
    "p99",
    "p99.9",
    "delayed",
    "refused",
    "cold",
    "starts",
    "per minute",
    "start CPU",
    "instance s",
    "busy s",
    "ratio",
    "GB s",
    "peak",
    "turns",
    "slowdown",
];

/// The whole page. What came from outside is escaped.
pub(crate) fn render(outcome: &Outcome) -> String {
    let sections = [
        answer(outcome),
        pareto(outcome),
        figures(outcome),
        timelines(outcome),
        slowdowns(outcome),
        conditions(outcome),
    ];
    format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\" />\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\" />\n\
         <meta name=\"color-scheme\" content=\"light dark\" />\n\
         <title>stoker simulate</title>\n<style>\n{STYLE}.dot {{ fill: var(--k); }}\n\
         .front {{ stroke: var(--ink); stroke-width: 2; }}\n{LAYOUT}</style>\n</head>\n<body>\n\
         <main>\n<header>\n<p class=\"brand\">stoker simulate</p>\n<h1>{}</h1>\n\
         <p class=\"facts\">{}</p>\n</header>\n{}\n</main>\n</body>\n</html>\n",
        match outcome.policies.len() {
            1 => "1 policy".to_owned(),
            count => format!("{count} policies"),
        },
        escape(outcome.conditions.first().map_or("", String::as_str)),
        sections.concat()
    )
}

fn answer(outcome: &Outcome) -> String {
    let Some(answer) = &outcome.goal else {
        return String::new();
    };
    let found = match &answer.policy {
        Some(policy) => format!(
            "<p>Met for the least {} by <b>{}</b>:</p>\n<pre>{}</pre>\n",
            outcome.cost,
            escape(policy),
            escape(&answer.manifest)
        ),
        None => "<p class=\"bad\">Met by none of those that were tried.</p>\n".to_owned(),
    };
    format!(
        "<section>\n<h2>{}</h2>\n{found}</section>\n",
        escape(&answer.goal)
    )
}

/// Wait against cost, one dot for each policy; those that nothing beats have a rim.
fn pareto(outcome: &Outcome) -> String {
    let cost = |entry: &Entry| Metric::find(outcome.cost).map_or(0.0, |it| it.of(&entry.report));
    let nanos = |entry: &Entry| {
        entry
            .report
            .wait
            .p99
            .map(|wait| (wait * 1e9).max(SHORTEST_NS))
    };
    let waits: Vec<f64> = outcome.policies.iter().filter_map(nanos).collect();
    let longest = waits.iter().copied().fold(SHORTEST_NS * 10.0, f64::max);
    let shortest = waits.iter().copied().fold(longest, f64::min);
    let most = outcome.policies.iter().map(cost).fold(0.0, f64::max);
    let frame = Frame {
        width: 1100.0,
        height: 380.0,
        x: linear(most, "", outcome.cost),
        y: log_time(shortest, longest, "p99 wait"),
    };
    let mut marks = String::new();
    let mut named: Vec<(f64, f64)> = Vec::new();
    for (index, entry) in outcome.policies.iter().enumerate() {
        let x = frame.x(cost(entry));
        // Refused calls wait for ever, which is above the top.
        let y = frame.y(nanos(entry).map_or(frame.y.high, f64::log10));
        let front = if entry.pareto { " front" } else { "" };
        let shown = wait(entry.report.wait.p99);
        marks.push_str(&format!(
            "<circle class=\"dot k{}{front}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"><title>{}: p99 \
             {shown}, {:.0} {}</title></circle>\n",
            colour(index),
            escape(&entry.policy),
            cost(entry),
            outcome.cost
        ));
        // Names do not cover each other; those left out are told by the dot's own title.
        let is_near =
            |(at_x, at_y): &(f64, f64)| (x - at_x).abs() < 180.0 && (y - at_y).abs() < 12.0;
        let has_room =
            outcome.policies.len() <= COLOURS || (entry.pareto && !named.iter().any(is_near));
        if has_room {
            named.push((x, y));
            let (x, anchor) = match x > 800.0 {
                true => (x - 10.0, "end"),
                false => (x + 10.0, "start"),
            };
            marks.push_str(&format!(
                "<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n",
                y - 8.0,
                escape(&entry.policy)
            ));
        }
    }
    format!(
        "<section>\n<h2>Wait against cost</h2>\n<figure>{}<figcaption>Nothing beats those with a rim \
         in both. Waits below 10 µs are drawn as 10 µs.</figcaption></figure>\n</section>\n",
        frame.render("p99 wait against cost", "", &marks)
    )
}

fn figures(outcome: &Outcome) -> String {
    let rows: Vec<Vec<String>> = outcome
        .policies
        .iter()
        .map(|entry| cells(&spaced(&entry.policy), entry.pareto, &entry.report))
        .collect();
    format!(
        "<section>\n<h2>Figures</h2>\n{}</section>\n",
        table(&HEADINGS, 1, &rows)
    )
}

fn timelines(outcome: &Outcome) -> String {
    // Those on the front first.
    let mut shown: Vec<(usize, &Entry)> = outcome.policies.iter().enumerate().collect();
    shown.sort_by_key(|(index, entry)| (!entry.pareto, *index));
    shown.truncate(COLOURS);
    shown.sort_by_key(|(index, _)| *index);
    let most = |values: fn(&Entry) -> &[f64]| {
        let all = shown.iter().flat_map(|(_, entry)| values(entry));
        all.copied().fold(0.0, f64::max)
    };
    let instances = most(|entry| &entry.report.timeline.instances);
    let waits = most(|entry| &entry.report.timeline.longest_wait);
    let charts: String = shown
        .iter()
        .map(|(index, entry)| {
            let timeline = &entry.report.timeline;
            let width = timeline.width_seconds;
            let levels: [(usize, &[f64]); 2] =
                [(colour(*index), &timeline.instances), (8, &timeline.busy)];
            let wait: [(usize, &[f64]); 1] = [(5, &timeline.longest_wait)];
            format!(
                "<figure><h3>{}</h3><ul class=\"legend\"><li class=\"k{}\">instances</li>\
                 <li class=\"k8\">busy</li><li class=\"k5\">longest wait, s</li></ul>{}{}</figure>\n",
                escape(&entry.policy),
                colour(*index),
                chart("Instances", (width, 170.0), instances, &levels),
                chart("Longest wait", (width, 110.0), waits, &wait)
            )
        })
        .collect();
    format!("<section>\n<h2>Over time</h2>\n{charts}</section>\n")
}

/// The unit in which so many seconds are a number that people can read, and how many seconds it has.
fn time_unit(seconds: f64) -> (&'static str, f64) {
    match seconds {
        long if long > 3.0 * 86_400.0 => (" d", 86_400.0),
        long if long > 2.0 * 3600.0 => (" h", 3600.0),
        long if long > 180.0 => (" min", 60.0),
        _ => (" s", 1.0),
    }
}

/// Layers of steps, each drawn over the one before it.
fn chart(
    title: &str,
    (width, height): (f64, f64),
    most: f64,
    layers: &[(usize, &[f64])],
) -> String {
    let count = layers.iter().map(|layer| layer.1.len()).max().unwrap_or(0);
    let (unit, seconds) = time_unit(count as f64 * width);
    let width = width / seconds;
    let end = (count as f64 * width).max(1e-9);
    let x = linear(end, unit, "virtual time");
    let frame = Frame {
        width: 1100.0,
        height,
        x: Axis {
            high: end,
            ticks: x.ticks.into_iter().filter(|tick| tick.0 <= end).collect(),
            ..x
        },
        y: linear(most, "", ""),
    };
    let mut marks = String::new();
    for (colour, values) in layers {
        let mut path = format!("M{:.1} {:.1}", frame.x(0.0), frame.y(0.0));
        for (index, value) in values.iter().enumerate() {
            let end = frame.x((index + 1) as f64 * width);
            path.push_str(&format!("V{:.1}H{end:.1}", frame.y(*value)));
        }
        path.push_str(&format!("V{:.1}Z", frame.y(0.0)));
        marks.push_str(&format!("<path class=\"area k{colour}\" d=\"{path}\" />\n"));
    }
    frame.render(title, "", &marks)
}

fn slowdowns(outcome: &Outcome) -> String {
    let shares = outcome
        .policies
        .first()
        .map(|entry| &entry.report.slowdown.cdf);
    let Some(shares) = shares else {
        return String::new();
    };
    let mut headings = vec!["Policy".to_owned()];
    headings.extend(
        shares
            .iter()
            .map(|(share, _)| format!("{} %", share * 100.0)),
    );
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = outcome
        .policies
        .iter()
        .map(|entry| {
            let cdf = entry.report.slowdown.cdf.iter();
            let cells = cdf.map(|(_, slowdown)| stoker_show::text::number(*slowdown));
            std::iter::once(spaced(&entry.policy))
                .chain(cells)
                .collect()
        })
        .collect();
    format!(
        "<section>\n<h2>Slowdown of functions</h2>\n<p>How many times longer the calls of a function \
         took than without waits (geometric mean), for shares of the functions.</p>\n{}</section>\n",
        table(&headings, 1, &rows)
    )
}

fn conditions(outcome: &Outcome) -> String {
    let items: String = outcome
        .conditions
        .iter()
        .map(|condition| format!("<li>{}</li>\n", escape(condition)))
        .collect();
    format!("<section>\n<h2>Conditions</h2>\n<ul class=\"notes\">\n{items}</ul>\n</section>\n")
}

/// With places where a line may break.
fn spaced(policy: &str) -> String {
    policy.replace(',', ", ")
}

fn colour(index: usize) -> usize {
    index % COLOURS
}

#[cfg(test)]
mod tests {
    use super::time_unit;

    /// A day is told in hours, and two weeks in days.
    #[test]
    fn time_has_a_unit_that_suits_it() {
        let units = [30.0, 600.0, 86_400.0, 14.0 * 86_400.0].map(|length| time_unit(length).0);
        assert_eq!(units, [" s", " min", " h", " d"]);
    }
}
