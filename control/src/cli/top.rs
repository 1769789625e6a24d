//! `stoker top`: what the functions do, once or as it changes.

mod draw;
mod model;
mod poll;
mod rows;
mod screen;
mod show;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::output::Output;
use super::table::Table;
use super::{Failure, TopArgs};
use poll::Sample;
use rows::Row;

pub(super) use rows::Sort;

/// Columns of the plain table.
const HEADINGS: [&str; 16] = [
    "FUNCTION", "REQ/S", "ERR/S", "P50", "P99", "COLD/S", "COLD-P50", "FLIGHT", "WAIT", "READY",
    "FROZEN", "ASIDE", "START", "DRAIN", "STOP", "WANT",
];

pub(super) async fn top(arguments: TopArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let plain = arguments.once || arguments.connection.json;
    if !plain {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            let words = "there is no terminal to draw on; --once prints one table";
            return Err(Failure::Other(words.to_owned()));
        }
        screen::run(arguments).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let client = arguments.connection.client().await?;
    let before = Sample::fetch(&client).await?;
    tokio::time::sleep(arguments.interval).await;
    let now = Sample::fetch(&client).await?;
    let mut rows = rows::between(Some(&before), &now);
    rows::sort(&mut rows, arguments.sort);
    if arguments.connection.json {
        output.json(&rows)?;
    } else {
        output.text(&table(&rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&HEADINGS);
    for row in rows {
        let states = &row.states;
        table.row([
            row.name.clone(),
            show::rate(row.requests_per_second),
            show::rate(row.errors_per_second),
            show::time(row.warm_p50_seconds),
            show::time(row.warm_p99_seconds),
            show::rate(row.cold_per_second),
            show::time(row.cold_p50_seconds),
            row.in_flight.to_string(),
            row.waiting.to_string(),
            states.ready.to_string(),
            states.frozen.to_string(),
            states.aside.to_string(),
            states.starting.to_string(),
            states.draining.to_string(),
            states.stopping.to_string(),
            row.desired.to_string(),
        ]);
    }
    table.render()
}
