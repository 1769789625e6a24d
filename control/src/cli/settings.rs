//! `stoker settings` and `stoker secrets`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use serde_json::to_vec;
use zeroize::Zeroizing;

use super::output::{Output, remark};
use super::revisions::age;
use super::table::Table;
use super::{Connection, Failure};
use crate::client::{Client, segment};
use crate::wire::{SecretPlace, SecretRequest, SecretSummary};

/// Of a secret, with room for the line break that an editor adds.
const SECRET_BYTES: u64 = (64 << 10) + 2;

/// Of `settings`.
#[derive(Clone, Debug, Args)]
pub struct SettingsArgs {
    /// The function
    pub function: String,
    /// Settings beside those that there are, which makes a new revision [default: show them]
    #[arg(value_name = "KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Without this setting; may be repeated
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `secrets`.
#[derive(Clone, Debug, Args)]
pub struct SecretsArgs {
    /// The function
    pub function: String,
    /// What to do [default: list them, without their values]
    #[arg(requires = "key")]
    pub action: Option<SecretAction>,
    /// The variable's name
    pub key: Option<String>,
    /// Give it to instances as a file, whose path is in KEY_FILE, and not as a variable
    #[arg(long)]
    pub file: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// What can be done with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecretAction {
    /// Set it to what comes on the standard input; one line break at its end is left out
    Set,
    /// Forget it
    Delete,
}

pub(super) async fn settings(
    arguments: SettingsArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}/settings", segment(&arguments.function));
    let read = client.get(&path).await;
    let changes = !arguments.settings.is_empty() || !arguments.unset.is_empty();
    let before: BTreeMap<String, String> = match read {
        // They may be there before the function.
        Err(error) if changes && error.is_unknown_function() => BTreeMap::new(),
        answer => answer?.json()?,
    };
    let mut wanted = before.clone();
    wanted.extend(arguments.settings);
    for key in &arguments.unset {
        if wanted.remove(key).is_none() {
            return Err(Failure::Other(format!("there is no setting {key}")));
        }
    }
    if wanted != before {
        // Texts: nothing that JSON could refuse.
        let body = to_vec(&wanted).unwrap_or_default();
        client.put(&path, body.into(), Duration::ZERO).await?;
    }
    match arguments.connection.json {
        true => output.json(&wanted)?,
        false => {
            for (key, value) in &wanted {
                let value = value.replace(char::is_control, "?");
                output.line(&format!("{key}={value}"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn secrets(
    arguments: SecretsArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let all = format!("/v1/functions/{}/secrets", segment(&arguments.function));
    let key = arguments.key.unwrap_or_default();
    match arguments.action {
        None => {}
        Some(SecretAction::Set) => set(&client, &all, (&key, arguments.file)).await?,
        Some(SecretAction::Delete) => {
            client.delete(&format!("{all}/{}", segment(&key))).await?;
        }
    }
    let answer = client.get(&all).await;
    let list: Vec<SecretSummary> = answer?.json()?;
    if arguments.connection.json {
        output.json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["KEY", "AS", "VERSION", "AGE", "BY"]);
    let now = SystemTime::now();
    for it in list {
        let version = it.version.to_string();
        let age = age(it.updated_ms, now);
        table.row([it.key, it.place, version, age, it.updated_by]);
    }
    output.text(&table.render())?;
    Ok(ExitCode::SUCCESS)
}

async fn set(client: &Client, all: &str, (key, file): (&str, bool)) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        remark("the value, and then Ctrl-D:");
    }
    let mut value = Zeroizing::new(String::new());
    let read = io::stdin().take(SECRET_BYTES).read_to_string(&mut value);
    read.map_err(|error| Failure::Input("the standard input".to_owned(), error))?;
    let text = value.strip_suffix('\n').unwrap_or(&value);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::Other(format!(
            "there is nothing on the standard input, where the value of {key} is read from: \
             printf %s VALUE | stoker secrets FUNCTION set {key}"
        )));
    }
    let request = SecretRequest {
        value: text.to_owned(),
        place: match file {
            true => SecretPlace::File,
            false => SecretPlace::Environment,
        },
    };
    // A text: nothing that JSON could refuse.
    let body = to_vec(&request).unwrap_or_default();
    let path = format!("{all}/{}", segment(key));
    client.put(&path, body.into(), Duration::ZERO).await?;
    Ok(())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
