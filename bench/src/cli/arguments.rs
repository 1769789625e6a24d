//! The arguments of each command.

mod parse;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{HeaderName, HeaderValue, Method};
use stoker_config::parse_duration;

use crate::conditions::Condition;
use crate::mode::warm::Load;
use crate::run::Failure;
use crate::schedule;
use parse::{Rate, header, named_header, rate};

/// What is called, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct TargetArgs {
    /// URLs, or functions of a gateway; called in turn. A range stands for several: f{00..19}
    #[arg(required = true, value_name = "URL|FUNCTION")]
    pub(crate) targets: Vec<String>,
    /// Path below each function's, and query
    #[arg(
        long,
        default_value = "",
        value_name = "PATH",
        help_heading = "Request"
    )]
    pub(crate) path: String,
    /// Method [default: GET, or POST with data]
    #[arg(
        short = 'X',
        long = "request",
        value_name = "METHOD",
        help_heading = "Request"
    )]
    pub(crate) method: Option<Method>,
    /// Header, as "NAME: VALUE"; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header, help_heading = "Request")]
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Body: the text itself, or @FILE
    #[arg(
        short,
        long,
        value_name = "DATA",
        allow_hyphen_values = true,
        help_heading = "Request"
    )]
    pub(crate) data: Option<String>,
    /// A request fails that takes longer, from its sending to the end of the answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, help_heading = "Request")]
    pub(crate) timeout: Duration,
    /// Whether requests follow each other on a connection, or each has a new one, whose making is
    /// within its time
    #[arg(long, value_enum, default_value_t = Reuse::Kept, help_heading = "Request")]
    pub(crate) connection: Reuse,
    /// Connect to this Unix socket instead of the URL's host
    #[arg(long, value_name = "PATH", help_heading = "Request")]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Believe the authorities in this PEM file [default: the system's]
    #[arg(long, value_name = "FILE", help_heading = "Request")]
    pub(crate) ca: Option<PathBuf>,
    /// Believe every certificate
    #[arg(long, help_heading = "Request")]
    pub(crate) insecure: bool,
    /// The gateway's admin socket or URL [default: as of the other commands, if a function is named]
    #[arg(long, value_name = "ADDRESS", help_heading = "Gateway")]
    pub(crate) admin: Option<String>,
    /// File with the token for an admin URL [default: the token in $STOKER_ADMIN_TOKEN]
    #[arg(long, value_name = "FILE", help_heading = "Gateway")]
    pub(crate) token_file: Option<PathBuf>,
    /// A function of the gateway that is behind the URLs; may be repeated
    #[arg(long = "function", value_name = "NAME", help_heading = "Gateway")]
    pub(crate) functions: Vec<String>,
    /// How often to look at instances and queue; 0s for never
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_duration, help_heading = "Gateway")]
    pub(crate) timeline: Duration,
    /// The header that tells cold answers from warm ones, and its value in cold ones. Those without
    /// it are believed to be cold if the target is no function
    #[arg(long, value_name = "NAME=VALUE", default_value = "stoker-start=cold", value_parser = named_header, help_heading = "Gateway")]
    pub(crate) cold_header: (String, String),
    /// Threads that send
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = threads, help_heading = "Generator")]
    pub(crate) threads: usize,
    /// Look at the clock instead of sleeping for the last bit before each request: more precise, and
    /// costs a CPU
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration, help_heading = "Generator")]
    pub(crate) spin: Duration,
}

/// How connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reuse {
    /// By one request after the other.
    Kept,
    /// By one request.
    New,
}

/// Where the results go.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) json: Option<PathBuf>,
    /// Write the figures as CSV, and the distributions beside it in NAME.cdf.csv
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) csv: Option<PathBuf>,
    /// Write one self-contained page
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) html: Option<PathBuf>,
    /// Exit with 1 if this holds, as in "cold.p99 > 20ms or warm.failed > 0"; may be repeated
    #[arg(long, value_name = "EXPR", help_heading = "Results")]
    pub(crate) fail_if: Vec<Condition>,
    /// Neither table nor progress
    #[arg(short, long, help_heading = "Results")]
    pub(crate) quiet: bool,
}

/// A load.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Requests per second, sent when they are due whatever becomes of earlier ones; or "max": as many
    /// as the connections carry
    #[arg(long, default_value = "100", value_name = "N|max", value_parser = rate, help_heading = "Load")]
    pub(crate) rate: Rate,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// How long each repetition is
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time, help_heading = "Load")]
    pub(crate) duration: Duration,
    /// Independent repetitions, whose spread says how sure the figures are
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Load")]
    pub(crate) repetitions: u32,
}

/// The shape of a load.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShapeArgs {
    /// How arrivals are spread: at equal distances, or as of independent callers
    #[arg(long, value_enum, default_value_t = Spread::Constant, help_heading = "Load")]
    pub(crate) arrivals: Spread,
    /// Of poisson arrivals: the same seed is the same arrivals
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub(crate) seed: u64,
    /// Requests in flight at once, at most; one that is due meanwhile waits, and its wait counts
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = connections, help_heading = "Load")]
    pub(crate) connections: usize,
    /// The same load before, which is not measured
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) warm_up: Duration,
}

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// At equal distances.
    Constant,
    /// At exponential distances.
    Poisson,
}

/// How a target is brought to zero.
#[derive(Clone, Debug, Args)]
pub(crate) struct ForceArgs {
    /// Run this by sh: when it has ended well, the target is cold [default: evict the functions]
    #[arg(
        long,
        value_name = "COMMAND",
        conflicts_with = "cold_after",
        help_heading = "Cold"
    )]
    pub(crate) cold_command: Option<String>,
    /// Leave the target alone for so long, until it is cold by itself
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Cold")]
    pub(crate) cold_after: Option<Duration>,
    /// Between that and the first request
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration, help_heading = "Cold")]
    pub(crate) settle: Duration,
}

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
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Cold")]
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
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Burst")]
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

impl LoadArgs {
    /// What is meant.
    pub(crate) fn load(&self) -> Result<Load, Failure> {
        Ok(Load {
            rate: self.rate.per_second(),
            duration: self.duration,
            repetitions: self.repetitions,
            ..self.shape.load()
        })
    }
}

impl ShapeArgs {
    /// A load of this shape, of no rate and no length yet.
    pub(crate) fn load(&self) -> Load {
        Load {
            rate: None,
            arrivals: match self.arrivals {
                Spread::Constant => schedule::Arrivals::Constant,
                Spread::Poisson => schedule::Arrivals::Poisson { seed: self.seed },
            },
            duration: Duration::ZERO,
            repetitions: 1,
            warm_up: self.warm_up,
            connections: self.connections,
        }
    }
}

fn threads(text: &str) -> Result<usize, String> {
    parse::whole(text, 64)
}

fn connections(text: &str) -> Result<usize, String> {
    parse::whole(text, 100_000)
}

fn time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("give more than nothing".to_owned()),
        time => Ok(time),
    }
}
