//! `stoker usage`.

use std::process::ExitCode;

use clap::Args;

use super::output::Output;
use super::table::Table;
use super::{Connection, Failure};
use crate::client::segment;
use crate::wire::{Usage, UsageInfo};

/// Of `usage`.
#[derive(Clone, Debug, Args)]
pub struct UsageArgs {
    /// From when on, in UTC: 2026-11-21, 2026-11-21T19:30 or seconds since 1970 [default: 24 hours
    /// before the end]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// A row for each minute, hour, day or month
    #[arg(long, default_value = "hour", value_parser = ["minute", "hour", "day", "month"])]
    pub by: String,
    /// Only that of this function
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

pub(super) async fn show(arguments: UsageArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let mut path = format!("/v1/usage?by={}", arguments.by);
    let more = [
        ("from", &arguments.from),
        ("to", &arguments.to),
        ("function", &arguments.function),
    ];
    for (key, value) in more {
        if let Some(value) = value {
            path.push_str(&format!("&{key}={}", segment(value)));
        }
    }
    let usage: Usage = client.get(&path).await?.json()?;
    if arguments.connection.json {
        output.json(&usage)?;
    } else if arguments.csv {
        output.text(&csv(&usage))?;
    } else {
        output.text(&table(&usage))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// For people, with all of it together in the last row.
fn table(usage: &Usage) -> String {
    let cost = usage
        .currency
        .as_ref()
        .map(|currency| format!("COST {currency}"));
    let mut table = Table::new(&[
        "START",
        "FUNCTION",
        "REVISION",
        "CALLS",
        "FAILED",
        "COLD",
        "MIRRORED",
        "WALL-S",
        "CPU-S",
        "CPU-S-FAILED",
        "CPU-S-SPARE",
        "BUSY-S",
        "IDLE-S",
        "FROZEN-S",
        "GB-S",
        "GB-S-IDLE",
        "GB-S-USED",
        "MB-IN",
        "MB-OUT",
        cost.as_deref().unwrap_or("COST").trim_end(),
    ]);
    let mut total = UsageInfo {
        function: "all".to_owned(),
        ..UsageInfo::default()
    };
    for row in &usage.rows {
        add(&mut total, row);
        table.row(cells(row));
    }
    if usage.rows.len() > 1 {
        table.row(cells(&total));
    }
    table.render()
}

fn cells(row: &UsageInfo) -> [String; 20] {
    let seconds = |millis: f64| format!("{:.3}", millis / 1000.0);
    let megabytes = |bytes: u64| format!("{:.3}", bytes as f64 / 1e6);
    [
        row.start.clone(),
        row.function.clone(),
        row.revision.clone(),
        row.invocations.to_string(),
        row.failures.to_string(),
        row.cold.to_string(),
        row.mirrored.to_string(),
        seconds(row.wall_ms),
        seconds(row.cpu_ms),
        seconds(row.failed_cpu_ms),
        seconds(row.spare_cpu_ms),
        seconds(row.busy_ms),
        seconds(row.idle_ms),
        seconds(row.frozen_ms),
        format!("{:.3}", row.gb_seconds_reserved),
        format!("{:.3}", row.gb_seconds_idle),
        format!("{:.3}", row.gb_seconds_used),
        megabytes(row.bytes_in),
        megabytes(row.bytes_out),
        row.cost
            .map(|cost| format!("{cost:.4}"))
            .unwrap_or_default(),
    ]
}

fn add(total: &mut UsageInfo, row: &UsageInfo) {
    total.invocations += row.invocations;
    total.failures += row.failures;
    total.cold += row.cold;
    total.wall_ms += row.wall_ms;
    total.cpu_ms += row.cpu_ms;
    total.mirrored += row.mirrored;
    total.failed_cpu_ms += row.failed_cpu_ms;
    total.spare_cpu_ms += row.spare_cpu_ms;
    total.busy_ms += row.busy_ms;
    total.idle_ms += row.idle_ms;
    total.frozen_ms += row.frozen_ms;
    total.gb_seconds_reserved += row.gb_seconds_reserved;
    total.gb_seconds_idle += row.gb_seconds_idle;
    total.gb_seconds_used += row.gb_seconds_used;
    total.bytes_in += row.bytes_in;
    total.bytes_out += row.bytes_out;
    if let Some(cost) = row.cost {
        *total.cost.get_or_insert_default() += cost;
    }
}

/// For programs: RFC 4180, with the names of the JSON. No value needs quotes, for names have neither
/// commas nor quotes.
fn csv(usage: &Usage) -> String {
    let mut text =
        "start,function,revision,invocations,failures,cold,wall_ms,cpu_ms,starts,cold_ms,\
        busy_ms,idle_ms,frozen_ms,spare_ms,gb_seconds_reserved,gb_seconds_idle,gb_seconds_used,\
        gb_seconds_spare,mirrored,failed_starts,failed_cpu_ms,spare_cpu_ms,bytes_in,bytes_out,cost,\
        currency\r\n"
            .to_owned();
    let currency = usage.currency.as_deref().unwrap_or_default();
    for row in &usage.rows {
        let cost = row.cost.map(|cost| cost.to_string()).unwrap_or_default();
        let cells = [
            row.start.clone(),
            row.function.clone(),
            row.revision.clone(),
            row.invocations.to_string(),
            row.failures.to_string(),
            row.cold.to_string(),
            row.wall_ms.to_string(),
            row.cpu_ms.to_string(),
            row.starts.to_string(),
            row.cold_ms.to_string(),
            row.busy_ms.to_string(),
            row.idle_ms.to_string(),
            row.frozen_ms.to_string(),
            row.spare_ms.to_string(),
            row.gb_seconds_reserved.to_string(),
            row.gb_seconds_idle.to_string(),
            row.gb_seconds_used.to_string(),
            row.gb_seconds_spare.to_string(),
            row.mirrored.to_string(),
            row.failed_starts.to_string(),
            row.failed_cpu_ms.to_string(),
            row.spare_cpu_ms.to_string(),
            row.bytes_in.to_string(),
            row.bytes_out.to_string(),
            cost,
            currency.to_owned(),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage() -> Usage {
        let row = |function: &str, invocations, cost| UsageInfo {
            start: "2026-11-21T22:00:00Z".to_owned(),
            function: function.to_owned(),
            revision: "3".to_owned(),
            invocations,
            wall_ms: 1500.0,
            cost,
            ..UsageInfo::default()
        };
        Usage {
            currency: Some("EUR".to_owned()),
            rows: vec![row("a", 2, Some(0.5)), row("b", 40, Some(1.25))],
            ..Usage::default()
        }
    }

    #[test]
    fn the_last_row_is_the_sum() {
        let text = table(&usage());
        let last: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!((last[1], last[3], last[7]), ("all", "42", "3.000"));
        assert_eq!(last.last(), Some(&"1.7500"));
        assert!(text.lines().next().unwrap().ends_with("COST EUR"));
    }

    #[test]
    fn values_are_under_their_names() {
        let text = csv(&usage());
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let at = |name: &str| lines[0].iter().position(|it| *it == name).unwrap();
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
        assert_eq!(lines[2][at("invocations")], "40");
        assert_eq!(lines[1][at("cost")], "0.5");
        assert_eq!(lines[1][at("currency")], "EUR");
    }
}
