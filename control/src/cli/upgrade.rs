//! `stoker upgrade`.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::output::Output;
use super::{Failure, UpgradeArgs};
use crate::wire::Upgraded;

/// The gateway has a time of its own, of which an hour is the most.
const PATIENCE: Duration = Duration::from_secs(3600);

pub(super) async fn upgrade(
    arguments: UpgradeArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let binary = match arguments.binary {
        None => None,
        Some(path) => {
            let name = path.display().to_string();
            let path = std::path::absolute(path).map_err(|error| Failure::Input(name, error))?;
            let text = path.into_os_string().into_string();
            Some(text.map_err(|_| Failure::Other("the path of the binary is not UTF-8".into()))?)
        }
    };
    let body = Bytes::from(json!({ "binary": binary }).to_string());
    let upgraded: Upgraded = client.post("/v1/upgrade", body, PATIENCE).await?.json()?;
    if arguments.connection.json {
        output.json(&upgraded)?;
    } else {
        output.line(&format!("process {} has taken over", upgraded.pid))?;
    }
    Ok(ExitCode::SUCCESS)
}
