//! What may be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use stoker_config::{Changes, parse_duration, parse_size};
use stoker_traces::WithinMinute;

use crate::Times;
use crate::aim::Aim;
use crate::make::Kind;
use crate::sweep::Sweep;

/// Replay a trace under one or more policies in virtual time.
///
/// The same pools and policies decide as in the gateway. A trace is what `stoker record export`
/// writes (function,arrival,duration,start in seconds), or one of Azure's of 2019, 2021 and 2023.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The trace
    #[arg(required_unless_present = "make", conflicts_with = "make")]
    pub(super) trace: Option<PathBuf>,
    /// Make a trace up
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Calls")]
    pub(super) make: Option<Kind>,
    /// Functions of a trace that is made up
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Calls")]
    pub(super) functions: u32,
    /// Calls per second of a trace that is made up, all functions together
    #[arg(long, value_name = "N", default_value = "5", value_parser = rate, help_heading = "Calls")]
    pub(super) rate: f64,
    /// Leave out what is before
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration, help_heading = "Calls")]
    pub(super) from: Duration,
    /// How much of the trace's time, from there on [default: all, or 24h of one that is made up]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Calls")]
    pub(super) length: Option<Duration>,
    /// How calls are spread over a minute of which only their number is known
    #[arg(long, value_enum, default_value_t = Minute::Poisson, help_heading = "Calls")]
    pub(super) within_minute: Minute,
    /// What a request to a language model takes besides its tokens
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = parse_duration, help_heading = "Calls")]
    pub(super) model_base: Duration,
    /// What a request to a language model takes for each token that it generates
    #[arg(long, value_name = "TIME", default_value = "15ms", value_parser = parse_duration, help_heading = "Calls")]
    pub(super) model_per_token: Duration,
    /// How long calls take whose duration is not known, as in --start-time
    #[arg(
        long,
        value_name = "TIMES",
        default_value = "lognormal(100ms,0.7)",
        help_heading = "Calls"
    )]
    pub(super) service_time: Times,
    /// How long the functions of an Azure trace of 2019 take: its file of percentiles of durations
    #[arg(long, value_name = "FILE", help_heading = "Calls")]
    pub(super) durations: Option<PathBuf>,
    /// Write the calls to this file, as a trace, and replay nothing
    #[arg(long, value_name = "FILE", help_heading = "Calls")]
    pub(super) write: Option<PathBuf>,
    #[command(flatten)]
    pub(super) policies: PolicyArgs,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct PolicyArgs {
    /// Settings to replay under: 'kpa', 'on-arrival,idle-timeout=10s'; may be repeated [default:
    /// those of the manifests]
    #[arg(long, value_name = "SETTINGS", help_heading = "Policies")]
    pub(super) policy: Vec<String>,
    /// What settings are added to: this manifest, for every function of the trace
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "gateway",
        help_heading = "Policies"
    )]
    pub(super) manifest: Option<PathBuf>,
    /// What settings are added to: the manifests of this gateway file, by the functions' names
    #[arg(long, value_name = "FILE", help_heading = "Policies")]
    pub(super) gateway: Option<PathBuf>,
    /// Settings of all policies that do not say otherwise [default: max-scale=1000 without a
    /// manifest]
    #[arg(long, value_name = "SETTINGS", help_heading = "Policies")]
    pub(super) set: Option<Changes>,
    /// Try ranges of settings, with each policy: 'idle=1s..10m, target=0.5..0.9'
    #[arg(long, value_name = "RANGES", help_heading = "Policies")]
    pub(super) sweep: Option<Sweep>,
    /// Find the cheapest of all that were tried that meets this: 'wait.p99<=50ms and refused<=0.1%'
    #[arg(long, value_name = "CONDITIONS", help_heading = "Policies")]
    pub(super) goal: Option<Aim>,
    /// What counts as cost: instance-seconds, gb-seconds or another figure
    #[arg(
        long,
        value_name = "FIGURE",
        default_value = "instance-seconds",
        help_heading = "Policies"
    )]
    pub(super) cost: String,
}

#[derive(Clone, Debug, Args)]
pub(super) struct WorldArgs {
    /// How long an instance takes until it serves, where the trace does not tell: 20ms,
    /// lognormal(20ms,0.5) of median and sigma, exponential(20ms), quantiles(0=5ms,0.5=20ms,1=1s)
    #[arg(
        long,
        value_name = "TIMES",
        default_value = "20ms",
        help_heading = "Machine"
    )]
    pub(super) start_time: Times,
    /// Processor time of a start
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration, help_heading = "Machine")]
    pub(super) start_cpu: Duration,
    /// Processors that calls and the processor time of starts share evenly [default: enough for all]
    #[arg(long, value_name = "N", value_parser = cpus, help_heading = "Machine")]
    pub(super) cpus: Option<f64>,
    /// With --cpus, the share of a call's time that it computes
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = share, help_heading = "Machine")]
    pub(super) service_cpu: f64,
    /// How long a stopped instance takes to end
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = parse_duration, help_heading = "Machine")]
    pub(super) stop_time: Duration,
    /// Memory of an instance; no more than its manifest allows
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_size, help_heading = "Machine")]
    pub(super) memory: u64,
    /// Memory of the functions of an Azure trace of 2019, in place of --memory: its file of averages
    #[arg(long, value_name = "FILE", help_heading = "Machine")]
    pub(super) memory_file: Option<PathBuf>,
    /// Starts under way at the same time, as starts.at-once of the gateway file [default: of --gateway,
    /// else four times the processors, of this machine if --cpus does not tell]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Machine")]
    pub(super) starts_at_once: Option<u32>,
    /// Starts per second, as starts.per-second of the gateway file [default: of --gateway, else 5000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Machine")]
    pub(super) starts_per_second: Option<u32>,
    /// How long the replay goes on after the last call
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_duration, help_heading = "Machine")]
    pub(super) tail: Duration,
    /// Of all chances
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Machine")]
    pub(super) seed: u64,
}

#[derive(Clone, Debug, Args)]
pub(super) struct OutputArgs {
    /// Write everything as JSON to this file, - for standard output in place of the table
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) json: Option<PathBuf>,
    /// Write a page to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) html: Option<PathBuf>,
    /// Threads; the result does not depend on it [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Output")]
    pub(super) jobs: Option<u16>,
    /// No progress
    #[arg(long, short, help_heading = "Output")]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Minute {
    /// At equal distances
    Uniform,
    /// At random times
    Poisson,
    /// All at its beginning
    Start,
}

impl Minute {
    pub(super) fn rule(self) -> WithinMinute {
        match self {
            Minute::Uniform => WithinMinute::Uniform,
            Minute::Poisson => WithinMinute::Poisson,
            Minute::Start => WithinMinute::Start,
        }
    }
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
