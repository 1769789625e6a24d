//! `stoker logs`.

use std::process::ExitCode;

use bytes::BytesMut;
use http_body_util::BodyExt as _;
use stoker_scaler::logs::LogLine;

use super::output::Output;
use super::{Failure, LogsArgs};
use crate::client::{ClientError, segment};

pub(super) async fn print(arguments: LogsArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let LogsArgs {
        function,
        follow,
        lines,
        connection,
    } = arguments;
    let path = format!(
        "/v1/functions/{}/logs?lines={lines}&follow={follow}",
        segment(&function)
    );
    let mut body = connection.client().await?.stream(&path).await?;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ClientError::Broken(error.into()))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        rest.extend_from_slice(&piece);
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = rest.split_to(end + 1);
            if connection.json {
                output.bytes(&line)?;
            } else {
                output.line(&human(&line)?)?;
            }
        }
        // Whoever follows wants to see it now.
        output.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Without the function's name, which is that of the command.
fn human(json: &[u8]) -> Result<String, ClientError> {
    let line: LogLine = serde_json::from_slice(json).map_err(ClientError::Foreign)?;
    let LogLine {
        time,
        instance,
        stream,
        text,
        ..
    } = line;
    let instance = instance.map_or_else(|| "-".to_owned(), |instance| instance.to_string());
    Ok(format!("{time} {instance} {stream} {text}"))
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn a_line_is_as_in_the_file_without_the_function() {
        let json = r#"{"time":"2026-11-21T01:02:03.123456Z","function":"hello","instance":"3-1",
            "stream":"out","text":"some  text"}"#;
        assert_eq!(
            human(json.as_bytes()).unwrap(),
            "2026-11-21T01:02:03.123456Z 3-1 out some  text"
        );
        assert!(human(b"{}").is_err());
    }
}
