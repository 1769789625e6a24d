//! `stoker explain`.

use std::process::ExitCode;

use super::output::{Output, span_of};
use super::table::Table;
use super::{ExplainArgs, Failure};
use crate::client::segment;
use crate::wire::{Counterfactual, Explanation, Outcome, ShadowInfo};

pub(super) async fn explain(
    arguments: ExplainArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let ExplainArgs {
        function,
        at,
        counterfactual,
        connection,
    } = arguments;
    let mut path = format!("/v1/functions/{}/explain?", segment(&function));
    if let Some(at) = at {
        path.push_str(&format!("at={}&", segment(&at)));
    }
    if !counterfactual.is_empty() {
        let changes = counterfactual.join(",");
        path.push_str(&format!("counterfactual={}", segment(&changes)));
    }
    let client = connection.client().await?;
    let explanation: Explanation = client.get(&path).await?.json()?;
    if connection.json {
        output.json(&explanation)?;
    } else {
        output.text(&shown(&explanation))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// For people.
fn shown(explanation: &Explanation) -> String {
    let mut text = String::new();
    for sentence in &explanation.sentences {
        text.push_str(sentence);
        text.push('\n');
    }
    if !explanation.instances.is_empty() {
        text.push('\n');
    }
    for instance in &explanation.instances {
        text.push_str(&format!("{}  {}\n", instance.id, instance.sentence));
    }
    if let Some(shadow) = &explanation.shadow {
        text.push_str(&shadowed(shadow));
    }
    if let Some(counterfactual) = &explanation.counterfactual {
        text.push_str(&replayed(counterfactual));
    }
    text
}

fn shadowed(shadow: &ShadowInfo) -> String {
    let heading = format!(
        "\n{} in the shadow with {}, over the same requests since {}; it has {} instances now:\n",
        shadow.policy,
        shadow.changes,
        span_of(shadow.seconds),
        shadow.instances
    );
    heading + &table(&[("in force", &shadow.live), ("shadow", &shadow.shadow)])
}

fn replayed(it: &Counterfactual) -> String {
    if it.recorded.requests == 0 {
        return "\nNo request of the last hour is recorded, so nothing can be replayed.\n"
            .to_owned();
    }
    let heading = format!(
        "\nThe last {} with {}, by replaying what was recorded:\n",
        span_of(it.seconds),
        it.changes
    );
    heading
        + &table(&[
            ("recorded", &it.recorded),
            ("in force, replayed", &it.actual),
            (&it.changes, &it.changed),
        ])
}

fn table(rows: &[(&str, &Outcome)]) -> String {
    let mut table = Table::new(&[
        "SETTINGS",
        "REQUESTS",
        "DELAYED",
        "REFUSED",
        "WAIT-P50",
        "WAIT-P99",
        "WAIT-MAX",
        "STARTS",
        "INSTANCE-SECONDS",
    ]);
    for (name, outcome) in rows {
        // Those that were refused wait for ever, as `stoker simulate` has it.
        let wait = |ms: Option<f64>| match ms {
            Some(ms) => format!("{ms:.3}ms"),
            None if outcome.requests > 0 => "never".to_owned(),
            None => String::new(),
        };
        table.row([
            (*name).to_owned(),
            outcome.requests.to_string(),
            outcome.delayed.to_string(),
            outcome.refused.to_string(),
            wait(outcome.wait_p50_ms),
            wait(outcome.wait_p99_ms),
            wait(Some(outcome.wait_max_ms)),
            outcome.starts.to_string(),
            format!("{:.1}", outcome.instance_seconds),
        ]);
    }
    table.render()
}
