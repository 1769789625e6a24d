//! `stoker policy`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::Subcommand;

use super::output::{Output, span};
use super::table::Table;
use super::{Failure, PolicyArgs};
use crate::client::segment;
use crate::wire::{PolicyHistory, PolicyVersion};

/// Of `policy`.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// Put what is tried in [scaling.shadow] in force; instances stay
    Promote(PolicyArgs),
    /// Put the policy before the one in force in force again
    Rollback(PolicyArgs),
    /// List the policies that the function had
    History(PolicyArgs),
}

pub(super) async fn run(command: PolicyCommand, output: &mut Output) -> Result<ExitCode, Failure> {
    let (arguments, action) = match command {
        PolicyCommand::Promote(arguments) => (arguments, Some("promote")),
        PolicyCommand::Rollback(arguments) => (arguments, Some("rollback")),
        PolicyCommand::History(arguments) => (arguments, None),
    };
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}/policy", segment(&arguments.function));
    let answer = match action {
        None => client.get(&path).await?,
        Some(action) => {
            let path = format!("{path}/{action}");
            client.post(&path, Bytes::new(), Duration::ZERO).await?
        }
    };
    let history: PolicyHistory = answer.json()?;
    if arguments.connection.json {
        output.json(&history)?;
    } else {
        output.text(&table(&history, SystemTime::now()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// For people, the newest first.
fn table(history: &PolicyHistory, now: SystemTime) -> String {
    let mut table = Table::new(&["VERSION", "AGE", "SOURCE", "SETTINGS"]);
    for version in history.versions.iter().rev() {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = since.saturating_sub(Duration::from_millis(version.at_ms));
        table.row([
            version.number.to_string(),
            span(age),
            source(version),
            settings(version),
        ]);
    }
    let mut text = table.render();
    if let [first, rest @ ..] = &*history.apart {
        let rest = rest.iter().map(|number| format!(", {number}"));
        let numbers: String = std::iter::once(first.to_string()).chain(rest).collect();
        text.push_str(&format!(
            "\nRevision {numbers} came later with other settings of its own, which hold for it.\n"
        ));
    }
    text
}

fn source(version: &PolicyVersion) -> String {
    match version.of {
        Some(of) => format!("{} to {of}", version.source),
        None => version.source.clone(),
    }
}

fn settings(version: &PolicyVersion) -> String {
    if version.changes.is_empty() {
        return "those of the manifest".to_owned();
    }
    let changes = version.changes.iter();
    let changes = changes.map(|(key, value)| format!("{key} = {value}"));
    changes.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first() {
        let version = |number, source: &str, of, changes| PolicyVersion {
            number,
            at_ms: 5_000,
            source: source.to_owned(),
            of,
            changes,
        };
        let kpa = vec![("scaling.policy".to_owned(), "\"kpa\"".to_owned())];
        let history = PolicyHistory {
            function: "f".to_owned(),
            versions: vec![
                version(1, "manifest", None, Vec::new()),
                version(2, "promoted", None, kpa),
                version(3, "rolled-back", Some(1), Vec::new()),
            ],
            apart: Vec::new(),
        };
        assert_eq!(
            table(&history, UNIX_EPOCH + Duration::from_secs(80)),
            "VERSION  AGE    SOURCE            SETTINGS\n\
             3        1m15s  rolled-back to 1  those of the manifest\n\
             2        1m15s  promoted          scaling.policy = \"kpa\"\n\
             1        1m15s  manifest          those of the manifest\n"
        );
    }
}
