//! `stoker ps --starts`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::output::{Output, address, span_of};
use super::table::Table;
use super::{Failure, PsArgs};
use crate::client::segment;
use crate::wire::StartedInfo;

pub(super) async fn list(arguments: PsArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = match &arguments.function {
        Some(function) => format!("/v1/starts?function={}", segment(function)),
        None => "/v1/starts".to_owned(),
    };
    let starts: Vec<StartedInfo> = client.get(&path).await?.json()?;
    if arguments.connection.json {
        output.json(&starts)?;
    } else {
        output.text(&table(&starts, SystemTime::now()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// For people; all times but the age in milliseconds.
fn table(starts: &[StartedInfo], now: SystemTime) -> String {
    let mut table = Table::new(&[
        "ID",
        "FUNCTION",
        "AGE",
        "WHY",
        "DECIDE",
        "GATE",
        "PREPARE",
        "SPAWN",
        "CLONE",
        "EXEC",
        "LISTEN",
        "START",
        "CONNECT",
        "FIRST-BYTE",
        "RESULT",
    ]);
    for start in starts {
        let phases = start.phases.as_ref();
        let part = |part: Option<f64>| part.map(|ms| format!("{ms:.3}")).unwrap_or_default();
        table.row([
            start.instance.clone(),
            address(&start.function, &start.revision),
            age(start.at_ms, now),
            start.cause.clone(),
            part(phases.map(|phases| phases.decide_ms)),
            part(phases.map(|phases| phases.gate_ms)),
            part(phases.map(|phases| phases.prepare_ms)),
            part(phases.map(|phases| phases.spawn_ms)),
            part(phases.map(|phases| phases.clone_ms)),
            part(phases.map(|phases| phases.exec_ms)),
            part(phases.map(|phases| phases.listen_ms)),
            part(Some(start.total_ms)),
            part(start.connect_ms),
            part(start.first_byte_ms),
            match &start.detail {
                Some(detail) => format!("{}: {detail}", start.result),
                None => start.result.clone(),
            },
        ]);
    }
    table.render()
}

fn age(at_ms: u64, now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    span_of(
        since
            .saturating_sub(Duration::from_millis(at_ms))
            .as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::StartInfo;

    #[test]
    fn each_start_is_a_line() {
        let phases = StartInfo {
            decide_ms: 0.01,
            gate_ms: 0.0,
            prepare_ms: 0.04,
            spawn_ms: 0.05,
            clone_ms: 0.1,
            exec_ms: 0.2,
            listen_ms: 0.0,
            total_ms: 0.4,
        };
        let ready = StartedInfo {
            instance: "1-2".to_owned(),
            function: "f".to_owned(),
            revision: "r".to_owned(),
            at_ms: 5_000,
            cause: "request".to_owned(),
            result: "ready".to_owned(),
            detail: None,
            pid: Some(42),
            total_ms: 0.4,
            phases: Some(phases),
            connect_ms: Some(0.02),
            first_byte_ms: Some(0.3),
        };
        let failed = StartedInfo {
            instance: "1-1".to_owned(),
            cause: "policy".to_owned(),
            result: "not-executable".to_owned(),
            detail: Some("cannot execute \"x\"".to_owned()),
            pid: None,
            total_ms: 2.5,
            phases: None,
            connect_ms: None,
            first_byte_ms: None,
            ..ready.clone()
        };
        let now = UNIX_EPOCH + Duration::from_secs(80);
        assert_eq!(
            table(&[ready, failed], now),
            "ID   FUNCTION  AGE    WHY      DECIDE  GATE   PREPARE  SPAWN  CLONE  EXEC   LISTEN  START  \
             CONNECT  FIRST-BYTE  RESULT\n\
             1-2  f         1m15s  request  0.010   0.000  0.040    0.050  0.100  0.200  0.000   0.400  \
             0.020    0.300       ready\n\
             1-1  f         1m15s  policy   -       -      -        -      -      -      -       2.500  \
             -        -           not-executable: cannot execute \"x\"\n"
        );
    }
}
