//! `stoker revisions`, `stoker diff`, `stoker rollback`, `stoker alias` and `stoker delete`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;
use stoker_config::format_size;

use super::output::{Output, span};
use super::table::Table;
use super::{Connection, Failure, traffic};
use crate::client::segment;
use crate::wire::{AliasInfo, RevisionDiff, RevisionSummary, Traffic};

/// Of `revisions`.
#[derive(Clone, Debug, Args)]
pub struct RevisionsArgs {
    /// The function
    pub function: String,
    /// Also those that were given up
    #[arg(long)]
    pub all: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The function
    pub function: String,
    /// A revision
    pub from: u32,
    /// Another one
    pub to: u32,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `rollback`.
#[derive(Clone, Debug, Args)]
pub struct RollbackArgs {
    /// The function
    pub function: String,
    /// A revision [default: the one that served before]
    pub revision: Option<u32>,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `alias`.
#[derive(Clone, Debug, Args)]
pub struct AliasArgs {
    /// The function
    pub function: String,
    /// The name, which is to lead to REVISION: /function/FUNCTION:ALIAS [default: list all]
    pub alias: Option<String>,
    /// The revision
    pub revision: Option<u32>,
    /// Forget the name
    #[arg(long, requires = "alias", conflicts_with = "revision")]
    pub delete: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The function
    pub function: String,
    /// It is meant: revisions, settings and secrets go with it, for good
    #[arg(long, required = true)]
    pub yes: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

pub(super) async fn list(
    arguments: RevisionsArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}/revisions", segment(&arguments.function));
    let mut list: Vec<RevisionSummary> = client.get(&path).await?.json()?;
    list.retain(|it| arguments.all || !it.collected);
    match arguments.connection.json {
        true => output.json(&list)?,
        false => output.text(&table(&list, SystemTime::now()))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn diff(arguments: DiffArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let (function, from, to) = (segment(&arguments.function), arguments.from, arguments.to);
    let path = format!("/v1/functions/{function}/diff?from={from}&to={to}");
    let diff: RevisionDiff = client.get(&path).await?.json()?;
    match arguments.connection.json {
        true => output.json(&diff)?,
        false => output.text(&shown(&diff))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn roll_back(
    arguments: RollbackArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}/rollback", segment(&arguments.function));
    let body = match arguments.revision {
        Some(to) => json!({ "to": to }),
        None => json!({}),
    };
    let answer = client
        .post(&path, body.to_string().into(), Duration::ZERO)
        .await?;
    let traffic: Traffic = answer.json()?;
    match arguments.connection.json {
        true => output.json(&traffic)?,
        false => output.text(&traffic::table(&traffic))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn alias(arguments: AliasArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let all = format!("/v1/functions/{}/aliases", segment(&arguments.function));
    match (&arguments.alias, arguments.revision) {
        (Some(alias), _) if arguments.delete => {
            client.delete(&format!("{all}/{}", segment(alias))).await?;
        }
        (Some(alias), Some(revision)) => {
            let body = json!({ "revision": revision }).to_string();
            let path = format!("{all}/{}", segment(alias));
            client.put(&path, body.into(), Duration::ZERO).await?;
        }
        (Some(alias), None) => {
            let why = format!("say which revision {alias:?} is to lead to, or --delete");
            return Err(Failure::Other(why));
        }
        (None, _) => {}
    }
    let list: Vec<AliasInfo> = client.get(&all).await?.json()?;
    if arguments.connection.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["ALIAS", "REVISION"]);
    for it in list {
        table.row([it.alias, it.revision.to_string()]);
    }
    output.text(&table.render())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn delete(
    arguments: DeleteArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let function = &arguments.function;
    let path = format!("/v1/functions/{}", segment(function));
    client.delete(&path).await?;
    match arguments.connection.json {
        true => output.json(&json!({ "deleted": function }))?,
        false => output.line(&format!("{function} is gone"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// How long ago a time in milliseconds since 1970 was.
pub(super) fn age(at_ms: u64, now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    span(since.saturating_sub(Duration::from_millis(at_ms)))
}

/// A part as people write it: `12.5%`.
pub(super) fn percent(percent: f64) -> String {
    let text = format!("{percent:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}

fn table(list: &[RevisionSummary], now: SystemTime) -> String {
    let mut table = Table::new(&[
        "REVISION", "TRAFFIC", "AGE", "BY", "PACKAGE", "SIZE", "ALIASES", "MESSAGE",
    ]);
    for it in list {
        let traffic = match (it.collected, it.percent) {
            (true, _) => "collected".to_owned(),
            (false, part) if part > 0.0 => percent(part),
            _ => String::new(),
        };
        table.row([
            it.number.to_string(),
            traffic,
            age(it.created_ms, now),
            it.created_by.clone(),
            it.digest.chars().take(12).collect(),
            format_size(it.package_bytes),
            it.aliases.join(" "),
            it.message.lines().next().unwrap_or_default().to_owned(),
        ]);
    }
    table.render()
}

fn shown(diff: &RevisionDiff) -> String {
    let mut text = String::new();
    for (heading, lines) in [
        ("function.toml", &diff.manifest),
        ("settings", &diff.settings),
    ] {
        if !lines.is_empty() {
            text.push_str(&format!(
                "--- {heading} of revision {}\n+++ {heading} of revision {}\n{lines}",
                diff.from, diff.to
            ));
        }
    }
    let files = &diff.files;
    for (sign, paths) in [
        ("+", &files.added),
        ("-", &files.removed),
        ("~", &files.changed),
    ] {
        for path in paths {
            let path = path.replace(char::is_control, "?");
            text.push_str(&format!("{sign} {path}\n"));
        }
    }
    if text.is_empty() {
        text.push_str("nothing differs\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FilesDiff;

    #[test]
    fn revisions_are_listed() {
        let revision = RevisionSummary {
            function: "f".to_owned(),
            number: 2,
            digest: "0123456789abcdef".to_owned(),
            kind: "zip".to_owned(),
            package_bytes: 2048,
            message: "faster\nby far".to_owned(),
            created_ms: 5_000,
            created_by: "ci".to_owned(),
            percent: 12.5,
            aliases: vec!["next".to_owned()],
            routed_ms: Some(5_000),
            collected: false,
        };
        let old = RevisionSummary {
            number: 1,
            percent: 0.0,
            collected: true,
            aliases: Vec::new(),
            message: String::new(),
            ..revision.clone()
        };
        assert_eq!(
            table(&[revision, old], UNIX_EPOCH + Duration::from_secs(80)),
            "REVISION  TRAFFIC    AGE    BY  PACKAGE       SIZE  ALIASES  MESSAGE\n\
             2         12.5%      1m15s  ci  0123456789ab  2KiB  next     faster\n\
             1         collected  1m15s  ci  0123456789ab  2KiB  -        -\n"
        );
    }

    #[test]
    fn differences_are_shown() {
        let mut diff = RevisionDiff {
            from: 1,
            to: 2,
            ..RevisionDiff::default()
        };
        assert_eq!(shown(&diff), "nothing differs\n");
        diff.manifest = "-a = 1\n+a = 2\n".to_owned();
        diff.files = FilesDiff {
            added: vec!["new".to_owned()],
            removed: vec!["o\nld".to_owned()],
            changed: vec!["main.py".to_owned()],
        };
        assert_eq!(
            shown(&diff),
            "--- function.toml of revision 1\n+++ function.toml of revision 2\n-a = 1\n+a = 2\n\
             + new\n- o?ld\n~ main.py\n"
        );
    }
}
