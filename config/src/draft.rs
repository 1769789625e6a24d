//! What the keys are read into: the specs with everything still open that depends on other keys,
//! on other files or on the place of the file.

pub(crate) mod admin;
mod machine;
pub(crate) mod runtime;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use stoker_core::{Admission, Aggregation, Backoff, Freeze, Health, Policy, ScaleSpec};

use crate::build::BuildDraft;
use crate::spec::{
    AccessLogFormat, AccessLogSpec, AccessSettings, AccessSpec, Address, AdoptionSpec, BudgetSpec,
    BuildsSpec, CgroupsSpec, Contract, CronSpec, FreezeSpec, FunctionLimits, FunctionTimeouts,
    GatewayLimits, GatewayTimeouts, HistorySpec, Http2Spec, IsolationSpec, Listen, LogSpec,
    MeteringSpec, MetricsSpec, MirrorSpec, Network, PackagesSpec, PathPattern, PricesSpec,
    RateSubject, RecordSpec, RegistrySpec, ResourcesSpec, RetrySpec, TracesSpec, ZoneSpec,
};

use admin::AdminDraft;
use runtime::RuntimeDraft;
use tls::{CertificateDraft, ListenerDraft, TlsDraft};

/// A gateway file.
pub(crate) struct GatewayDraft {
    pub(crate) listen: Vec<Address>,
    pub(crate) listeners: Vec<ListenerDraft>,
    pub(crate) tls: TlsDraft,
    pub(crate) certificates: Vec<CertificateDraft>,
    pub(crate) threads: Option<usize>,
    pub(crate) functions: Vec<String>,
    pub(crate) function_prefix: String,
    pub(crate) state_dir: PathBuf,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) ports: (u16, u16),
    pub(crate) limits: GatewayLimits,
    pub(crate) timeouts: GatewayTimeouts,
    pub(crate) http2: Http2Spec,
    pub(crate) admin: AdminDraft,
    pub(crate) adoption: AdoptionSpec,
    pub(crate) takeover: TakeoverDraft,
    pub(crate) cgroups: CgroupsSpec,
    pub(crate) freeze: FreezeSpec,
    pub(crate) starts: StartsDraft,
    pub(crate) stubs: usize,
    pub(crate) spare_networks: usize,
    pub(crate) logs: LogSpec,
    pub(crate) access: AccessSettings,
    /// With their indices in the file.
    pub(crate) jwt: Vec<(IssuerDraft, usize)>,
    pub(crate) access_log: AccessLogSpec,
    pub(crate) traces: TracesSpec,
    pub(crate) metrics: MetricsSpec,
    pub(crate) record: RecordSpec,
    pub(crate) history: HistorySpec,
    pub(crate) packages: PackagesSpec,
    pub(crate) build: BuildsSpec,
    pub(crate) mirror: MirrorSpec,
    pub(crate) registry: RegistrySpec,
    pub(crate) metering: MeteringSpec,
    pub(crate) prices: PricesSpec,
}

/// When another gateway takes over.
#[derive(Default)]
pub(crate) struct TakeoverDraft {
    pub(crate) timeout: Duration,
    pub(crate) idle_grace: Option<Duration>,
}

/// How much is started.
#[derive(Default)]
pub(crate) struct StartsDraft {
    pub(crate) at_once: Option<u32>,
    pub(crate) yield_after: Duration,
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
    pub(crate) memory_reserve_bytes: u64,
    pub(crate) evict_idle: bool,
}

/// Who makes tokens.
#[derive(Default)]
pub(crate) struct IssuerDraft {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Vec<String>,
    pub(crate) keys_file: Option<PathBuf>,
    pub(crate) jwks_url: Option<String>,
    pub(crate) refresh: Duration,
    pub(crate) leeway: Duration,
}

/// A rate limit; `None` as subject was not allowed or is missing.
#[derive(Clone, Default)]
pub(crate) struct RateLimitDraft {
    pub(crate) by: Option<RateSubject>,
    pub(crate) requests: u32,
    pub(crate) per: Duration,
    pub(crate) burst: Option<u32>,
}

