//! Bounds on what callers may send and on how long they are waited for.

use std::time::Duration;

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
