//! The arguments of each command.

mod common;
mod parse;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use stoker_config::parse_duration;

use parse::{Rate, connections, rate, time};
use stoker_traces::WithinMinute;

pub(crate) use common::{ForceArgs, LoadArgs, OutputArgs, Reuse, ShapeArgs, TargetArgs};

/// Of `cold`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ColdArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) force: ForceArgs,
    /// Cold samples in each repetition, at least
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000_000), help_heading = "Cold")]
    pub(crate) count: u64,
    /// Independent repetitions, whose spread says how sure the figures are
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Cold")]
    pub(crate) repetitions: u32,
    /// Rounds before, which are not measured
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Cold")]
    pub(crate) warm_up: u32,
    /// Cold starts at once. A round makes all targets cold, calls each, and at least so often
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = connections, help_heading = "Cold")]
    pub(crate) concurrent: usize,
    /// Cold starts per second within a round [default: as many as there are at once]
    #[arg(long, value_name = "N", value_parser = rate, help_heading = "Cold")]
    pub(crate) rate: Option<Rate>,
    /// Leave out the warm request after each cold one
    #[arg(long, help_heading = "Cold")]
    pub(crate) no_warm: bool,
    /// What the series is called, if it is of another kind than cold
    #[arg(long, value_name = "NAME", default_value = "cold", value_parser = parse::name, help_heading = "Cold")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Of `warm`.
#[derive(Clone, Debug, Args)]
pub(crate) struct WarmArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Of `step`.
#[derive(Clone, Debug, Args)]
pub(crate) struct StepArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The first rate, per second
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse::number, help_heading = "Load")]
    pub(crate) from: f64,
    /// The last rate, per second
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse::number, help_heading = "Load")]
    pub(crate) to: f64,
    /// How many rates, at equal distances
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=100), help_heading = "Load")]
    pub(crate) steps: u32,
    /// A step whose p99 to the first byte is longer is not sustained
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) limit: Option<Duration>,
    /// Steps to go on beyond the last one that is sustained
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub(crate) beyond: u32,
    /// How long each repetition of a step is
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time, help_heading = "Load")]
    pub(crate) duration: Duration,
    /// Repetitions of each step
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Load")]
    pub(crate) repetitions: u32,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Of `burst`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BurstArgs {
    /// Requests at once
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) count: u64,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) force: ForceArgs,
    /// Bursts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Burst")]
    pub(crate) repetitions: u32,
    /// Bursts before, which are not measured
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Burst")]
    pub(crate) warm_up: u32,
    /// What a request takes in an instance: gives the ratio to the ideal schedule, with --instances
    #[arg(long, value_name = "TIME", value_parser = time, requires = "instances", help_heading = "Burst")]
    pub(crate) work: Option<Duration>,
    /// Instances at most
    #[arg(long, value_name = "N", requires = "work", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Burst")]
    pub(crate) instances: Option<u64>,
    /// Requests at once in an instance
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Burst")]
    pub(crate) concurrency: u64,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Of `soak`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SoakArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Requests per second, or "max"
    #[arg(long, default_value = "100", value_name = "N|max", value_parser = rate, help_heading = "Load")]
    pub(crate) rate: Rate,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// How long all of it is
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time, help_heading = "Load")]
    pub(crate) duration: Duration,
    /// Equal parts that are compared; each needs some megabytes
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(8..=100), help_heading = "Load")]
    pub(crate) windows: u32,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Of `drain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// What is done under load, in turn: evict, scale (to --most instances, then to one), upgrade
    #[arg(long = "action", value_enum, value_name = "ACTION", default_values_t = [Deed::Evict], value_delimiter = ',', help_heading = "Drain")]
    pub(crate) actions: Vec<Deed>,
    /// Run this by sh as an action too, after the others
    #[arg(long, value_name = "COMMAND", help_heading = "Drain")]
    pub(crate) command: Option<String>,
    /// Between two actions
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time, help_heading = "Drain")]
    pub(crate) every: Duration,
    /// Instances that --action scale holds a function at
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Drain")]
    pub(crate) most: u32,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Of `replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The trace: what `stoker record export` writes; at_s,function,duration_ms; or one of Azure's of 2019, 2021 and 2023
    pub(crate) trace: PathBuf,
    /// Its functions are mapped to the targets in turn. {duration_ms} in a URL or in --path is how long
    /// the call took
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The target of one of the trace's functions; may be repeated
    #[arg(long, value_name = "NAME=URL|FUNCTION", value_parser = parse::pair, help_heading = "Trace")]
    pub(crate) map: Vec<(String, String)>,
    /// How much faster than it was
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = parse::number, help_heading = "Trace")]
    pub(crate) speed: f64,
    /// Leave out what is before
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration, help_heading = "Trace")]
    pub(crate) from: Duration,
    /// How much of the trace's time, from there on [default: all]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Trace")]
    pub(crate) length: Option<Duration>,
    /// How calls are spread over a minute of which only their number is known
    #[arg(long, value_enum, default_value_t = Minute::Poisson, help_heading = "Trace")]
    pub(crate) within_minute: Minute,
    /// Of what is random there
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Trace")]
    pub(crate) seed: u64,
    /// More calls are refused: they are held in memory
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        help_heading = "Trace"
    )]
    pub(crate) max_calls: usize,
    /// Connections, at most, and so requests in flight at once (over HTTP/2, --streams on each); one
    /// that is due meanwhile waits, and its wait counts
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = connections, help_heading = "Trace")]
    pub(crate) connections: usize,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How calls are spread over a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Minute {
    /// At equal distances.
    Uniform,
    /// At random.
    Poisson,
    /// All at its beginning.
    Start,
}

impl From<Minute> for WithinMinute {
    fn from(minute: Minute) -> WithinMinute {
        match minute {
            Minute::Uniform => WithinMinute::Uniform,
            Minute::Poisson => WithinMinute::Poisson,
            Minute::Start => WithinMinute::Start,
        }
    }
}

/// Of `compare`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArgs {
    /// A report that --json wrote
    #[arg(value_name = "A")]
    pub(crate) first: PathBuf,
    /// Another one, which is compared with it
    #[arg(value_name = "B")]
    pub(crate) second: PathBuf,
    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deed {
    /// All instances are told to go.
    Evict,
    /// Functions are held at more instances and at one in turn.
    Scale,
    /// Another process of the gateway takes over.
    Upgrade,
    /// Nothing but --command.
    None,
}