/// A manifest.
#[derive(Clone)]
pub(crate) struct FunctionDraft {
    pub(crate) name: Option<String>,
    pub(crate) command: Vec<String>,
    pub(crate) runtime: RuntimeDraft,
    pub(crate) build: BuildDraft,
    pub(crate) contract: Contract,
    pub(crate) listen: Listen,
    pub(crate) routes: Vec<RouteDraft>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) working_directory: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) scaling: ScaleSpec,
    /// `[scaling.shadow]`.
    pub(crate) shadow: Option<Box<FunctionDraft>>,
    pub(crate) schedule: Vec<WindowDraft>,
    pub(crate) target: Option<f64>,
    pub(crate) max_starting: Option<u32>,
    pub(crate) server_errors_fail: bool,
    pub(crate) retry: RetrySpec,
    pub(crate) budget: BudgetSpec,
    pub(crate) limits: FunctionLimits,
    pub(crate) resources: ResourcesSpec,
    pub(crate) isolation: IsolationSpec,
    pub(crate) timeouts: FunctionTimeouts,
    /// Without its rate limits.
    pub(crate) access: AccessSpec,
    pub(crate) rate_limits: Vec<RateLimitDraft>,
}

/// A window of the schedule; `None` was not allowed or is missing.
#[derive(Clone, Default)]
pub(crate) struct WindowDraft {
    pub(crate) from: Option<CronSpec>,
    pub(crate) to: Option<CronSpec>,
    pub(crate) zone: Option<ZoneSpec>,
    pub(crate) min_scale: u32,
}

/// A route; `None` as path was not allowed or is missing.
#[derive(Clone, Default)]
pub(crate) struct RouteDraft {
    pub(crate) host: Option<String>,
    pub(crate) path: Option<PathPattern>,
    pub(crate) methods: Vec<String>,
    pub(crate) strip_prefix: bool,
    /// Where it begins, or its path stands.
    pub(crate) line: usize,
}

impl GatewayDraft {
    /// Before the defaults are put in.
    pub(crate) fn blank() -> Self {
        Self {
            listen: Vec::new(),
            listeners: Vec::new(),
            tls: TlsDraft::blank(),
            certificates: Vec::new(),
            threads: None,
            functions: Vec::new(),
            function_prefix: String::new(),
            state_dir: PathBuf::new(),
            trusted_proxies: Vec::new(),
            ports: (0, 0),
            limits: blank_limits(),
            timeouts: GatewayTimeouts {
                header: Duration::ZERO,
                keep_alive: Duration::ZERO,
                body: Duration::ZERO,
                write: Duration::ZERO,
                shutdown: Duration::ZERO,
                stream_grace: Duration::ZERO,
            },
            http2: blank_http2(),
            admin: AdminDraft::default(),
            adoption: AdoptionSpec {
                enabled: false,
                timeout: Duration::ZERO,
            },
            takeover: TakeoverDraft::default(),
            cgroups: CgroupsSpec::default(),
            freeze: machine::blank_freeze(),
            starts: StartsDraft::default(),
            stubs: 0,
            spare_networks: 0,
            logs: LogSpec {
                file_bytes: 0,
                files: 0,
                line_bytes: 0,
            },
            access: AccessSettings {
                keys: 0,
                rate_entries: 0,
                failures: 0,
                failure_window: Duration::ZERO,
                jwt_bytes: 0,
                jwt_cache: 0,
                jwks_bytes: 0,
                jwks_timeout: Duration::ZERO,
                jwks_interval: Duration::ZERO,
            },
            jwt: Vec::new(),
            access_log: blank_access_log(),
            traces: blank_traces(),
            metrics: MetricsSpec {
                functions: 0,
                starts: 0,
            },
            record: RecordSpec::default(),
            history: HistorySpec::default(),
            packages: PackagesSpec::default(),
            build: BuildsSpec::default(),
            mirror: MirrorSpec::default(),
            registry: RegistrySpec::default(),
            metering: MeteringSpec::default(),
            prices: PricesSpec::default(),
        }
    }
}

fn blank_http2() -> Http2Spec {
    Http2Spec {
        enabled: false,
        streams: 0,
        stream_window_bytes: 0,
        connection_window_bytes: 0,
        send_buffer_bytes: 0,
        resets: 0,
        control_frames: 0,
        ping_interval: Duration::ZERO,
        ping_timeout: Duration::ZERO,
    }
}

