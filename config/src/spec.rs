//! What was asked for, validated: the only form of the configuration that the rest of Stoker sees.

mod access;
mod address;
mod admin;
mod callers;
mod history;
mod isolation;
mod listener;
mod metering;
mod mirror;
mod operation;
mod packages;
mod pattern;
mod record;
mod registry;
mod revision;
mod runtime;
mod schedule;
mod secret;
mod starts;
mod telemetry;
mod tls;
mod traffic;

pub use access::{
    AccessLevel, AccessSettings, AccessSpec, CorsSpec, IssuerKeys, IssuerSpec, JwtRuleSpec,
    RateLimitSpec, RateSubject,
};
pub use admin::{AdminRole, AdminSpec, AdminTokenSpec};
pub use callers::{GatewayLimits, GatewayTimeouts, Http2Spec};
pub use history::HistorySpec;
pub use isolation::{CgroupUse, CgroupsSpec, IsolationSpec, Namespace, ResourcesSpec};
pub use listener::ListenerSpec;
pub use metering::{BudgetPeriod, BudgetSpec, MeteringSpec, PricesSpec};
pub use mirror::MirrorSpec;
pub use operation::{AdoptionSpec, FreezeSpec, LogSpec, ReclaimSpec, TakeoverSpec};
pub use packages::{BUILD_USER, BuildSpec, BuildsSpec, PackagesSpec};
pub(crate) use pattern::is_identifier;
pub use pattern::{PathPattern, Segment};
pub use record::RecordSpec;
pub use registry::RegistrySpec;
pub use runtime::{Interface, Language, RuntimeSpec};
pub use schedule::{CronSpec, FloorChange, ScheduleSpec, WindowSpec, ZoneSpec};
pub use secret::SecretSpec;
pub use starts::StartsSpec;
pub use telemetry::{
    AccessLogFormat, AccessLogSpec, AccessLogTarget, MetricsSpec, OtlpEndpoint, TracesSpec,
};
pub use tls::{CertificateSpec, ClientDemand, ClientRules, HstsSpec, TlsSpec, TlsVersion};
pub use traffic::{DeployedRevision, Deployment, Sticky, TrafficSpec};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stoker_core::ScaleSpec;

/// One gateway file and the manifests of all its functions.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway's own settings.
    pub gateway: GatewaySpec,
    /// By name, in order.
    pub functions: Vec<Arc<FunctionSpec>>,
    /// What else is live of functions that the registry has; empty for files.
    pub deployments: Vec<Deployment>,
    /// Every file that was read and every directory that was searched: what to watch for changes.
    pub watched: Vec<PathBuf>,
    /// What is no error and should be known: certificates that have expired.
    pub warnings: Vec<String>,
    /// When reading began: what changed later may not be in it.
    pub read_at: SystemTime,
}

/// The gateway's own settings.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewaySpec {
    /// Where callers connect; at least one, those of `listen` first.
    pub listeners: Vec<ListenerSpec>,
    /// TLS on the listeners that ask for it.
    pub tls: TlsSpec,
    /// Threads of the data plane, at least 1.
    pub threads: usize,
    /// Prefix of every function's default route, without a slash at the end: `/function`.
    pub function_prefix: String,
    /// Sockets, logs and the spawner's state; absolute, made if missing.
    pub state_dir: PathBuf,
    /// Bounds on what a caller may send.
    pub limits: GatewayLimits,
    /// How callers may speak HTTP/2.
    pub http2: Http2Spec,
    /// How long the gateway waits for callers.
    pub timeouts: GatewayTimeouts,
    /// Whose `X-Forwarded-*` and `Forwarded` headers are kept; others' are replaced.
    pub trusted_proxies: Vec<Network>,
    /// The administrators' listener.
    pub admin: AdminSpec,
    /// What happens to the workers when the gateway dies.
    pub adoption: AdoptionSpec,
    /// When another gateway takes over from this one while it runs.
    pub takeover: TakeoverSpec,
    /// Control groups for instances.
    pub cgroups: CgroupsSpec,
    /// The memory of frozen instances.
    pub freeze: FreezeSpec,
    /// How much is started at the same time.
    pub starts: StartsSpec,
    /// Programs for which a process waits to become the next instance.
    pub stubs: usize,
    /// Networks that are kept ready for instances with one of their own.
    pub spare_networks: usize,
    /// The output of the functions.
    pub logs: LogSpec,
    /// Ports given to programs that bind `$PORT`: first and last.
    pub ports: (u16, u16),
    /// What is held and taken for keys, tokens and rate limits.
    pub access: AccessSettings,
    /// Who makes tokens; no two have the same name.
    pub jwt: Vec<IssuerSpec>,
    /// One line per request.
    pub access_log: AccessLogSpec,
    /// Traces over OTLP.
    pub traces: TracesSpec,
    /// What Prometheus sees.
    pub metrics: MetricsSpec,
    /// The record of what happens.
    pub record: RecordSpec,
    /// What functions did of late.
    pub history: HistorySpec,
    /// What a published package may come to.
    pub packages: PackagesSpec,
    /// How published packages are built.
    pub build: BuildsSpec,
    /// Copies of requests.
    pub mirror: MirrorSpec,
    /// What is published.
    pub registry: RegistrySpec,
    /// How usage is measured and kept.
    pub metering: MeteringSpec,
    /// What it costs.
    pub prices: PricesSpec,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `127.0.0.1:8080`, `[::]:80`.
    Tcp(SocketAddr),
    /// `unix:/path/to/socket`.
    Unix(PathBuf),
}

