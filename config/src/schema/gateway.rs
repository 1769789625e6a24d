//! The keys of the gateway file.

use super::Field::{Flag, List as Texts, Size, Span, Text, Whole};
use super::Preset::{Else, Value};
use super::{Content, Key, List, Name, Section, Table, access, http2, key, rules, telemetry, tls};
use crate::draft::GatewayDraft;
use crate::draft::tls::{CertificateDraft, ListenerDraft};
use crate::units::{DAY, HOUR, KIB, MIB, MILLI, TIB, ZERO, narrow, wide};

type Draft = GatewayDraft;

/// Every table.
pub(crate) const SECTIONS: &[Section<Draft>] = &[
    Section {
        name: "",
        meaning: "At the beginning of the file, before any table.",
        content: Content::Keys(TOP),
    },
    Section {
        name: "listeners",
        meaning: "Where callers connect in other ways than by plain HTTP. All of it takes effect \
            with the next start only.",
        content: Content::Rows(&Table {
            keys: tls::LISTENERS,
            main: "address",
            add: |d: &mut Draft, mut listener: ListenerDraft, (index, _)| {
                listener.index = index;
                d.listeners.push(listener);
            },
        }),
    },
    Section {
        name: "tls",
        meaning: "TLS on the listeners that ask for it.",
        content: Content::Keys(tls::TLS),
    },
    Section {
        name: "certificates",
        meaning: "The gateway's certificates, chosen by the host that the client names (SNI). \
            The files are watched, and new ones take effect at once for new connections.",
        content: Content::Rows(&Table {
            keys: tls::CERTIFICATES,
            main: "certificate",
            add: |d: &mut Draft, mut certificate: CertificateDraft, (index, _)| {
                certificate.index = index;
                d.certificates.push(certificate);
            },
        }),
    },
    Section {
        name: "limits",
        meaning: "What callers may send, and what the gateway holds.",
        content: Content::Keys(LIMITS),
    },
    Section {
        name: "timeouts",
        meaning: "How long the gateway waits for callers.",
        content: Content::Keys(TIMEOUTS),
    },
    Section {
        name: "http2",
        meaning: "How callers may speak HTTP/2: by prior knowledge in clear, by ALPN over TLS.",
        content: Content::Keys(http2::KEYS),
    },
    super::admin::ADMIN,
    super::admin::TOKENS,
    Section {
        name: "adoption",
        meaning: "What happens to the instances when the gateway dies without stopping them.",
        content: Content::Keys(ADOPTION),
    },
    Section {
        name: "takeover",
        meaning: "When another gateway takes over while this one runs: `stoker upgrade`.",
        content: Content::Keys(super::takeover::TAKEOVER),
    },
    super::isolation::CGROUPS,
    super::isolation::SPARES,
    Section {
        name: "freeze",
        meaning: "The memory of frozen instances. Which ones are frozen says `scaling.freeze-after`.",
        content: Content::Keys(super::freeze::FREEZE),
    },
    Section {
        name: "starts",
        meaning: "How many instances start at the same time, over all functions. A start that may \
            not begin yet waits; functions take turns.",
        content: Content::Keys(super::starts::STARTS),
    },
    Section {
        name: "logs",
        meaning: "The output of the functions.",
        content: Content::Keys(LOGS),
    },
    access::GATEWAY,
    access::ISSUERS,
    Section {
        name: "access-log",
        meaning: "One line per request.",
        content: Content::Keys(telemetry::ACCESS_LOG),
    },
    Section {
        name: "traces",
        meaning: "OpenTelemetry traces over OTLP (HTTP with protobuf).",
        content: Content::Keys(telemetry::TRACES),
    },
    Section {
        name: "metrics",
        meaning: "What `/metrics` shows, and what is remembered of starts.",
        content: Content::Keys(telemetry::METRICS),
    },
    super::record::SECTION,
    super::history::SECTION,
    super::packages::PACKAGES,
    super::packages::BUILD,
    super::packages::ENVIRONMENT,
    super::mirror::SECTION,
    super::registry::SECTION,
    super::metering::METERING,
    super::metering::PRICES,
];

/// For suggestions.
pub(crate) fn names() -> Vec<Name> {
    super::names(SECTIONS)
}

const TOP: &[Key<Draft>] = &[
    key(
        "listen",
        Else("`[\"127.0.0.1:8080\"]` unless there are `[[listeners]]`"),
        Texts(List {
            rule: rules::ADDRESS,
            least: 1,
            clear: |d| d.listen.clear(),
            push: |d, v| rules::push(&mut d.listen, v.parse().ok()),
        }),
        "Where callers connect by plain HTTP. Port 0 lets the kernel choose; a relative path of a Unix socket \
         is relative to this file.",
    ),
    key(
        "threads",
        Else("the number of cores"),
        Whole(1, 1024, |d, v| d.threads = Some(wide(v))),
        "Threads of the data plane.",
    ),
    key(
        "functions",
        Value("['functions']"),
        Texts(List {
            rule: "a directory, relative to this file",
            least: 0,
            clear: |d| d.functions.clear(),
            push: |d, v| {
                rules::push(
                    &mut d.functions,
                    Some(v.to_owned()).filter(|v| !v.is_empty()),
                )
            },
        }),
        "Directories of functions: each has a `function.toml`, or its sub-directories do. A \
         `*` as the last part means the same. Sub-directories that begin with a dot are left out. \
         A directory that is named must exist; without this key it may be missing.",
    ),
    key(
        "function-prefix",
        Value("'/function'"),
        Text(
            "a path of plain segments without \"/\" at its end, or \"/\" for no prefix",
            |d, v| rules::put(&mut d.function_prefix, rules::prefix(v)),
        ),
        "Every function has the default route `<function-prefix>/<name>/{*rest}`.",
    ),
    key(
        "state-dir",
        Value("'.stoker'"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.state_dir, rules::path(v))
        }),
        "Sockets, logs and the spawner's state; made if missing, relative to this file. Its \
         absolute path has at most 70 bytes, for Unix sockets in it must stay within 107.",
    ),
    key(
        "trusted-proxies",
        Value("[]"),
        Texts(List {
            rule: rules::NETWORK,
            least: 0,
            clear: |d| d.trusted_proxies.clear(),
            push: |d, v| rules::push(&mut d.trusted_proxies, v.parse().ok()),
        }),
        "Whose `Forwarded` and `X-Forwarded-*` headers are kept; others' are replaced.",
    ),
    key(
        "ports",
        Value("'20000-29999'"),
        Text(
            "two ports from 1 to 65535, the smaller one first, such as \"20000-29999\"",
            |d, v| rules::put(&mut d.ports, rules::ports(v)),
        ),
        "Ports for functions that bind `$PORT`. The default lies below the ports that Linux \
         gives to outgoing connections (32768-60999).",
    ),
];

