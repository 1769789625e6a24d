//! `stoker keys`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::to_vec;
use stoker_config::parse_duration;

use super::output::{Output, remark, span};
use super::table::Table;
use super::{Connection, Failure};
use crate::client::segment;
use crate::wire::{CreatedKey, KeyRequest, KeySummary, RotationRequest};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What can be done with keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key; it is shown this once
    Create(KeysCreateArgs),
    /// List the keys, without what would open anything
    List(KeysListArgs),
    /// Make a second key of the same name, and let the old one expire
    Rotate(KeysRotateArgs),
    /// End a key at once
    Revoke(KeysRevokeArgs),
}

/// Of `keys create`.
#[derive(Clone, Debug, Args)]
pub struct KeysCreateArgs {
    /// What it opens.
    #[command(flatten)]
    pub scope: Scope,
    /// What to call it
    #[arg(long, default_value = "default")]
    pub name: String,
    /// How long it is valid, such as 90d or 12h [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = days)]
    pub expires: Option<Duration>,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// What a key opens.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Scope {
    /// One function
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Every function of level "function" or "host"
    #[arg(long)]
    pub host: bool,
    /// Everything
    #[arg(long)]
    pub master: bool,
}

/// Of `keys list`.
#[derive(Clone, Debug, Args)]
pub struct KeysListArgs {
    /// Only those that open this function and no other
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `keys rotate`.
#[derive(Clone, Debug, Args)]
pub struct KeysRotateArgs {
    /// The key's id
    pub id: String,
    /// How long the old one stays valid
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = days)]
    pub overlap: Duration,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `keys revoke`.
#[derive(Clone, Debug, Args)]
pub struct KeysRevokeArgs {
    /// The key's id
    pub id: String,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

pub(super) async fn run(command: KeysCommand, output: &mut Output) -> Result<ExitCode, Failure> {
    match command {
        KeysCommand::Create(arguments) => create(arguments, output).await,
        KeysCommand::List(arguments) => list(arguments, output).await,
        KeysCommand::Rotate(arguments) => rotate(arguments, output).await,
        KeysCommand::Revoke(arguments) => revoke(arguments, output).await,
    }
}

async fn create(arguments: KeysCreateArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let scope = match (&arguments.scope.function, arguments.scope.host) {
        (Some(_), _) => "function",
        (None, true) => "host",
        (None, false) => "master",
    };
    let wanted = KeyRequest {
        scope: scope.to_owned(),
        function: arguments.scope.function,
        name: Some(arguments.name),
        expires_in: arguments.expires.map(|time| time.as_secs()),
    };
    make("/v1/keys", &wanted, &arguments.connection, output).await
}

async fn rotate(arguments: KeysRotateArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let path = format!("/v1/keys/{}/rotate", segment(&arguments.id));
    let wanted = RotationRequest {
        overlap: Some(arguments.overlap.as_secs()),
    };
    make(&path, &wanted, &arguments.connection, output).await
}

/// The key goes to the standard output by itself, so that it can go into a file.
async fn make(
    path: &str,
    wanted: &impl Serialize,
    connection: &Connection,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = connection.client().await?;
    let body = to_vec(wanted).map_err(|error| Failure::Other(error.to_string()))?;
    let answer = client.post(path, Bytes::from(body), Duration::ZERO).await?;
    let created: CreatedKey = answer.json()?;
    if connection.json {
        output.json(&created)?;
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&created.key)?;
    output.flush()?;
    let summary = &created.summary;
    remark(&format!(
        "key {} {:?} for {}; it is not shown again",
        summary.id,
        summary.name,
        opens(summary)
    ));
    Ok(ExitCode::SUCCESS)
}

async fn list(arguments: KeysListArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let mut keys: Vec<KeySummary> = client.get("/v1/keys").await?.json()?;
    if arguments.function.is_some() {
        keys.retain(|key| key.function == arguments.function);
    }
    if arguments.connection.json {
        output.json(&keys)?;
    } else {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        output.text(&table(&keys, now.as_secs()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(arguments: KeysRevokeArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/keys/{}", segment(&arguments.id));
    let revoked: KeySummary = client.delete(&path).await?.json()?;
    if arguments.connection.json {
        output.json(&revoked)?;
    } else {
        output.line(&format!("key {} {:?} is revoked", revoked.id, revoked.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// For people, at `now` in seconds since 1970.
fn table(keys: &[KeySummary], now: u64) -> String {
    let mut table = Table::new(&["ID", "NAME", "OPENS", "AGE", "EXPIRES"]);
    for key in keys {
        let age = span(Duration::from_secs(now.saturating_sub(key.created)));
        let expires = match key.expires {
            None => "never".to_owned(),
            Some(at) if at <= now => "expired".to_owned(),
            Some(at) => format!("in {}", span(Duration::from_secs(at - now))),
        };
        table.row([key.id.clone(), key.name.clone(), opens(key), age, expires]);
    }
    table.render()
}

fn opens(key: &KeySummary) -> String {
    match (&key.function, key.scope.as_str()) {
        (Some(function), _) => format!("function {function}"),
        (None, "host") => "all functions but those of level master".to_owned(),
        (None, "master") => "everything".to_owned(),
        (None, other) => other.to_owned(),
    }
}

/// A duration in whole seconds, in which `d` may be written for 24 hours.
fn days(text: &str) -> Result<Duration, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok());
    match days {
        Some(days) => Ok(DAY.saturating_mul(days)),
        None => {
            parse_duration(text).map_err(|error| format!("{error}, or a number of days: \"90d\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_durations_too() {
        assert_eq!(days("90d"), Ok(DAY * 90));
        assert_eq!(days("12h"), Ok(DAY / 2));
        assert_eq!(days("0s"), Ok(Duration::ZERO));
        for wrong in ["90", "d", "-1d", "1.5d", "1w"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_in_columns() {
        let key = |id: &str, scope: &str, function: Option<&str>, expires| KeySummary {
            id: id.to_owned(),
            name: "ci".to_owned(),
            scope: scope.to_owned(),
            function: function.map(str::to_owned),
            created: 1000,
            expires,
            expired: false,
        };
        let keys = [
            key("01", "function", Some("f"), None),
            key("02", "host", None, Some(1075)),
            key("03", "master", None, Some(8275)),
        ];
        assert_eq!(
            table(&keys, 1075),
            "ID  NAME  OPENS                                    AGE    EXPIRES\n\
             01  ci    function f                               1m15s  never\n\
             02  ci    all functions but those of level master  1m15s  expired\n\
             03  ci    everything                               1m15s  in 2h00m\n"
        );
    }
}
