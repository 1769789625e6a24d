//! `stoker simulate`.

mod calls;
mod search;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use stoker_config::{Changes, format_duration, parse_duration, parse_size};
use stoker_show::progress::Progress;
use stoker_show::text;
use stoker_traces::{TraceOptions, WithinMinute};

use crate::aim::Aim;
use crate::calls::{Input, Origin};
use crate::candidate::{Base, Candidate, Common};
use crate::make::{Kind, MakeOptions};
use crate::metric::Metric;
use crate::output::{Outcome, page, table};
use crate::run::Runner;
use crate::sweep::Sweep;
use crate::{Times, World};

/// Of the JSON document.
const FORMAT: u32 = 1;

/// Without a manifest no policy should be held back by its default, which suits 2 cores.
const MAX_SCALE: &str = "1000";

/// Replay a trace under one or more policies in virtual time.
///
/// The same pools and policies decide as in the gateway. A trace is what `stoker record export`
/// writes (function,arrival,duration,start in seconds), or one of Azure's of 2019, 2021 and 2023.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The trace
    #[arg(required_unless_present = "make", conflicts_with = "make")]
    trace: Option<PathBuf>,
    /// Make a trace up
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Calls")]
    make: Option<Kind>,
    /// Functions of a trace that is made up
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Calls")]
    functions: u32,
    /// Calls per second of a trace that is made up, all functions together
    #[arg(long, value_name = "N", default_value = "5", value_parser = rate, help_heading = "Calls")]
    rate: f64,
    /// Leave out what is before
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration, help_heading = "Calls")]
    from: Duration,
    /// How much of the trace's time, from there on [default: all, or 24h of one that is made up]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Calls")]
    length: Option<Duration>,
    /// How calls are spread over a minute of which only their number is known
    #[arg(long, value_enum, default_value_t = Minute::Poisson, help_heading = "Calls")]
    within_minute: Minute,
    /// What a request to a language model takes besides its tokens
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = parse_duration, help_heading = "Calls")]
    model_base: Duration,
    /// What a request to a language model takes for each token that it generates
    #[arg(long, value_name = "TIME", default_value = "15ms", value_parser = parse_duration, help_heading = "Calls")]
    model_per_token: Duration,
    /// How long calls take whose duration is not known, as in --start-time
    #[arg(
        long,
        value_name = "TIMES",
        default_value = "lognormal(100ms,0.7)",
        help_heading = "Calls"
    )]
    service_time: Times,
    /// Write the calls to this file, as a trace, and replay nothing
    #[arg(long, value_name = "FILE", help_heading = "Calls")]
    write: Option<PathBuf>,
    #[command(flatten)]
    policies: PolicyArgs,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
struct PolicyArgs {
    /// Settings to replay under: 'kpa', 'on-arrival,idle-timeout=10s'; may be repeated [default:
    /// those of the manifests]
    #[arg(long, value_name = "SETTINGS", help_heading = "Policies")]
    policy: Vec<String>,
    /// What settings are added to: this manifest, for every function of the trace
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "gateway",
        help_heading = "Policies"
    )]
    manifest: Option<PathBuf>,
    /// What settings are added to: the manifests of this gateway file, by the functions' names
    #[arg(long, value_name = "FILE", help_heading = "Policies")]
    gateway: Option<PathBuf>,
    /// Settings of all policies that do not say otherwise [default: max-scale=1000 without a
    /// manifest]
    #[arg(long, value_name = "SETTINGS", help_heading = "Policies")]
    set: Option<Changes>,
    /// Try ranges of settings, with each policy: 'idle=1s..10m, target=0.5..0.9'
    #[arg(long, value_name = "RANGES", help_heading = "Policies")]
    sweep: Option<Sweep>,
    /// Find the cheapest of all that were tried that meets this: 'wait.p99<=50ms and refused<=0.1%'
    #[arg(long, value_name = "CONDITIONS", help_heading = "Policies")]
    goal: Option<Aim>,
    /// What counts as cost: instance-seconds, gb-seconds or another figure
    #[arg(
        long,
        value_name = "FIGURE",
        default_value = "instance-seconds",
        help_heading = "Policies"
    )]
    cost: String,
}

