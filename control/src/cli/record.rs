//! `stoker record`.

use std::process::ExitCode;

use clap::Subcommand;
use http_body_util::BodyExt as _;
use stoker_config::format_duration;

use super::output::Output;
use super::{Failure, RecordExportArgs};
use crate::client::{ClientError, segment};

/// Of `record`.
#[derive(Clone, Debug, Subcommand)]
pub enum RecordCommand {
    /// Print what was recorded: a trace (CSV) that `stoker simulate` reads, or with --json
    /// everything, one object to a line
    Export(RecordExportArgs),
}

pub(super) async fn run(command: RecordCommand, output: &mut Output) -> Result<ExitCode, Failure> {
    match command {
        RecordCommand::Export(arguments) => export(arguments, output).await,
    }
}

async fn export(arguments: RecordExportArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let RecordExportArgs {
        function,
        since,
        connection,
    } = arguments;
    let mut path = match connection.json {
        true => "/v1/record?format=jsonl".to_owned(),
        false => "/v1/record?format=csv".to_owned(),
    };
    if let Some(function) = function {
        path.push_str(&format!("&function={}", segment(&function)));
    }
    if let Some(since) = since {
        path.push_str(&format!("&since={}", format_duration(since)));
    }
    let mut body = connection.client().await?.stream(&path).await?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ClientError::Broken(error.into()))?;
        if let Ok(piece) = frame.into_data() {
            output.bytes(&piece)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
