//! What the keys are read into: the specs with everything still open that depends on other keys,
//! on other files or on the place of the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use stoker_core::{Backoff, Policy, ScaleSpec};

use crate::spec::{
    Address, AdoptionSpec, Contract, FunctionLimits, FunctionTimeouts, GatewayLimits,
    GatewayTimeouts, Http2Spec, Listen, LogSpec, Network, PathPattern,
};

/// A gateway file.
pub(crate) struct GatewayDraft {
    pub(crate) listen: Vec<Address>,
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
    pub(crate) logs: LogSpec,
}

/// The administrators' listener.
#[derive(Default)]
pub(crate) struct AdminDraft {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
}

/// A manifest.
#[derive(Clone)]
pub(crate) struct FunctionDraft {
    pub(crate) name: Option<String>,
    pub(crate) command: Vec<String>,
    pub(crate) contract: Contract,
    pub(crate) listen: Listen,
    pub(crate) routes: Vec<RouteDraft>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) working_directory: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) scaling: ScaleSpec,
    pub(crate) target: Option<f64>,
    pub(crate) limits: FunctionLimits,
    pub(crate) timeouts: FunctionTimeouts,
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
            threads: None,
            functions: Vec::new(),
            function_prefix: String::new(),
            state_dir: PathBuf::new(),
            trusted_proxies: Vec::new(),
            ports: (0, 0),
            limits: GatewayLimits {
                connections: 0,
                header_bytes: 0,
                headers: 0,
                wait_buffer_bytes: 0,
                waiters: 0,
            },
            timeouts: GatewayTimeouts {
                header: Duration::ZERO,
                keep_alive: Duration::ZERO,
                body: Duration::ZERO,
                write: Duration::ZERO,
                shutdown: Duration::ZERO,
                stream_grace: Duration::ZERO,
            },
            http2: Http2Spec {
                enabled: false,
                streams: 0,
                stream_window_bytes: 0,
                connection_window_bytes: 0,
                send_buffer_bytes: 0,
                resets: 0,
                control_frames: 0,
                ping_interval: Duration::ZERO,
                ping_timeout: Duration::ZERO,
            },
            admin: AdminDraft::default(),
            adoption: AdoptionSpec {
                enabled: false,
                timeout: Duration::ZERO,
            },
            logs: LogSpec {
                file_bytes: 0,
                files: 0,
                line_bytes: 0,
            },
        }
    }
}

impl FunctionDraft {
    /// Before the defaults are put in.
    pub(crate) fn blank() -> Self {
        Self {
            name: None,
            command: Vec::new(),
            contract: Contract::Http,
            listen: Listen::Port,
            routes: Vec::new(),
            environment: BTreeMap::new(),
            working_directory: None,
            user: None,
            scaling: blank_scaling(),
            target: None,
            limits: FunctionLimits {
                body_bytes: 0,
                open_files: None,
                address_space_bytes: None,
                cpu_time: None,
                processes: None,
                file_bytes: None,
                core_bytes: 0,
            },
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
        panic_window_percentage: 0.0,
        panic_threshold_percentage: 0.0,
        max_scale_up_rate: 0.0,
        max_scale_down_rate: 0.0,
        scale_down_delay: Duration::ZERO,
        scale_to_zero_grace_period: Duration::ZERO,
        scale_to_zero_retention: Duration::ZERO,
        tick_interval: Duration::ZERO,
        max_starting: 0,
        max_waiters: 0,
        backoff: Backoff {
            initial: Duration::ZERO,
            max: Duration::ZERO,
            reject_after: 0,
        },
        drain_timeout: Duration::ZERO,
        stop_grace: Duration::ZERO,
    }
}
