//! `stoker bench`.
//!
//! Exit codes: 0 is success, 1 a condition of `--fail-if` that holds, 2 a wrong command line or a
//! target that cannot be measured.

mod arguments;
mod modes;
mod settings;

use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::{Instant, SystemTime};

use clap::{Args, Subcommand};
use stoker_control::cli::Connection;

use crate::Report;
use crate::admin::Admin;
use crate::client::Trust;
use crate::load::{Crew, Work};
use crate::progress::Progress;
use crate::report::FORMAT;
use crate::run::{Bench, Failure};
use crate::stop::Stop;
use crate::target::{Call, Targets};
use crate::timeline::Timeline;
use arguments::{
    BurstArgs, ColdArgs, DrainArgs, OutputArgs, SoakArgs, StepArgs, TargetArgs, WarmArgs,
};

const FAILED: u8 = 1;
const UNABLE: u8 = 2;

/// What every mode says at the end of its help.
const AFTER: &str = "\
Exit codes: 0 is success, 1 a condition of --fail-if that holds, 2 a wrong command line or a target \
that cannot be measured. Ctrl-C ends the run, and what was measured is reported.";

/// What `stoker bench` is told.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Clone, Debug, Subcommand)]
enum Mode {
    /// Cold starts: how long a request takes that finds no instance
    #[command(after_help = AFTER)]
    Cold(ColdArgs),
    /// Latencies at a rate, or the highest throughput
    #[command(after_help = AFTER)]
    Warm(WarmArgs),
    /// Rising rates, until the target does not keep up
    #[command(after_help = AFTER)]
    Step(StepArgs),
    /// Many requests at once to a target at zero
    #[command(after_help = AFTER)]
    Burst(BurstArgs),
    /// One load for a long time: does anything drift?
    #[command(after_help = AFTER)]
    Soak(SoakArgs),
    /// Load while instances are evicted, scaled or the gateway is upgraded: does anything fail?
    #[command(after_help = AFTER)]
    Drain(DrainArgs),
}

/// Runs a command to its end: results go to the standard output and to files, all else to the
/// standard error.
pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.mode.run() {
        Ok(code) => code,
        Err(Failure(text)) => {
            eprintln!("stoker: {text}");
            ExitCode::from(UNABLE)
        }
    }
}

impl Mode {
    fn run(self) -> Result<ExitCode, Failure> {
        let name = self.name();
        let (target, output) = self.common();
        let stop = Stop::new();
        follow_signals(&stop)?;
        let begun = (SystemTime::now(), Instant::now());
        let machine = Default::default();
        let (mut bench, shown) = prepare(&target, &output, &stop)?;
        let timeline = timeline(&bench, &target, begun.1)?;
        let result = self.measure(&mut bench);
        bench.progress.clear();
        let timeline = timeline.map(Timeline::finish).unwrap_or_default();
        if bench.series.is_empty() {
            result?;
            return Err(Failure("nothing was measured before it was stopped".into()));
        }
        // What was measured before it failed is worth a report.
        if let Err(Failure(text)) = &result {
            bench.note(format!("the run ended before its time: {text}"));
        } else if stop.is_set() {
            bench.note("the run was stopped before its time".to_owned());
        }
        bench.note_quality();
        let (words, settings) = settings::read();
        let report = Report {
            format: FORMAT,
            stoker: env!("CARGO_PKG_VERSION").to_owned(),
            mode: name.to_owned(),
            command: words,
            url: settings::without_keys(&shown),
            begun: settings::rfc3339(begun.0),
            machine,
            settings,
            series: bench.series,
            timeline,
            notes: bench.notes,
        };
        let code = publish(&report, &output)?;
        result.map(|()| code)
    }

    fn name(&self) -> &'static str {
        match self {
            Mode::Cold(_) => "cold",
            Mode::Warm(_) => "warm",
            Mode::Step(_) => "step",
            Mode::Burst(_) => "burst",
            Mode::Soak(_) => "soak",
            Mode::Drain(_) => "drain",
        }
    }

    fn common(&self) -> (TargetArgs, OutputArgs) {
        let (target, output) = match self {
            Mode::Cold(arguments) => (&arguments.target, &arguments.output),
            Mode::Warm(arguments) => (&arguments.target, &arguments.output),
            Mode::Step(arguments) => (&arguments.target, &arguments.output),
            Mode::Burst(arguments) => (&arguments.target, &arguments.output),
            Mode::Soak(arguments) => (&arguments.target, &arguments.output),
            Mode::Drain(arguments) => (&arguments.target, &arguments.output),
        };
        (target.clone(), output.clone())
    }

    fn measure(&self, bench: &mut Bench) -> Result<(), Failure> {
        match self {
            Mode::Cold(arguments) => modes::cold(arguments, bench),
            Mode::Warm(arguments) => arguments.load.load()?.measure(bench),
            Mode::Step(arguments) => modes::step(arguments, bench),
            Mode::Burst(arguments) => modes::burst(arguments, bench),
            Mode::Soak(arguments) => modes::soak(arguments, bench),
            Mode::Drain(arguments) => modes::drain(arguments, bench),
        }
    }
}

