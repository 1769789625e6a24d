//! `stoker ps`.

use std::process::ExitCode;

use super::output::{Output, address, span_of};
use super::table::Table;
use super::{Failure, PsArgs};
use crate::client::segment;
use crate::wire::{FunctionDetail, InstanceInfo, PreparedInfo, Processes};

pub(super) async fn list(arguments: PsArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let instances: Vec<InstanceInfo> = match &arguments.function {
        Some(function) => {
            let path = format!("/v1/functions/{}", segment(function));
            client.get(&path).await?.json::<FunctionDetail>()?.instances
        }
        None => client.get("/v1/instances").await?.json()?,
    };
    if !arguments.all {
        match arguments.connection.json {
            true => output.json(&instances)?,
            false => output.text(&table(instances))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut prepared: Vec<PreparedInfo> = client.get("/v1/prepared").await?.json()?;
    if let Some(function) = &arguments.function {
        // What is kept ready may be for several revisions.
        let name = function.split(':').next().unwrap_or_default();
        prepared.retain(|it| it.functions.iter().any(|it| it == name));
    }
    if arguments.connection.json {
        output.json(&Processes {
            instances,
            prepared,
        })?;
    } else {
        output.text(&format!("{}\n{}", table(instances), ready(prepared)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is kept ready, for people.
fn ready(prepared: Vec<PreparedInfo>) -> String {
    let mut table = Table::new(&["KIND", "FUNCTION", "STATE", "PID", "MEMORY", "FAILURE"]);
    for process in prepared {
        table.row([
            process.kind,
            process.functions.join(","),
            process.state,
            process.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            process
                .memory_bytes
                .map(|bytes| format!("{:.1}MiB", bytes as f64 / f64::from(1 << 20)))
                .unwrap_or_default(),
            process.failure.unwrap_or_default(),
        ]);
    }
    table.render()
}

/// For people.
pub(super) fn table(instances: Vec<InstanceInfo>) -> String {
    let mut table = Table::new(&[
        "ID", "FUNCTION", "STATE", "PID", "AGE", "IDLE", "IN-USE", "SERVED", "START ms",
    ]);
    for instance in instances {
        table.row([
            instance.id,
            address(&instance.function, &instance.revision),
            instance.state,
            instance.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            span_of(instance.age_seconds),
            instance.idle_seconds.map(span_of).unwrap_or_default(),
            instance.in_use.to_string(),
            instance.served.to_string(),
            instance
                .start
                .map(|start| format!("{:.1}", start.total_ms))
                .unwrap_or_default(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::StartInfo;

    #[test]
    fn what_is_not_known_is_a_dash() {
        let start = StartInfo {
            gate_ms: 0.0,
            prepare_ms: 0.5,
            spawn_ms: 1.0,
            listen_ms: 10.0,
            total_ms: 11.5,
            ..StartInfo::default()
        };
        let ready = InstanceInfo {
            id: "1-2".to_owned(),
            function: "f".to_owned(),
            revision: String::new(),
            state: "ready".to_owned(),
            pid: Some(42),
            endpoint: None,
            age_seconds: 75.0,
            state_seconds: 0.0,
            idle_seconds: Some(0.25),
            in_use: 0,
            served: 9,
            start: Some(start),
            start_kind: Some("exec".to_owned()),
        };
        let starting = InstanceInfo {
            id: "1-3".to_owned(),
            state: "starting".to_owned(),
            pid: None,
            idle_seconds: None,
            start: None,
            start_kind: None,
            ..ready.clone()
        };
        assert_eq!(
            table(vec![ready, starting]),
            "ID   FUNCTION  STATE     PID  AGE    IDLE   IN-USE  SERVED  START ms\n\
             1-2  f         ready     42   1m15s  250ms  0       9       11.5\n\
             1-3  f         starting  -    1m15s  -      0       9       -\n"
        );
    }

    #[test]
    fn what_is_kept_ready_has_a_table_of_its_own() {
        let process = PreparedInfo {
            kind: "cell".to_owned(),
            functions: vec!["f".to_owned(), "g".to_owned()],
            runtime: "node".to_owned(),
            state: "waiting".to_owned(),
            pid: Some(7),
            memory_bytes: Some(3 << 19),
            failure: None,
        };
        assert_eq!(
            ready(vec![process]),
            "KIND  FUNCTION  STATE    PID  MEMORY  FAILURE\n\
             cell  f,g       waiting  7    1.5MiB  -\n"
        );
    }
}