/// An address with a prefix length: `10.0.0.0/8`, `::1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The network's address.
    pub address: std::net::IpAddr,
    /// Leading bits that must agree.
    pub prefix_len: u8,
}

/// One function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSpec {
    /// `[a-z][a-z0-9-]{0,62}`.
    pub name: Arc<str>,
    /// The revision's number, from 1, if it is one of the registry.
    pub number: Option<u32>,
    /// Where its manifest is.
    pub manifest: PathBuf,
    /// The program and its arguments; at least one. The interpreter alone if there is a `runtime`.
    pub command: Vec<String>,
    /// The handler that a runner of Stoker's runs, if that is what the function is.
    pub runtime: Option<RuntimeSpec>,
    /// How it is spoken to.
    pub contract: Contract,
    /// How it gets its listening socket.
    pub listen: Listen,
    /// Besides the default route.
    pub routes: Vec<RouteSpec>,
    /// What is done when it is published, before it is launched.
    pub build: Option<BuildSpec>,
    /// Exactly what the program sees besides the contract's variables.
    pub environment: BTreeMap<String, String>,
    /// Variables besides these, which nobody may see.
    pub secrets: Vec<SecretSpec>,
    /// Absolute.
    pub working_directory: PathBuf,
    /// Whom the program runs as, if not as the gateway.
    pub user: Option<String>,
    /// Instances, concurrency, queue.
    pub scaling: Arc<ScaleSpec>,
    /// Other settings that are tried beside these.
    pub shadow: Option<Arc<ScaleSpec>>,
    /// Minimum numbers of instances by the time of day.
    pub schedule: ScheduleSpec,
    /// What a request may send and an instance may use.
    pub limits: Arc<FunctionLimits>,
    /// What an instance may use as a whole.
    pub resources: ResourcesSpec,
    /// How an instance is kept apart.
    pub isolation: Arc<IsolationSpec>,
    /// The separate deadlines.
    pub timeouts: Arc<FunctionTimeouts>,
    /// Who may call it.
    pub access: Arc<AccessSpec>,
    /// Answers with status 5xx count as failures of the instance.
    pub server_errors_fail: bool,
    /// Requests that are sent again.
    pub retry: RetrySpec,
    /// How much it may use; none if that is not limited.
    pub budget: Option<BudgetSpec>,
}

/// Requests that are sent again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySpec {
    /// Also those of which something was sent, if their method is idempotent.
    pub idempotent: bool,
    /// Times that one request is sent at most, at least 1.
    pub attempts: u32,
    /// Retries as a share of requests, in percent, in [0, 100].
    pub budget_percentage: f64,
    /// Retries per second that are always allowed.
    pub budget_minimum: u32,
}

/// How a function is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// An HTTP/1.1 server.
    Http,
    /// An HTTP/2 server by prior knowledge (RFC 9113 section 3.3).
    H2c,
}

/// How a function gets its listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// It binds the TCP port in `$PORT`, as on Cloud Run and Knative.
    Port,
    /// It binds the Unix socket whose path is in `$STOKER_SOCKET`.
    Unix,
    /// It inherits a listening Unix socket as descriptor 3 (`LISTEN_FDS=1`, `LISTEN_PID`).
    Inherit,
}

/// One route to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// Lower case, without port; `*.example.org` for all below; `None` for any.
    pub host: Option<String>,
    /// The path's pattern.
    pub path: PathPattern,
    /// Upper case; empty for all.
    pub methods: Vec<String>,
    /// Take the literal prefix of the pattern off the path before the function sees it.
    pub strip_prefix: bool,
}

/// What a request may send and an instance may use.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionLimits {
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// RLIMIT_NOFILE.
    pub open_files: Option<u64>,
    /// RLIMIT_AS, bytes.
    pub address_space_bytes: Option<u64>,
    /// RLIMIT_CPU, whole seconds.
    pub cpu_time: Option<Duration>,
    /// RLIMIT_NPROC, of the whole user.
    pub processes: Option<u64>,
    /// RLIMIT_FSIZE, bytes.
    pub file_bytes: Option<u64>,
    /// RLIMIT_CORE, bytes; 0 by default.
    pub core_bytes: u64,
}

/// The separate deadlines of a request, and that of a start.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionTimeouts {
    /// For a slot.
    pub queue: Duration,
    /// For a connection to the instance.
    pub connect: Duration,
    /// From the request sent to the head of the response.
    pub first_byte: Duration,
    /// Without a byte of the body in either direction.
    pub idle: Duration,
    /// For all of it, the wait included.
    pub total: Duration,
    /// Without a byte in either direction of a stream.
    pub stream_idle: Duration,
    /// For all of a stream.
    pub stream_total: Duration,
    /// From the start of the program until it takes requests.
    pub start: Duration,
}
