//! What was asked for, validated: the only form of the configuration that the rest of Stoker sees.

mod access;
mod address;
mod isolation;
mod listener;
mod pattern;
mod record;
mod revision;
mod runtime;
mod schedule;
mod starts;
mod telemetry;
mod tls;

pub use access::{
    AccessLevel, AccessSettings, AccessSpec, CorsSpec, IssuerKeys, IssuerSpec, JwtRuleSpec,
    RateLimitSpec, RateSubject,
};
pub use isolation::{CgroupUse, CgroupsSpec, IsolationSpec, Namespace, ResourcesSpec};
pub use listener::ListenerSpec;
pub(crate) use pattern::is_identifier;
pub use record::RecordSpec;
pub use runtime::{Interface, Language, RuntimeSpec};
pub use schedule::{CronSpec, FloorChange, ScheduleSpec, WindowSpec, ZoneSpec};
pub use starts::StartsSpec;
pub use telemetry::{
    AccessLogFormat, AccessLogSpec, AccessLogTarget, MetricsSpec, OtlpEndpoint, TracesSpec,
};
pub use tls::{CertificateSpec, ClientDemand, ClientRules, HstsSpec, TlsSpec, TlsVersion};

use std::collections::BTreeMap;
use std::fmt;
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

/// Bounds on what a caller may send, and on what the gateway holds.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayLimits {
    /// Connections at once.
    pub connections: u32,
    /// Bytes of a request's line and headers, also of a function's response.
    pub header_bytes: usize,
    /// Number of header lines.
    pub headers: usize,
    /// Bytes of request bodies held for waiting requests, in the whole gateway.
    pub wait_buffer_bytes: usize,
    /// Requests waiting in the whole gateway.
    pub waiters: u32,
    /// Listening sockets that are made ahead for instances that inherit theirs.
    pub spare_sockets: usize,
    /// Connections to instances in the whole gateway.
    pub instance_connections: u32,
    /// Memory of the gateway's process above which it takes nothing new that must wait; `None` for
    /// a share of what the machine or its control group allows.
    pub memory_bytes: Option<u64>,
}

/// How callers may speak HTTP/2.
#[derive(Clone, Debug, PartialEq)]
pub struct Http2Spec {
    /// At all.
    pub enabled: bool,
    /// Requests at once on one connection.
    pub streams: u32,
    /// Bytes of a request's body that may be under way before they are read.
    pub stream_window_bytes: u32,
    /// The same for all of a connection's bodies.
    pub connection_window_bytes: u32,
    /// Bytes of a response held for a caller that does not take them.
    pub send_buffer_bytes: usize,
    /// Requests that a caller may call off in ten seconds before its connection is closed.
    pub resets: u32,
    /// Frames that carry nothing in ten seconds before the connection is closed.
    pub control_frames: u32,
    /// Between two pings on a connection with requests in flight.
    pub ping_interval: Duration,
    /// For the answer to a ping.
    pub ping_timeout: Duration,
}

/// How long the gateway waits for callers.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayTimeouts {
    /// For the whole head of a request, from its first byte or its connection's start.
    pub header: Duration,
    /// For the next request on a connection.
    pub keep_alive: Duration,
    /// For the next piece of a request's body.
    pub body: Duration,
    /// For the caller to take the next piece of a response.
    pub write: Duration,
    /// After SIGTERM, for requests in flight.
    pub shutdown: Duration,
    /// After SIGTERM or when its instance drains, for a stream.
    pub stream_grace: Duration,
}

/// The administrators' listener.
#[derive(Clone, PartialEq)]
pub struct AdminSpec {
    /// The Unix socket; absolute.
    pub socket: PathBuf,
    /// An additional TCP listener.
    pub listen: Option<SocketAddr>,
    /// What callers over TCP must present as a bearer token; set if `listen` is.
    pub token: Option<String>,
}

/// Without the token, so that no log ever shows it.
impl fmt::Debug for AdminSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminSpec")
            .field("socket", &self.socket)
            .field("listen", &self.listen)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .finish()
    }
}

/// What happens to the workers when the gateway dies without stopping them.
#[derive(Clone, Debug, PartialEq)]
pub struct AdoptionSpec {
    /// The next gateway takes them over; otherwise they are stopped at once.
    pub enabled: bool,
    /// How long they wait for the next gateway.
    pub timeout: Duration,
}

/// When another gateway takes over from this one while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct TakeoverSpec {
    /// For the new one, from its execution until it is prepared.
    pub timeout: Duration,
    /// For idle connections, whose next answer is the last one, until they are closed.
    pub idle_grace: Duration,
}

/// What becomes of the memory of frozen instances.
#[derive(Clone, Debug, PartialEq)]
pub struct FreezeSpec {
    /// When they give it back.
    pub reclaim: ReclaimSpec,
    /// Memory is short while less than this part of it is available, in percent, in [0, 100].
    pub available_percentage: f64,
    /// Between two looks at it.
    pub interval: Duration,
}

/// When frozen instances give their memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReclaimSpec {
    /// As soon as they are frozen.
    Always,
    /// While memory is short.
    Pressure,
    /// Never.
    Off,
}

/// The output of the functions.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSpec {
    /// Size at which a function's log is rotated.
    pub file_bytes: u64,
    /// Files kept per function, the current one included; at least 1.
    pub files: u32,
    /// A longer line is split.
    pub line_bytes: usize,
}

/// One function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSpec {
    /// `[a-z][a-z0-9-]{0,62}`.
    pub name: Arc<str>,
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
    /// Exactly what the program sees besides the contract's variables.
    pub environment: BTreeMap<String, String>,
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

/// `/users/{id}/files/{*rest}`: literal segments, parameters, and a rest at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// In order.
    pub segments: Vec<Segment>,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Must be equal, after percent-decoding.
    Literal(String),
    /// Matches one non-empty segment.
    Parameter(String),
    /// Matches all that is left, also nothing; the last one only.
    Rest(String),
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
