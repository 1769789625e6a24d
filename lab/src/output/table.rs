//! A table for people.

use std::time::Duration;

use stoker_show::text::{self, Columns};

use super::Outcome;
use crate::Report;

const HEADINGS: [&str; 17] = [
    "POLICY",
    "P50",
    "P99",
    "P99.9",
    "DELAYED",
    "REFUSED",
    "COLD",
    "STARTS",
    "PER MIN",
    "CPU",
    "INSTANCE S",
    "BUSY S",
    "RATIO",
    "GB S",
    "PEAK",
    "TURNS",
    "SLOWDOWN",
];

/// One row for each policy, those that are on the Pareto front with a star, and what was settled.
pub(crate) fn render(outcome: &Outcome) -> String {
    let mut columns = Columns::new(HEADINGS, 1);
    let mut hidden = 0;
    for (index, entry) in outcome.policies.iter().enumerate() {
        let is_answer = outcome.goal.as_ref().is_some_and(|goal| {
            let answer = goal.policy.as_ref().or(goal.closest.as_ref());
            answer == Some(&entry.policy)
        });
        if index >= outcome.named && !entry.pareto && !is_answer {
            hidden += 1;
            continue;
        }
        columns.row(cells(&entry.policy, entry.pareto, &entry.report));
    }
    let mut text = columns.render();
    if hidden > 0 {
        text.push_str(&format!(
            "and {hidden} that others beat in both, which --json and --html tell of\n"
        ));
    }
    text.push_str(&format!(
        "\nP50 to P99.9: wait for a slot. CPU: of starts. RATIO: instance seconds over busy ones. \
         TURNS: from starts to stops and back.\nSLOWDOWN: geometric mean over functions. *: no other \
         has both a lower p99 wait and less {}.\n",
        outcome.cost
    ));
    for condition in &outcome.conditions {
        text.push_str(&format!("- {}\n", text::printable(condition)));
    }
    if let Some(answer) = &outcome.goal {
        text.push('\n');
        let found = match (&answer.policy, &answer.closest) {
            (Some(policy), _) => format!(
                "{} is met for the least {} by: {policy}\n\n{}",
                answer.goal, outcome.cost, answer.manifest
            ),
            (None, Some(closest)) => format!(
                "{} is met by none of the {} that were tried; the closest is: {closest}\n",
                answer.goal,
                outcome.policies.len()
            ),
            (None, None) => format!("{} is met by none: nothing was called\n", answer.goal),
        };
        text.push_str(&found);
    }
    text
}

pub(crate) fn cells(policy: &str, pareto: bool, report: &Report) -> Vec<String> {
    let share = |count: u64| text::percent(count as f64 / report.calls.max(1) as f64);
    let star = if pareto { "*" } else { "" };
    vec![
        format!("{policy}{star}"),
        wait(report.wait.p50),
        wait(report.wait.p99),
        wait(report.wait.p999),
        share(report.delayed),
        share(report.refused),
        share(report.cold),
        text::count(report.starts),
        text::number(report.starts_per_minute),
        text::span(report.start_cpu),
        text::number(report.instance_seconds),
        text::number(report.busy_seconds),
        text::number(report.alive_over_busy),
        text::number(report.gb_seconds),
        text::count(u64::from(report.peak_instances)),
        text::count(report.reversals),
        text::number(report.slowdown.geometric_mean),
    ]
}

/// Refused calls wait for ever.
pub(crate) fn wait(seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) if seconds > 0.0 => text::span(Duration::from_secs_f64(seconds)),
        Some(_) => "0".to_owned(),
        None => "never".to_owned(),
    }
}
