//! `stoker audit`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use stoker_config::parse_duration;

use super::output::Output;
use super::revisions::age;
use super::table::Table;
use super::{Connection, Failure};
use crate::wire::AuditRecord;

/// Of `audit`.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// Only what was changed within the last TIME
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// So many of the newest
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

pub(super) async fn list(arguments: AuditArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let mut path = format!("/v1/audit?limit={}", arguments.limit);
    if let Some(since) = arguments.since {
        path.push_str(&format!("&since={}ms", since.as_millis()));
    }
    let list: Vec<AuditRecord> = client.get(&path).await?.json()?;
    if arguments.connection.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["AGE", "WHO", "STATUS", "REQUEST", "WHAT"]);
    let now = SystemTime::now();
    for it in list {
        let request = format!("{} {}", it.method, it.path);
        let status = it.status.to_string();
        table.row([age(it.at_ms, now), it.who, status, request, it.what]);
    }
    output.text(&table.render())?;
    Ok(ExitCode::SUCCESS)
}
