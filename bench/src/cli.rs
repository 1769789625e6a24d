//! `stoker bench`.
//!
//! Exit codes: 0 is success, 1 a condition of `--fail-if` that holds, 2 a wrong command line or a
//! target that cannot be measured.

mod arguments;
mod behind;
mod modes;
mod prepare;
mod settings;

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use clap::{Args, Subcommand};

use crate::Report;
use crate::compare::{self, CompareOptions};
use crate::machine;
use crate::mode::replay::Replay;
use crate::output::{self, OutputOptions};
use crate::report::FORMAT;
use crate::run::{Bench, Failure};
use crate::stop::Stop;
use crate::timeline::Timeline;
use arguments::{
    BurstArgs, ColdArgs, CompareArgs, DrainArgs, OutputArgs, ReplayArgs, SoakArgs, StepArgs,
    TargetArgs, WarmArgs,
};
use prepare::Prepared;

const FAILED: u8 = 1;
const UNABLE: u8 = 2;

/// What is said if Ctrl-C comes before the first sample.
const NOTHING: &str = "nothing was measured before it was stopped";

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
    /// The arrivals of a trace
    #[command(after_help = AFTER)]
    Replay(ReplayArgs),
    /// What differs between two reports, and whether it is more than noise
    Compare(CompareArgs),
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
    fn run(&self) -> Result<ExitCode, Failure> {
        match (self, self.common()) {
            (Mode::Compare(arguments), _) => compare(arguments),
            (_, Some((target, output))) => self.report(target, output),
            (_, None) => Ok(ExitCode::SUCCESS),
        }
    }

    fn report(&self, target: &TargetArgs, output: &OutputArgs) -> Result<ExitCode, Failure> {
        let stop = Stop::new();
        let prepared = follow_signals(&stop)?;
        let begun = (SystemTime::now(), Instant::now());
        // Before there is any load of ours.
        let machine = machine::fingerprint();
        let Prepared {
            mut bench,
            shown,
            replay,
        } = prepare::prepare(self, (target, output), &stop)?;
        let timeline = prepare::timeline(&bench, target, begun.1)?;
        prepared.store(true, Ordering::SeqCst);
        let result = self.measure(&mut bench, replay.as_ref());
        bench.progress.clear();
        let timeline = timeline.map(Timeline::finish).unwrap_or_default();
        if stop.is_set() {
            bench.note("the run was stopped before its time".to_owned());
        }
        // What was measured before it failed is worth a report.
        if let Err(Failure(text)) = &result {
            bench.note(format!("the run ended before its time: {text}"));
        }
        if bench.series.is_empty() {
            result?;
            return Err(Failure(NOTHING.into()));
        }
        bench.note_quality();
        let (command, settings) = settings::read();
        let report = Report {
            format: FORMAT,
            stoker: env!("CARGO_PKG_VERSION").to_owned(),
            mode: self.name().to_owned(),
            command,
            url: settings::without_keys(&shown),
            begun: settings::rfc3339(begun.0),
            machine,
            settings,
            series: bench.series,
            timeline,
            notes: bench.notes,
        };
        let code = publish(&report, output)?;
        result?;
        any_answer(&report).map(|()| code)
    }

    fn name(&self) -> &'static str {
        match self {
            Mode::Cold(_) => "cold",
            Mode::Warm(_) => "warm",
            Mode::Step(_) => "step",
            Mode::Burst(_) => "burst",
            Mode::Soak(_) => "soak",
            Mode::Drain(_) => "drain",
            Mode::Replay(_) => "replay",
            Mode::Compare(_) => "compare",
        }
    }

    /// What is called and where the results go; none if nothing is measured.
    fn common(&self) -> Option<(&TargetArgs, &OutputArgs)> {
        match self {
            Mode::Cold(arguments) => Some((&arguments.target, &arguments.output)),
            Mode::Warm(arguments) => Some((&arguments.target, &arguments.output)),
            Mode::Step(arguments) => Some((&arguments.target, &arguments.output)),
            Mode::Burst(arguments) => Some((&arguments.target, &arguments.output)),
            Mode::Soak(arguments) => Some((&arguments.target, &arguments.output)),
            Mode::Drain(arguments) => Some((&arguments.target, &arguments.output)),
            Mode::Replay(arguments) => Some((&arguments.target, &arguments.output)),
            Mode::Compare(_) => None,
        }
    }

    fn measure(&self, bench: &mut Bench, replay: Option<&Replay>) -> Result<(), Failure> {
        match self {
            Mode::Cold(arguments) => modes::cold(arguments, bench),
            Mode::Warm(arguments) => arguments.load.load(&arguments.target)?.measure(bench),
            Mode::Step(arguments) => modes::step(arguments, bench),
            Mode::Burst(arguments) => modes::burst(arguments, bench),
            Mode::Soak(arguments) => modes::soak(arguments, bench),
            Mode::Drain(arguments) => modes::drain(arguments, bench),
            Mode::Replay(_) => replay.map_or(Ok(()), |replay| replay.run(bench)),
            Mode::Compare(_) => Ok(()),
        }
    }
}

/// A signal stops the run once it is prepared, which is to be said in the answer. Before that it
/// ends the process, whatever that waits for: there is nothing to report.
fn follow_signals(stop: &Stop) -> io::Result<Arc<AtomicBool>> {
    let prepared = Arc::new(AtomicBool::new(false));
    let measures = Arc::clone(&prepared);
    stop.follow_signals(move || {
        if !measures.load(Ordering::SeqCst) {
            eprintln!("stoker: {NOTHING}");
            process::exit(UNABLE.into());
        }
    })?;
    Ok(prepared)
}

/// Writes what is asked for and judges the conditions.
fn publish(report: &Report, output: &OutputArgs) -> Result<ExitCode, Failure> {
    let options = OutputOptions {
        table: !output.quiet,
        json: output.json.clone(),
        csv: output.csv.clone(),
        html: output.html.clone(),
    };
    match output::write(report, &options) {
        // `stoker bench ... | head -1`: whoever read has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
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

/// Requests that all failed are no measurement.
fn any_answer(report: &Report) -> Result<(), Failure> {
    let repetitions = report.series.iter().flat_map(|series| &series.repetitions);
    if repetitions.clone().any(|one| one.answered > 0) {
        return Ok(());
    }
    let causes: BTreeSet<&str> = repetitions
        .flat_map(|one| one.failed.keys().chain(one.discarded.keys()))
        .map(String::as_str)
        .collect();
    if causes.is_empty() {
        return Err(Failure(NOTHING.into()));
    }
    let causes: Vec<&str> = causes.into_iter().collect();
    Err(Failure(format!(
        "no request to {} was answered as it should be: {}",
        report.url,
        causes.join(", ")
    )))
}

fn compare(arguments: &CompareArgs) -> Result<ExitCode, Failure> {
    let first = compare::read(&arguments.first)?;
    let second = compare::read(&arguments.second)?;
    let comparison = compare::compare(&first, &second, CompareOptions::default());
    let text = match arguments.json {
        true => {
            let json = serde_json::to_string(&comparison);
            json.map_err(|error| Failure(error.to_string()))? + "\n"
        }
        false => {
            let name = |path: &Path| path.display().to_string();
            comparison.text(&name(&arguments.first), &name(&arguments.second))
        }
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
