//! The arguments of each command.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hyper::header::{HeaderName, HeaderValue};
use stoker_config::parse_duration;

/// Which gateway, and how it answers.
#[derive(Clone, Debug, Args)]
pub struct Connection {
    /// The gateway's admin socket or URL: PATH or http://HOST:PORT [default: $STOKER_ADMIN, else
    /// .stoker/admin.sock, else the socket in stoker.toml, else
    /// $XDG_RUNTIME_DIR/stoker/admin.sock]
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<String>,
    /// File with the token for an admin URL [default: the token in $STOKER_ADMIN_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Of `ls`.
#[derive(Clone, Debug, Args)]
pub struct LsArgs {
    /// Only functions with instances or requests
    #[arg(long)]
    pub active: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `ps`.
#[derive(Clone, Debug, Args)]
pub struct PsArgs {
    /// Only the instances of this function, or of one revision of it: NAME:rN or NAME:ALIAS
    pub function: Option<String>,
    /// The last starts in place of the instances, newest first, with where their time went
    #[arg(long)]
    pub starts: bool,
    /// Also the processes that are kept ready to become instances
    #[arg(long)]
    pub all: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// Print one table and end, also where there is no terminal
    #[arg(long)]
    pub once: bool,
    /// Between two looks; with --once or --json, the time that rates are measured over
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// Begin with this order: requests, errors, warm, cold, in-flight, waiting, instances or name
    #[arg(long, value_name = "COLUMN", default_value = "requests")]
    pub sort: super::top::Sort,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `logs`.
#[derive(Clone, Debug, Args)]
pub struct LogsArgs {
    /// The function, or one revision of it: NAME:rN or NAME:ALIAS
    pub function: String,
    /// Go on with what it prints from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Begin with that many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub lines: u32,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `invoke`.
#[derive(Clone, Debug, Args)]
pub struct InvokeArgs {
    /// The function, or one revision of it: NAME:rN or NAME:ALIAS
    pub function: String,
    /// Path below the function's, and query
    #[arg(default_value = "")]
    pub path: String,
    /// Method [default: GET, or POST with data]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub method: Option<hyper::Method>,
    /// Header, as "NAME: VALUE"; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body: the text itself, @FILE, or - for the standard input
    #[arg(short, long, value_name = "DATA", allow_hyphen_values = true)]
    pub data: Option<String>,
    /// Print status, headers and where the time went to the standard error
    #[arg(short, long)]
    pub verbose: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `scale`.
#[derive(Clone, Debug, Args)]
pub struct ScaleArgs {
    /// The function, or one revision of it: NAME:rN or NAME:ALIAS
    pub function: String,
    /// A number of instances, or "auto" for what the policy wants
    #[arg(value_name = "N|auto", value_parser = instances)]
    pub instances: Instances,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `evict`.
#[derive(Clone, Debug, Args)]
pub struct EvictArgs {
    /// The function, or one revision of it: NAME:rN or NAME:ALIAS
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub function: Option<String>,
    /// Of all functions
    #[arg(long)]
    pub all: bool,
    /// How long to wait until they are gone
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = wait)]
    pub wait: Duration,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `reload`.
#[derive(Clone, Debug, Args)]
pub struct ReloadArgs {
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The function, or one revision of it: NAME:rN or NAME:ALIAS
    pub function: String,
    /// As it was then: how long ago, such as 10m, or a time such as 2026-11-21T19:30:00Z
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Also what another setting would have given in the last hour; may be repeated. A key of the
    /// manifest's scaling needs no table before it
    #[arg(long, value_name = "KEY=VALUE")]
    pub counterfactual: Vec<String>,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `policy`.
#[derive(Clone, Debug, Args)]
pub struct PolicyArgs {
    /// The function
    pub function: String,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `record export`.
#[derive(Clone, Debug, Args)]
pub struct RecordExportArgs {
    /// Only what happened to this function
    pub function: Option<String>,
    /// Only what happened within the last TIME [default: all that is kept]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Of `upgrade`.
#[derive(Clone, Debug, Args)]
pub struct UpgradeArgs {
    /// The new program [default: the path that the gateway was started from]
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// How many instances a function is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// So many, held.
    Held(u32),
    /// What the policy wants.
    Auto,
}

fn instances(text: &str) -> Result<Instances, String> {
    match text {
        "auto" => Ok(Instances::Auto),
        _ => text
            .parse()
            .map(Instances::Held)
            .map_err(|_| "give a whole number of instances, or \"auto\"".to_owned()),
    }
}

fn wait(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(300);
    match parse_duration(text)? {
        wait if wait <= most => Ok(wait),
        _ => Err("give at most 300s".to_owned()),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(60));
    match parse_duration(text)? {
        time if (least..=most).contains(&time) => Ok(time),
        _ => Err("give from 100ms to 60s".to_owned()),
    }
}

/// A header as it is given to a command: `NAME: VALUE`.
///
/// # Errors
/// If it is none, and what would be right.
pub fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("give \"NAME: VALUE\", with a colon between")?;
    let name = name
        .parse()
        .map_err(|_| format!("{name:?} is no header name"))?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| "a header value is visible text".to_owned())?;
    Ok((name, value))
}

#[cfg(test)]
mod tests;
