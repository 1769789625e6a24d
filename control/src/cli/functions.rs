//! `stoker ls`.

use std::process::ExitCode;

use super::output::Output;
use super::table::Table;
use super::{Failure, LsArgs};
use crate::wire::FunctionSummary;

pub(super) async fn list(arguments: LsArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let mut functions: Vec<FunctionSummary> = client.get("/v1/functions").await?.json()?;
    if arguments.active {
        functions.retain(FunctionSummary::is_active);
    }
    if arguments.connection.json {
        output.json(&functions)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["NAME", "INSTANCES", "IN-FLIGHT", "WAITING", "POLICY", "URL"]);
    for function in functions {
        let instances = instances(&function);
        let FunctionSummary {
            name,
            policy,
            url,
            in_flight,
            waiting,
            expected_wait_ms,
            ..
        } = function;
        table.row([
            name,
            instances,
            in_flight.to_string(),
            waiting_in_words(waiting, expected_wait_ms),
            policy,
            url,
        ]);
    }
    output.text(&table.render())?;
    Ok(ExitCode::SUCCESS)
}

/// `12 (1.5s)`: how many wait, and how long one more would.
fn waiting_in_words(waiting: u32, expected_ms: Option<f64>) -> String {
    match expected_ms {
        Some(expected) if waiting > 0 => format!("{waiting} ({:.1}s)", expected / 1000.0),
        _ => waiting.to_string(),
    }
}

/// Instances by state, and what is unusual about them.
pub(super) fn instances(function: &FunctionSummary) -> String {
    let states = &function.states;
    let counts = [
        (states.ready, "ready"),
        (states.frozen, "frozen"),
        (states.aside, "aside"),
        (states.starting, "starting"),
        (states.draining, "draining"),
        (states.stopping, "stopping"),
    ];
    let mut words: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    if words.is_empty() {
        words.push("0".to_owned());
    }
    if let Some(held) = &function.held_starts {
        words.push(format!("{} of them wait ({})", held.count, held.reason));
    }
    if function.spares > 0 {
        words.push(format!("{} spare", function.spares));
    }
    if let Some(held) = function.scale_override {
        words.push(format!("held at {held}"));
    }
    if let Some(failure) = &function.last_failure {
        words.push(format!("{} failed", failure.count));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Failure, HeldStarts, States};

    #[test]
    fn says_what_is_unusual() {
        let mut function = FunctionSummary {
            name: "f".to_owned(),
            revision: String::new(),
            policy: "kpa".to_owned(),
            url: "/function/f".to_owned(),
            concurrency: 1,
            min_scale: 0,
            max_scale: 1,
            states: States::default(),
            held_starts: None,
            in_flight: 0,
            waiting: 0,
            expected_wait_ms: None,
            desired: 0,
            scale_override: None,
            last_failure: None,
            spares: 0,
            budget: None,
        };
        assert_eq!(instances(&function), "0");
        assert!(!function.is_active());
        function.states = States {
            starting: 1,
            ready: 2,
            draining: 0,
            stopping: 3,
            aside: 1,
            frozen: 1,
        };
        assert_eq!(
            instances(&function),
            "2 ready, 1 frozen, 1 aside, 1 starting, 3 stopping"
        );
        function.states = States {
            starting: 5,
            ..States::default()
        };
        function.held_starts = Some(HeldStarts {
            count: 3,
            reason: "memory".to_owned(),
        });
        assert_eq!(instances(&function), "5 starting, 3 of them wait (memory)");
        function.held_starts = None;
        assert_eq!(waiting_in_words(0, Some(9.0)), "0");
        assert_eq!(waiting_in_words(3, None), "3");
        assert_eq!(waiting_in_words(3, Some(1540.0)), "3 (1.5s)");
        assert!(function.is_active());
        function.states = States::default();
        function.scale_override = Some(4);
        let failure = Failure {
            kind: "exited".to_owned(),
            detail: String::new(),
            count: 7,
        };
        function.last_failure = Some(failure);
        assert_eq!(instances(&function), "0, held at 4, 7 failed");
        function.spares = 2;
        assert_eq!(instances(&function), "0, 2 spare, held at 4, 7 failed");
    }
}