fn blank_access_log() -> AccessLogSpec {
    AccessLogSpec {
        target: None,
        format: AccessLogFormat::Json,
        sample: 0.0,
        keep_errors: false,
        slow: Duration::ZERO,
        headers: Vec::new(),
        redact: Vec::new(),
        buffer_bytes: 0,
        file_bytes: 0,
        files: 0,
    }
}

fn blank_traces() -> TracesSpec {
    TracesSpec {
        endpoint: None,
        sample: 0.0,
        service_name: String::new(),
        headers: Vec::new(),
        timeout: Duration::ZERO,
        queue: 0,
        batch: 0,
        interval: Duration::ZERO,
    }
}

impl FunctionDraft {
    /// Before the defaults are put in.
    pub(crate) fn blank() -> Self {
        Self {
            name: None,
            command: Vec::new(),
            runtime: RuntimeDraft::blank(),
            build: BuildDraft::default(),
            contract: Contract::Http,
            listen: Listen::Port,
            routes: Vec::new(),
            environment: BTreeMap::new(),
            working_directory: None,
            user: None,
            scaling: blank_scaling(),
            shadow: None,
            schedule: Vec::new(),
            target: None,
            max_starting: None,
            server_errors_fail: false,
            budget: BudgetSpec::default(),
            retry: RetrySpec {
                idempotent: false,
                attempts: 0,
                budget_percentage: 0.0,
                budget_minimum: 0,
            },
            limits: FunctionLimits {
                body_bytes: 0,
                open_files: None,
                address_space_bytes: None,
                cpu_time: None,
                processes: None,
                file_bytes: None,
                core_bytes: 0,
            },
            resources: ResourcesSpec::default(),
            isolation: IsolationSpec::default(),
            timeouts: FunctionTimeouts {
                queue: Duration::ZERO,
                connect: Duration::ZERO,
                first_byte: Duration::ZERO,
                idle: Duration::ZERO,
                total: Duration::ZERO,
                stream_idle: Duration::ZERO,
                stream_total: Duration::ZERO,
                start: Duration::ZERO,
            },
            access: AccessSpec::default(),
            rate_limits: Vec::new(),
        }
    }
}

fn blank_scaling() -> ScaleSpec {
    ScaleSpec {
        policy: Policy::OnArrival,
        concurrency: 0,
        target: 0.0,
        target_utilization_percentage: 0.0,
        min_scale: 0,
        max_scale: 0,
        initial_scale: 0,
        activation_scale: 0,
        idle_timeout: Duration::ZERO,
        stable_window: Duration::ZERO,
        metric_aggregation_algorithm: Aggregation::Linear,
        panic_window_percentage: 0.0,
        panic_threshold_percentage: 0.0,
        max_scale_up_rate: 0.0,
        max_scale_down_rate: 0.0,
        scale_down_delay: Duration::ZERO,
        scale_to_zero_grace_period: Duration::ZERO,
        scale_to_zero_retention: Duration::ZERO,
        tick_interval: Duration::ZERO,
        histogram_range: Duration::ZERO,
        wait_p99: Duration::ZERO,
        max_idle_percentage: 0.0,
        start_price: 5.0,
        max_starting: 0,
        max_waiters: 0,
        admission: Admission::Off,
        freeze: Freeze::default(),
        health: Health {
            failures: 0,
            ejection: Duration::ZERO,
            max_ejection: Duration::ZERO,
            max_ejected_percentage: 0.0,
            replace_after: 0,
        },
        slow_start: Duration::ZERO,
        backoff: Backoff {
            initial: Duration::ZERO,
            max: Duration::ZERO,
            reject_after: 0,
        },
        drain_timeout: Duration::ZERO,
        stop_grace: Duration::ZERO,
        spares: None,
    }
}

/// No limit yet.
fn blank_limits() -> GatewayLimits {
    GatewayLimits {
        connections: 0,
        header_bytes: 0,
        headers: 0,
        wait_buffer_bytes: 0,
        waiters: 0,
        spare_sockets: 0,
        instance_connections: 0,
        memory_bytes: None,
    }
}