const LIMITS: &[Key<Draft>] = &[
    key(
        "connections",
        Value("4096"),
        Whole(1, 1_000_000, |d, v| d.limits.connections = narrow(v)),
        "Callers' connections at once. Above four fifths of it idle ones are closed the sooner the \
         more there are; beyond it new ones are answered 503.",
    ),
    key(
        "header-bytes",
        Value("'32KiB'"),
        Size(KIB, MIB, |d, v| d.limits.header_bytes = wide(v)),
        "A request's line and headers, also those of a function's response.",
    ),
    key(
        "headers",
        Value("100"),
        Whole(1, 1000, |d, v| d.limits.headers = wide(v)),
        "Header lines of a request.",
    ),
    key(
        "wait-buffer-bytes",
        Value("'64MiB'"),
        Size(0, TIB, |d, v| d.limits.wait_buffer_bytes = wide(v)),
        "Bodies held for waiting requests, all together. One function holds at most four times \
         what is free of it.",
    ),
    key(
        "waiters",
        Value("10000"),
        Whole(1, 10_000_000, |d, v| d.limits.waiters = narrow(v)),
        "Requests waiting for an instance, all together. One function has at most four times as \
         many as are free.",
    ),
    key(
        "instance-connections",
        Value("4096"),
        Whole(1, 1_000_000, |d, v| {
            d.limits.instance_connections = narrow(v)
        }),
        "Connections to instances, all together. One function has at most four times as many as \
         are free.",
    ),
    key(
        "spare-sockets",
        Value("8"),
        Whole(0, 1000, |d, v| d.limits.spare_sockets = wide(v)),
        "Listening sockets that are made ahead for instances with `listen = \"inherit\"`, so that \
         their starts need not wait for the file system.",
    ),
    key(
        "memory-bytes",
        Else("three quarters of the machine's or the control group's memory"),
        Size(16 * MIB, 1024 * TIB, |d, v| d.limits.memory_bytes = Some(v)),
        "Resident memory of the gateway's own process above which it answers 503 to new \
         connections and to requests that would wait.",
    ),
];

const TIMEOUTS: &[Key<Draft>] = &[
    key(
        "header",
        Value("'10s'"),
        Span(MILLI, HOUR, |d, v| d.timeouts.header = v),
        "For the whole head of a request, from its first byte or its connection's start.",
    ),
    key(
        "keep-alive",
        Value("'75s'"),
        Span(MILLI, DAY, |d, v| d.timeouts.keep_alive = v),
        "For the next request to begin on a connection. Longer than the idle timeout of a proxy \
         in front, or that may send a request just when the connection is closed.",
    ),
    key(
        "body",
        Value("'30s'"),
        Span(MILLI, HOUR, |d, v| d.timeouts.body = v),
        "For the next piece of a request's body.",
    ),
    key(
        "write",
        Value("'30s'"),
        Span(MILLI, HOUR, |d, v| d.timeouts.write = v),
        "For the caller to take the next piece of a response.",
    ),
    key(
        "shutdown",
        Value("'30s'"),
        Span(ZERO, HOUR, |d, v| d.timeouts.shutdown = v),
        "After SIGTERM, for requests in flight.",
    ),
    key(
        "stream-grace",
        Value("'10s'"),
        Span(ZERO, HOUR, |d, v| d.timeouts.stream_grace = v),
        "After SIGTERM, or when its instance drains, for a stream (see a function's \
         `stream-idle`) to come to its end; WebSocket callers are sent a close frame.",
    ),
];

const ADOPTION: &[Key<Draft>] = &[
    key(
        "enabled",
        Value("true"),
        Flag(|d, v| d.adoption.enabled = v),
        "The next gateway takes the instances over; otherwise they are stopped at once.",
    ),
    key(
        "timeout",
        Value("'60s'"),
        Span(ZERO, HOUR.saturating_mul(24), |d, v| d.adoption.timeout = v),
        "How long they wait for the next gateway.",
    ),
];

const LOGS: &[Key<Draft>] = &[
    key(
        "file-bytes",
        Value("'10MiB'"),
        Size(KIB, TIB, |d, v| d.logs.file_bytes = v),
        "Size at which a function's log is rotated.",
    ),
    key(
        "files",
        Value("3"),
        Whole(1, 100, |d, v| d.logs.files = narrow(v)),
        "Files kept per function, the current one included.",
    ),
    key(
        "line-bytes",
        Value("'16KiB'"),
        Size(256, MIB, |d, v| d.logs.line_bytes = wide(v)),
        "A longer line is split. No longer than `file-bytes`; by default cut down to it.",
    ),
];
