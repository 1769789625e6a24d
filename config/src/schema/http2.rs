//! The keys of the gateway file's `[http2]`.

use super::Field::{Flag, Size, Span, Whole};
use super::Preset::Value;
use super::{Key, key};
use crate::draft::GatewayDraft;
use crate::units::{HOUR, KIB, MIB, MILLI, narrow, wide};

/// The largest window there is (RFC 9113 section 6.9.1), rounded down to a unit.
const WINDOW_MAX: u64 = 2047 * MIB;

pub(super) const KEYS: &[Key<GatewayDraft>] = &[
    key(
        "enabled",
        Value("true"),
        Flag(|d, v| d.http2.enabled = v),
        "Whether HTTP/2 is spoken at all.",
    ),
    key(
        "streams",
        Value("100"),
        Whole(1, 10_000, |d, v| d.http2.streams = narrow(v)),
        "Requests at once on one connection.",
    ),
    key(
        "stream-window-bytes",
        Value("'64KiB'"),
        Size(64 * KIB, WINDOW_MAX, |d, v| {
            d.http2.stream_window_bytes = narrow(v)
        }),
        "Bytes of a request's body that may be under way before they are read.",
    ),
    key(
        "connection-window-bytes",
        Value("'1MiB'"),
        Size(64 * KIB, WINDOW_MAX, |d, v| {
            d.http2.connection_window_bytes = narrow(v)
        }),
        "The same for all bodies of a connection together.",
    ),
    key(
        "send-buffer-bytes",
        Value("'64KiB'"),
        Size(KIB, 64 * MIB, |d, v| d.http2.send_buffer_bytes = wide(v)),
        "Bytes of a response held for a caller that does not take them.",
    ),
    key(
        "resets",
        Value("200"),
        Whole(1, 1_000_000, |d, v| d.http2.resets = narrow(v)),
        "Requests that a caller may call off within ten seconds; beyond that its connection is \
         closed.",
    ),
    key(
        "control-frames",
        Value("10000"),
        Whole(100, 1_000_000, |d, v| d.http2.control_frames = narrow(v)),
        "Frames without a request, a body or a body's end that a caller may send within ten \
         seconds, besides one for every 64 bytes that it takes; beyond that its connection is \
         closed.",
    ),
    key(
        "ping-interval",
        Value("'30s'"),
        Span(MILLI, HOUR, |d, v| d.http2.ping_interval = v),
        "Between two pings, which find out callers that are gone without a word.",
    ),
    key(
        "ping-timeout",
        Value("'20s'"),
        Span(MILLI, HOUR, |d, v| d.http2.ping_timeout = v),
        "For the answer to a ping.",
    ),
];
