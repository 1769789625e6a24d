//! `stoker canary`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::to_vec;

use super::output::Output;
use super::revisions::{age, percent};
use super::table::Table;
use super::{Connection, Failure};
use crate::canary::{CanaryState, Phase, Plan};
use crate::client::segment;

/// Of `canary`.
#[derive(Clone, Debug, Args)]
pub struct CanaryArgs {
    /// The function
    pub function: String,
    /// The revision that is to be tried [default: show how it stands]
    pub revision: Option<u32>,
    /// Its shares in percent, one after the other [default: 5,25,50,100]
    #[arg(
        long,
        value_name = "PERCENT,...",
        value_delimiter = ',',
        requires = "revision"
    )]
    pub steps: Vec<f64>,
    /// How long it has each of them [default: 5m]
    #[arg(long, value_name = "TIME", requires = "revision")]
    pub interval: Option<String>,
    /// Judge a step by so many requests at least [default: 50]
    #[arg(long, value_name = "N", requires = "revision")]
    pub requests: Option<u64>,
    /// Its error rate may be higher by so many percent of all requests [default: 1]
    #[arg(long, value_name = "PERCENT", requires = "revision")]
    pub errors: Option<f64>,
    /// Its latency at 99 % may be so many times that of the others [default: 1.5]
    #[arg(long, value_name = "TIMES", requires = "revision")]
    pub latency: Option<f64>,
    /// End the one that is under way: the traffic is as it was before
    #[arg(long, conflicts_with = "revision")]
    pub end: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

pub(super) async fn run(arguments: CanaryArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}/canary", segment(&arguments.function));
    let answer = match arguments.plan() {
        Some(plan) => {
            // Numbers and a text: nothing that JSON could refuse.
            let body = to_vec(&plan).unwrap_or_default();
            client.post(&path, body.into(), Duration::ZERO).await?
        }
        None if arguments.end => client.delete(&path).await?,
        None => client.get(&path).await?,
    };
    let state: CanaryState = answer.json()?;
    match arguments.connection.json {
        true => output.json(&state)?,
        false => output.text(&shown(&state, SystemTime::now()))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl CanaryArgs {
    fn plan(&self) -> Option<Plan> {
        let mut plan = Plan::of(self.revision?);
        if !self.steps.is_empty() {
            plan.steps.clone_from(&self.steps);
        }
        if let Some(interval) = &self.interval {
            plan.interval.clone_from(interval);
        }
        let bounds = &mut plan.bounds;
        bounds.requests = self.requests.unwrap_or(bounds.requests);
        bounds.error_percentage = self.errors.unwrap_or(bounds.error_percentage);
        bounds.latency_ratio = self.latency.unwrap_or(bounds.latency_ratio);
        Some(plan)
    }
}

/// For people: how it stands, and what it did, the newest first.
fn shown(state: &CanaryState, now: SystemTime) -> String {
    let phase = match state.state {
        Phase::Running => "under way",
        Phase::Succeeded => "succeeded",
        Phase::RolledBack => "rolled back",
        Phase::Aborted => "ended",
    };
    let (revision, part, why) = (state.revision, percent(state.percent), &state.why);
    let mut text = format!("revision {revision}: {phase}, {part}; {why}\n");
    let mut table = Table::new(&["AGE", "TRAFFIC", "WHY"]);
    for moved in state.moves.iter().rev() {
        table.row([
            age(moved.at_ms, now),
            percent(moved.percent),
            moved.why.clone(),
        ]);
    }
    text.push_str(&table.render());
    text
}
