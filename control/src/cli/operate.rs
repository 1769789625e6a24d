//! `stoker scale`, `stoker evict` and `stoker reload`.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::arguments::Instances;
use super::output::{Output, complain, span};
use super::{EvictArgs, Failure, ReloadArgs, ScaleArgs, functions, instances};
use crate::client::segment;
use crate::wire::{Evicted, FunctionSummary, Reloaded};

pub(super) async fn scale(arguments: ScaleArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}/scale", segment(&arguments.function));
    let desired = match arguments.instances {
        Instances::Held(count) => Some(count),
        Instances::Auto => None,
    };
    let body = Bytes::from(json!({ "desired": desired }).to_string());
    let answer = client.post(&path, body, Duration::ZERO).await?;
    let function: FunctionSummary = answer.json()?;
    if arguments.connection.json {
        output.json(&function)?;
    } else {
        output.line(&format!(
            "{}: {}",
            arguments.function,
            functions::instances(&function)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn evict(arguments: EvictArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let wait = arguments.wait;
    let query = format!("evict?wait={}us", wait.as_micros());
    let path = match &arguments.function {
        Some(function) => format!("/v1/functions/{}/{query}", segment(function)),
        None => format!("/v1/{query}"),
    };
    let evicted: Evicted = client.post(&path, Bytes::new(), wait).await?.json()?;
    let left = evicted.left.len();
    if arguments.connection.json {
        output.json(&evicted)?;
    } else if left == 0 {
        output.line(&format!("{} evicted", count(evicted.evicted as usize)))?;
    } else {
        output.text(&instances::table(evicted.left))?;
    }
    if left == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    output.flush()?;
    complain(&format!(
        "{} not gone after {}, on the way out",
        count(left),
        span(wait)
    ));
    Ok(ExitCode::FAILURE)
}

pub(super) async fn reload(
    arguments: ReloadArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let answer = client
        .post("/v1/reload", Bytes::new(), Duration::ZERO)
        .await?;
    let reloaded: Reloaded = answer.json()?;
    if arguments.connection.json {
        output.json(&reloaded)?;
        return Ok(ExitCode::SUCCESS);
    }
    if reloaded == Reloaded::default() {
        output.line("nothing changed")?;
    }
    let parts = [
        ("added", reloaded.added),
        ("new revision", reloaded.replaced),
        ("new settings", reloaded.changed),
        ("removed", reloaded.removed),
        ("new certificates", reloaded.certificates),
        (
            "takes effect with the next start only",
            reloaded.needs_restart,
        ),
    ];
    for (heading, names) in parts {
        if !names.is_empty() {
            output.line(&format!("{heading}: {}", names.join(", ")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn count(instances: usize) -> String {
    match instances {
        1 => "1 instance".to_owned(),
        count => format!("{count} instances"),
    }
}