/// Finds the targets and starts the generator; what is called is shown so.
fn prepare(
    target: &TargetArgs,
    output: &OutputArgs,
    stop: &Stop,
) -> Result<(Bench, String), Failure> {
    let admin = admin(target)?;
    let call = call(target)?;
    let targets = Targets::resolve(&target.targets, &call, admin.as_ref())?;
    probe(&targets)?;
    let mut functions = targets.functions;
    functions.extend(target.functions.iter().cloned());
    functions.sort();
    functions.dedup();
    raise_open_files();
    let count = targets.requests.len();
    let work = Work {
        endpoints: targets.endpoints,
        requests: targets.requests,
        cold_header: target.cold_header.clone(),
        keeps_connections: target.connection == arguments::Reuse::Kept,
        timeout: target.timeout,
        spin: target.spin,
    };
    let crew = Crew::start(work, target.threads, stop)?;
    let mut bench = Bench::new(crew, stop.clone(), Progress::new(output.quiet));
    bench.admin = admin;
    bench.functions = functions;
    bench.targets = count;
    Ok((bench, targets.shown))
}

/// The gateway, if something is asked of one: a local one has nothing to do with a URL that nobody
/// said is its.
fn admin(target: &TargetArgs) -> Result<Option<Admin>, Failure> {
    let by_name = target.targets.iter().any(|word| !word.contains("://"));
    if !by_name && target.functions.is_empty() && target.admin.is_none() {
        return Ok(None);
    }
    let connection = Connection {
        admin: target.admin.clone(),
        token_file: target.token_file.clone(),
        json: false,
    };
    Ok(Some(Admin::connect(&connection)?))
}

fn call(target: &TargetArgs) -> Result<Call, Failure> {
    let body = match &target.data {
        None => None,
        Some(text) => Some(match text.strip_prefix('@') {
            Some(path) => std::fs::read(path)
                .map_err(|error| Failure(format!("{path} cannot be read: {error}")))?,
            None => text.clone().into_bytes(),
        }),
    };
    Ok(Call {
        method: target.method.clone(),
        headers: target.headers.clone(),
        body,
        path: target.path.clone(),
        unix_socket: target.unix_socket.clone(),
        trust: match (&target.ca, target.insecure) {
            (_, true) => Trust::Anybody,
            (Some(path), false) => Trust::File(path.clone()),
            (None, false) => Trust::System,
        },
    })
}

/// Connects to each endpoint once.
fn probe(targets: &Targets) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for endpoint in &targets.endpoints {
        let probed = runtime.block_on(endpoint.probe());
        probed.map_err(|error| Failure(format!("nobody accepts at {endpoint}: {error}")))?;
    }
    Ok(())
}

fn timeline(
    bench: &Bench,
    target: &TargetArgs,
    begun: Instant,
) -> Result<Option<Timeline>, Failure> {
    let Some(admin) = bench.admin.as_ref().filter(|_| !bench.functions.is_empty()) else {
        return Ok(None);
    };
    if target.timeline.is_zero() {
        return Ok(None);
    }
    let functions = bench.functions.clone();
    let timeline = Timeline::start(admin.client(), functions, target.timeline, begun)?;
    Ok(Some(timeline))
}

/// As many open files as the system allows: a burst needs one per request.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // If it stays, connecting says so.
    setrlimit(Resource::Nofile, raised).ok();
}

fn follow_signals(stop: &Stop) -> io::Result<()> {
    let stop = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let follow = move || runtime.block_on(stop.follow_signals());
    thread::Builder::new()
        .name("bench-signals".into())
        .spawn(follow)?;
    Ok(())
}

/// Writes what is asked for and judges the conditions.
fn publish(report: &Report, output: &OutputArgs) -> Result<ExitCode, Failure> {
    if let Some(path) = &output.json {
        let text = serde_json::to_vec(report).map_err(|error| Failure(error.to_string()))?;
        std::fs::write(path, text)
            .map_err(|error| Failure(format!("{} cannot be written: {error}", path.display())))?;
    }
    let mut code = ExitCode::SUCCESS;
    for condition in &output.fail_if {
        let outcome = condition.check(report);
        let outcome = outcome.map_err(|undecided| Failure(undecided.to_string()))?;
        if outcome.holds {
            eprintln!("stoker: {} holds: {outcome}", condition.text());
            code = ExitCode::from(FAILED);
        }
    }
    Ok(code)
}