#[derive(Clone, Debug, Args)]
struct WorldArgs {
    /// How long an instance takes until it serves, where the trace does not tell: 20ms,
    /// lognormal(20ms,0.5) of median and sigma, exponential(20ms), quantiles(0=5ms,0.5=20ms,1=1s)
    #[arg(
        long,
        value_name = "TIMES",
        default_value = "20ms",
        help_heading = "Machine"
    )]
    start_time: Times,
    /// Processor time of a start
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration, help_heading = "Machine")]
    start_cpu: Duration,
    /// Processors that calls and the processor time of starts share evenly [default: enough for all]
    #[arg(long, value_name = "N", value_parser = cpus, help_heading = "Machine")]
    cpus: Option<f64>,
    /// With --cpus, the share of a call's time that it computes
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = share, help_heading = "Machine")]
    service_cpu: f64,
    /// How long a stopped instance takes to end
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = parse_duration, help_heading = "Machine")]
    stop_time: Duration,
    /// Memory of an instance; no more than its manifest allows
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_size, help_heading = "Machine")]
    memory: u64,
    /// How long the replay goes on after the last call
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_duration, help_heading = "Machine")]
    tail: Duration,
    /// Of all chances
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Machine")]
    seed: u64,
}

#[derive(Clone, Debug, Args)]
struct OutputArgs {
    /// Write everything as JSON to this file, - for standard output in place of the table
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    json: Option<PathBuf>,
    /// Write a page to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    html: Option<PathBuf>,
    /// Threads; the result does not depend on it [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Output")]
    jobs: Option<u16>,
    /// No progress
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Minute {
    /// At equal distances
    Uniform,
    /// At random times
    Poisson,
    /// All at its beginning
    Start,
}

/// Does what the command line says. Exit codes: 0, 1 if a goal is met by nothing, 2 if nothing could
/// be replayed.
pub fn run(arguments: Arguments) -> ExitCode {
    match simulate(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// False if a goal is met by nothing.
fn simulate(arguments: &Arguments) -> Result<bool, String> {
    let input = arguments.input();
    if let Some(path) = &arguments.write {
        return calls::write(&input, path).map(|()| true);
    }
    let cost = Metric::find(&arguments.policies.cost)?;
    let common = arguments.common()?;
    let runner = Runner {
        input,
        world: World {
            seed: arguments.world.seed,
            stop_time: arguments.world.stop_time,
            tail: arguments.world.tail,
            millicpus: arguments.world.cpus.map(|cpus| (cpus * 1e3).round() as u32),
            service_cpu: arguments.world.service_cpu,
            ..World::default()
        },
        jobs: arguments.output.jobs(),
    };
    let mut progress = Progress::new(arguments.output.quiet);
    let plan = search::Plan {
        common: &common,
        policies: arguments.policies.candidates(&common)?,
        sweep: arguments.policies.sweep.as_ref(),
        goal: arguments.policies.goal.as_ref(),
        cost,
    };
    let found = search::run(&plan, &runner, &mut progress)?;
    let mut conditions = found.notes;
    conditions.extend(arguments.conditions(&plan.policies, &common));
    let outcome = Outcome {
        format: FORMAT,
        conditions,
        cost: cost.name,
        named: plan.policies.len(),
        policies: found.entries,
        goal: found.answer,
    };
    arguments.output.write(&outcome)?;
    Ok(outcome
        .goal
        .as_ref()
        .is_none_or(|answer| answer.policy.is_some()))
}

impl Arguments {
    fn input(&self) -> Input {
        let origin = match (&self.trace, self.make) {
            (Some(path), _) => Origin::Trace(
                path.clone(),
                TraceOptions {
                    from: self.from,
                    length: self.length,
                    within_minute: self.within_minute.rule(),
                    seed: self.world.seed,
                    model_base: self.model_base,
                    model_per_token: self.model_per_token,
                    ..TraceOptions::default()
                },
            ),
            (None, kind) => Origin::Made(MakeOptions {
                kind: kind.unwrap_or(Kind::Steady),
                length: self.length.unwrap_or(Duration::from_secs(86_400)),
                functions: self.functions,
                rate: self.rate,
            }),
        };
        Input {
            origin,
            service: self.service_time.clone(),
            seed: self.world.seed,
        }
    }

    fn common(&self) -> Result<Common, String> {
        let base = self.policies.base()?;
        let mut settings = Changes::default();
        if matches!(base, Base::Blank) {
            settings.set("scaling.max-scale", MAX_SCALE)?;
        }
        if let Some(set) = &self.policies.set {
            settings = settings.and(set);
        }
        Ok(Common {
            base,
            settings,
            start: Arc::new(self.world.start_time.clone()),
            start_cpu: self.world.start_cpu,
            memory_bytes: self.world.memory,
        })
    }

    /// What was settled, in words.
    fn conditions(&self, policies: &[Candidate], common: &Common) -> Vec<String> {
        let world = &self.world;
        let mut conditions = vec![format!(
            "starts take {} where the trace does not tell, and {} of processor time; stops {}; seed {}; the \
             replay goes on for {} after the last call",
            world.start_time,
            format_duration(world.start_cpu),
            format_duration(world.stop_time),
            world.seed,
            format_duration(world.tail)
        )];
        conditions.push(match world.cpus {
            None => "there are processors for all that computes".to_owned(),
            Some(cpus) => format!(
                "{cpus} processors are shared evenly by starts and by calls, which compute for {} of \
                 their time",
                text::percent(world.service_cpu)
            ),
        });
        if let Some(first) = policies.first() {
            let spec = &first.default_setup().spec;
            let scope = match common.base {
                Base::Gateway(_) => "functions that the gateway does not have: ",
                Base::Blank | Base::Manifest(_) => "",
            };
            conditions.push(format!(
                "{scope}concurrency {} (Knative's container-concurrency), max-scale {}, unless a policy \
                 says otherwise; calls wait for {} at most",
                spec.concurrency,
                spec.max_scale,
                format_duration(first.default_setup().patience)
            ));
        }
        conditions.push("not simulated: freezing, spares, failures, callers that leave".to_owned());
        conditions
    }
}

impl PolicyArgs {
    fn base(&self) -> Result<Base, String> {
        if let Some(path) = &self.manifest {
            return Ok(Base::Manifest(path.clone()));
        }
        let Some(path) = &self.gateway else {
            return Ok(Base::Blank);
        };
        let config = stoker_config::load(path).map_err(|errors| errors.to_string())?;
        let functions = config.functions.iter();
        let functions =
            functions.map(|function| (function.name.to_string(), function.manifest.clone()));
        Ok(Base::Gateway(functions.collect()))
    }

    fn candidates(&self, common: &Common) -> Result<Vec<Candidate>, String> {
        if self.policy.is_empty() {
            let label = match common.base {
                Base::Blank => "defaults",
                Base::Manifest(_) => "manifest",
                Base::Gateway(_) => "manifests",
            };
            return Ok(vec![Candidate::new(label, &Changes::default(), common)?]);
        }
        let policies = self.policy.iter();
        policies
            .map(|text| Candidate::new(text.trim(), &text.parse()?, common))
            .collect()
    }
}

impl OutputArgs {
    fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(processors, usize::from)
    }

    fn write(&self, outcome: &Outcome) -> Result<(), String> {
        if let Some(path) = &self.html {
            write(path, &page::render(outcome))?;
        }
        let to_stdout = self.json.as_deref() == Some(Path::new("-"));
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(outcome).map_err(|error| error.to_string())?;
            match to_stdout {
                true => println!("{json}"),
                false => write(path, &format!("{json}\n"))?,
            }
        }
        if !to_stdout {
            print!("{}", table::render(outcome));
        }
        Ok(())
    }
}

impl Minute {
    fn rule(self) -> WithinMinute {
        match self {
            Minute::Uniform => WithinMinute::Uniform,
            Minute::Poisson => WithinMinute::Poisson,
            Minute::Start => WithinMinute::Start,
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (1e-6..=1e6).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is no rate, expected a number from 0.000001 to 1000000"))
}

fn cpus(text: &str) -> Result<f64, String> {
    let cpus = text
        .parse()
        .ok()
        .filter(|cpus| (0.001..=1e6).contains(cpus));
    cpus.ok_or_else(|| format!("{text:?} is no number of processors, expected 0.001 to 1000000"))
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is no share, expected a number from 0 to 1"))
}

#[cfg(test)]
mod tests;
