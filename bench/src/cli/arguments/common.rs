//! Arguments that several commands have.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{HeaderName, HeaderValue, Method};
use stoker_config::parse_duration;
use stoker_control::cli::header;

use super::parse::{Rate, connections, named_header, rate, streams, threads, time};
use crate::conditions::Condition;
use crate::mode::warm::Load;
use crate::run::Failure;
use crate::schedule;

/// Requests in flight at once: each is a task of the generator.
const MOST_IN_FLIGHT: usize = 100_000;

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
    /// Speak HTTP/2: over TLS as agreed (ALPN), else by prior knowledge
    #[arg(long, help_heading = "Request")]
    pub(crate) http2: bool,
    /// Requests at once on each connection of HTTP/2
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = streams, requires = "http2", help_heading = "Request")]
    pub(crate) streams: usize,
    /// Connect to this Unix socket instead of the URL's host
    #[arg(long, value_name = "PATH", help_heading = "Request")]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Believe the authorities in this PEM file [default: the system's]
    #[arg(long, value_name = "FILE", help_heading = "Request")]
    pub(crate) ca: Option<PathBuf>,
    /// Believe every certificate
    #[arg(long, help_heading = "Request")]
    pub(crate) insecure: bool,
    /// The gateway's admin socket or URL [default: as of the other commands, if a function is named or
    /// instances are to go: $STOKER_ADMIN, .stoker/admin.sock, the socket in stoker.toml,
    /// $XDG_RUNTIME_DIR/stoker/admin.sock]
    #[arg(long, value_name = "ADDRESS", help_heading = "Gateway")]
    pub(crate) admin: Option<String>,
    /// File with the token for an admin URL [default: the token in $STOKER_ADMIN_TOKEN]
    #[arg(long, value_name = "FILE", help_heading = "Gateway")]
    pub(crate) token_file: Option<PathBuf>,
    /// A function of the gateway that is behind the URLs; may be repeated [default: those whose default
    /// routes the URLs are, if instances are to go]
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
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Load")]
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
    /// Connections, at most, and so requests in flight at once (over HTTP/2, --streams on each); one
    /// that is due meanwhile waits, and its wait counts
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

impl TargetArgs {
    /// Requests at once on one connection.
    pub(crate) fn streams_at_once(&self) -> usize {
        match self.http2 {
            true => self.streams,
            false => 1,
        }
    }

    /// Requests at once on so many connections.
    pub(crate) fn in_flight(&self, connections: usize) -> Result<usize, Failure> {
        let all = connections.saturating_mul(self.streams_at_once());
        match all {
            0..=MOST_IN_FLIGHT => Ok(all),
            _ => Err(Failure(format!(
                "{connections} connections of {} streams each are more than {MOST_IN_FLIGHT} requests \
                 in flight: give fewer --connections or --streams",
                self.streams
            ))),
        }
    }
}

impl LoadArgs {
    /// What is meant.
    pub(crate) fn load(&self, target: &TargetArgs) -> Result<Load, Failure> {
        Ok(Load {
            rate: self.rate.per_second(),
            duration: self.duration,
            repetitions: self.repetitions,
            ..self.shape.load(target)?
        })
    }
}

impl ShapeArgs {
    /// A load of this shape, of no rate and no length yet.
    pub(crate) fn load(&self, target: &TargetArgs) -> Result<Load, Failure> {
        Ok(Load {
            rate: None,
            arrivals: match self.arrivals {
                Spread::Constant => schedule::Arrivals::Constant,
                Spread::Poisson => schedule::Arrivals::Poisson { seed: self.seed },
            },
            duration: Duration::ZERO,
            repetitions: 1,
            warm_up: self.warm_up,
            in_flight: target.in_flight(self.connections)?,
        })
    }
}
