//! `stoker publish`: a directory becomes a revision that serves.

mod scratch;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};
use stoker_config::{FunctionSpec, MANIFEST, parse_duration};
use stoker_package::{Item, ItemKind, Kind, Packed, list, pack};
use stoker_registry::is_function_name;
use stoker_show::progress::Progress;

use super::output::{Output, span};
use super::{Connection, Failure, listener};
use crate::client::{Client, Upload, segment};
use crate::wire::GatewayInfo;
use scratch::Scratch;

/// Of `publish`.
#[derive(Clone, Debug, Args)]
pub struct PublishArgs {
    /// The directory with the function's `function.toml`; what a `.stokerignore` there leaves out is
    /// not sent
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// The function's name, if the manifest has none [default: that of the directory]
    #[arg(long)]
    pub name: Option<String>,
    /// What is new, for the list of revisions
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// How much of the requests the new revision gets: all, none or a percentage
    #[arg(long, value_name = "all|none|PERCENT", default_value = "all", value_parser = traffic)]
    pub traffic: String,
    /// Do not start it once to see that it answers, before it serves
    #[arg(long)]
    pub no_prove: bool,
    /// Send nothing: list what would go
    #[arg(long)]
    pub dry_run: bool,
    /// How it is packed
    #[arg(long, value_name = "KIND", default_value = "tar.gz")]
    pub archive: Archive,
    /// How long it may take to be built and started, when it is sent
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration)]
    pub wait: Duration,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// How a directory is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Archive {
    /// tar, compressed by gzip
    #[value(name = "tar.gz")]
    TarGz,
    /// zip
    Zip,
}

/// What the gateway says of a new revision, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Revision {
    number: u32,
    url: String,
    #[serde(default)]
    revision_url: Option<String>,
    #[serde(default)]
    percent: Option<f64>,
    #[serde(default)]
    notes: Vec<String>,
}

pub(super) async fn publish(
    arguments: PublishArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    let function = function(&arguments)?;
    if arguments.dry_run {
        show_list(&arguments, &function, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Before the work: nobody wants to learn after it that there is no gateway.
    let client = arguments.connection.client().await?;
    let bar = Bar::new(arguments.connection.json);
    let (packed, upload) = packed(&arguments, &function, &bar)?;
    let path = target(&arguments, &function.name);
    let answer = client.upload(&path, upload, arguments.wait).await;
    bar.clear();
    let answer = answer?;
    if arguments.connection.json {
        output.json(&answer.json::<Value>()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let revision: Revision = answer.json()?;
    let base = base(&client).await;
    let took = begun.elapsed();
    output.text(&summary(&function.name, &revision, &base, (&packed, took)))?;
    Ok(ExitCode::SUCCESS)
}

/// The function, checked as the gateway will check it.
fn function(arguments: &PublishArgs) -> Result<FunctionSpec, Failure> {
    if let Some(name) = arguments.name.as_deref().filter(|it| !is_function_name(it)) {
        return Err(Failure::Other(format!(
            "a function cannot be called {name:?}, but by 1 to 63 lower-case letters, digits and \"-\", \
             beginning with a letter"
        )));
    }
    let shown = arguments.directory.display();
    if arguments.directory.is_file() {
        return Err(Failure::Other(format!(
            "{shown} is a file: name the directory with the function's {MANIFEST}"
        )));
    }
    let directory = std::fs::canonicalize(&arguments.directory);
    let directory = directory.map_err(|error| Failure::Input(shown.to_string(), error))?;
    let manifest = directory.join(MANIFEST);
    let text = std::fs::read_to_string(&manifest).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::Other(format!(
            "there is no {MANIFEST} in {shown}: name the directory that has the function's"
        )),
        _ => Failure::Input(
            arguments.directory.join(MANIFEST).display().to_string(),
            error,
        ),
    })?;
    let loaded = match &arguments.name {
        Some(name) => stoker_config::parse_function(&manifest, &text, name),
        None => stoker_config::load_function(&manifest),
    };
    loaded.map_err(|errors| Failure::Other(format!("{errors}")))
}

/// Packs the directory, and opens what came of it; it has no name any more then.
fn packed(
    arguments: &PublishArgs,
    function: &FunctionSpec,
    bar: &Bar,
) -> Result<(Packed, Upload), Failure> {
    let kind = arguments.archive.kind();
    let scratch = Scratch::new().map_err(|error| Failure::Other(error.to_string()))?;
    let file = scratch.path().join(format!("package.{}", kind.extension()));
    bar.part(format!("packing {}", function.name));
    let packed = pack(&arguments.directory, &file, kind, &mut |progress| {
        bar.show(progress.done_bytes, progress.total_bytes);
    });
    let packed = packed.map_err(|error| Failure::Other(error.to_string()))?;
    let opened = File::open(&file);
    let file = opened.map_err(|error| Failure::Input(file.display().to_string(), error))?;
    bar.part(format!("sending {}", function.name));
    let (mut sent, total, own) = (0, packed.archive_bytes, bar.clone());
    let upload = Upload {
        file,
        bytes: packed.archive_bytes,
        kind: kind.media_type(),
        progress: Box::new(move |bytes| {
            sent += bytes;
            own.show(sent, total);
            if sent == total {
                own.part("waiting until it serves".to_owned());
                own.show(0, 0);
            }
        }),
    };
    Ok((packed, upload))
}

/// Where it is put, and how.
fn target(arguments: &PublishArgs, name: &str) -> String {
    let mut path = format!(
        "/v1/functions/{}?traffic={}",
        segment(name),
        segment(&arguments.traffic)
    );
    if let Some(message) = &arguments.message {
        path.push_str(&format!("&message={}", segment(message)));
    }
    if arguments.no_prove {
        path.push_str("&prove=false");
    }
    path
}

/// Where the gateway can be called from here; empty if that is not known.
async fn base(client: &Client) -> String {
    let Ok(answer) = client.get("/v1/gateway").await else {
        return String::new();
    };
    let gateway = answer.json::<GatewayInfo>();
    let base = gateway.map(|gateway| listener(&gateway, client));
    match base {
        Ok(Ok(base)) if base.starts_with("http") => base,
        _ => String::new(),
    }
}

fn summary(name: &str, revision: &Revision, base: &str, done: (&Packed, Duration)) -> String {
    let (packed, took) = done;
    let Revision {
        number,
        url,
        revision_url,
        percent,
        notes,
    } = revision;
    let share = match percent {
        Some(percent) if *percent > 0.0 && *percent < 100.0 => {
            format!(" gets {percent} % of the requests to")
        }
        Some(0.0) => " gets no requests to".to_owned(),
        _ => " serves".to_owned(),
    };
    let mut text = format!("{name}: revision {number}{share} {base}{url}\n");
    if let Some(own) = revision_url {
        text.push_str(&format!("this revision alone: {base}{own}\n"));
    }
    for note in notes {
        text.push_str(&format!("{}\n", note.trim_end()));
    }
    text.push_str(&format!(
        "{} of {} files were sent; it took {}\n",
        rough(packed.archive_bytes),
        packed.files,
        span(took)
    ));
    text
}

/// `--dry-run`.
fn show_list(
    arguments: &PublishArgs,
    function: &FunctionSpec,
    output: &mut Output,
) -> Result<(), Failure> {
    let items = list(&arguments.directory).map_err(|error| Failure::Other(error.to_string()))?;
    let bytes: u64 = items.iter().map(Item::bytes).sum();
    let files = items.iter().filter(|item| is_file(item)).count();
    if arguments.connection.json {
        let rows: Vec<Value> = items.iter().map(row).collect();
        let whole =
            json!({ "function": &*function.name, "files": files, "bytes": bytes, "items": rows });
        return Ok(output.json(&whole)?);
    }
    for item in &items {
        match &item.kind {
            ItemKind::Directory => {}
            ItemKind::File { bytes, .. } => {
                output.line(&format!("{:>10}  {}", rough(*bytes), item.path))?;
            }
            ItemKind::Link(target) => {
                output.line(&format!("{:>10}  {} -> {target}", "link", item.path))?;
            }
        }
    }
    let total = rough(bytes);
    output.line(&format!(
        "{total} in {files} files would be sent as {}",
        function.name
    ))?;
    Ok(())
}

fn is_file(item: &Item) -> bool {
    matches!(item.kind, ItemKind::File { .. })
}

fn row(item: &Item) -> Value {
    match &item.kind {
        ItemKind::File {
            bytes,
            is_executable,
        } => json!({ "path": item.path, "bytes": bytes, "executable": is_executable }),
        ItemKind::Directory => json!({ "path": item.path, "directory": true }),
        ItemKind::Link(target) => json!({ "path": item.path, "link": target }),
    }
}

/// How far it is, on the standard error; shared with what sends.
#[derive(Clone)]
struct Bar(Arc<Mutex<Progress>>);

impl Bar {
    fn new(is_quiet: bool) -> Bar {
        Bar(Arc::new(Mutex::new(Progress::new(is_quiet))))
    }

    fn part(&self, label: String) {
        self.locked().part(label);
    }

    fn show(&self, done: u64, total: u64) {
        let share = (total > 0).then(|| done as f64 / total as f64);
        match share {
            Some(_) => self.locked().show(share, format_args!("{}", rough(total))),
            None => self.locked().show(None, format_args!("...")),
        }
    }

    fn clear(&self) {
        self.locked().clear();
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A size for people, who are not told the last byte.
fn rough(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

impl Archive {
    fn kind(self) -> Kind {
        match self {
            Archive::TarGz => Kind::TarGz,
            Archive::Zip => Kind::Zip,
        }
    }
}

fn traffic(text: &str) -> Result<String, String> {
    let percent = text.parse::<f64>();
    let is_percent = percent.is_ok_and(|percent| (0.0..=100.0).contains(&percent));
    match is_percent || matches!(text, "all" | "none") {
        true => Ok(text.to_owned()),
        false => Err("give all, none or a percentage from 0 to 100".to_owned()),
    }
}
