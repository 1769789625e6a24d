//! The keys of a function's manifest, but for those that the scaler uses.

use super::Field::{Choice, Flag, List as Texts, Seconds, Size, Span, Text, Whole};
use super::Preset::{Else, Required, Value};
use super::{Content, Key, List, Name, Section, Table, access, key, load, rules, runtime, scaling};
use crate::draft::{FunctionDraft, RouteDraft};
use crate::spec::{Contract, Listen, PathPattern};
use crate::units::{DAY, HOUR, MIB, MILLI, SECOND, TIB, ZERO};

type Draft = FunctionDraft;

/// Every table.
pub(crate) const SECTIONS: &[Section<Draft>] = &[
    Section {
        name: "",
        meaning: "At the beginning of the file, before any table.",
        content: Content::Keys(TOP),
    },
    Section {
        name: "environment",
        meaning: "Exactly what the program sees besides the contract's variables; nothing of the \
            gateway's own environment is passed on.",
        content: Content::Names {
            rule: rules::VARIABLE,
            allowed: rules::is_variable,
            set: |d, name, value| {
                d.environment.insert(name.to_owned(), value.to_owned());
            },
        },
    },
    super::build::SECTION,
    Section {
        name: "routes",
        meaning: "Routes besides the default one. No two routes of all functions, the default \
            ones included, may have the same host, the same path (whatever its parameters are \
            called) and a method in common.",
        content: Content::Rows(&Table {
            keys: ROUTES,
            main: "path",
            add: |d: &mut Draft, mut route: RouteDraft, (_, line)| {
                route.line = line;
                d.routes.push(route);
            },
        }),
    },
    Section {
        name: "scaling",
        meaning: "How many instances there are. What is marked with a policy is used by that \
            policy only.",
        content: Content::Keys(scaling::SCALING),
    },
    super::schedule::SCHEDULE,
    Section {
        name: "scaling.shadow",
        meaning: "Another way to scale, which is tried beside the one in force: any keys of \
            `[scaling]`, the others being those of this manifest. The same requests, with the service \
            and start times that were measured, go to a pool that is only computed; `stoker \
            explain` and the metrics `stoker_shadow_*` show how it would do, and `stoker policy \
            promote` puts it in force. Needs `record.enabled` of the gateway file.",
        content: Content::Over {
            keys: scaling::SCALING,
            copy: |d: &mut Draft| {
                let shadow = d.clone();
                &mut **d.shadow.insert(Box::new(shadow))
            },
        },
    },
    Section {
        name: "queue",
        meaning: "Requests that wait for an instance.",
        content: Content::Keys(scaling::QUEUE),
    },
    Section {
        name: "backoff",
        meaning: "The delay before the next start after failed ones doubles with each failure.",
        content: Content::Keys(scaling::BACKOFF),
    },
    Section {
        name: "health",
        meaning: "Instances that fail again and again: they break connections off, send what is \
            not HTTP, or nothing within `timeouts.first-byte`.",
        content: Content::Keys(load::HEALTH),
    },
    Section {
        name: "preload",
        meaning: "Processes that are kept ready to become instances of a function with a \
            `runtime`.",
        content: Content::Keys(runtime::PRELOAD),
    },
    Section {
        name: "websocket",
        meaning: "WebSockets of a function with the `runtime` for Python.",
        content: Content::Keys(runtime::WEBSOCKET),
    },
    Section {
        name: "retry",
        meaning: "Requests that are sent again. One of which nothing was taken always may be; any \
            other one only where `idempotent` allows it.",
        content: Content::Keys(load::RETRY),
    },
    Section {
        name: "timeouts",
        meaning: "The separate deadlines of a request and of an instance. `queue`, `connect`, \
            `first-byte` and `idle` cannot exceed `total`: by default they are cut down to it, \
            longer ones are refused.",
        content: Content::Keys(TIMEOUTS),
    },
    Section {
        name: "limits",
        meaning: "What a request may send and an instance may use.",
        content: Content::Keys(LIMITS),
    },
    super::isolation::RESOURCES,
    super::isolation::ISOLATION,
    access::ACCESS,
    access::ACCESS_JWT,
    access::ACCESS_CLAIMS,
    access::ACCESS_CORS,
    access::ACCESS_RATES,
    super::metering::BUDGET,
];

/// For suggestions.
pub(crate) fn names() -> Vec<Name> {
    super::names(SECTIONS)
}

const TOP: &[Key<Draft>] = &[
    key(
        "name",
        Else("the directory's name"),
        Text(rules::FUNCTION_NAME, |d, v| {
            rules::put(
                &mut d.name,
                rules::is_function_name(v).then(|| Some(v.to_owned())),
            )
        }),
        "What callers and operators call the function; no two functions share it.",
    ),
    key(
        "command",
        Else("required without `runtime`"),
        Texts(List {
            rule: "a program or an argument",
            least: 1,
            clear: |d| d.command.clear(),
            push: |d, v| rules::push(&mut d.command, Some(v.to_owned())),
        }),
        "The program and its arguments. A program with a slash is relative to the manifest's \
         directory, or absolute; one without is looked up on `PATH` when an instance starts.",
    ),
    runtime::RUNTIME,
    runtime::HANDLER,
    runtime::INTERFACE,
    runtime::INTERPRETER,
    key(
        "contract",
        Value("'http'"),
        Choice(&[
            ("http", |d| d.contract = Contract::Http),
            ("h2c", |d| d.contract = Contract::H2c),
        ]),
        "How the program is spoken to: `http` is an HTTP/1.1 server, `h2c` an HTTP/2 server by \
         prior knowledge, as gRPC servers are.",
    ),
    key(
        "listen",
        Value("'port'"),
        Choice(&[
            ("port", |d| d.listen = Listen::Port),
            ("unix", |d| d.listen = Listen::Unix),
            ("inherit", |d| d.listen = Listen::Inherit),
        ]),
        "How the program gets its socket: it binds the TCP port in `$PORT`, or the Unix socket in \
         `$STOKER_SOCKET`, or inherits descriptor 3 (`LISTEN_FDS=1`). The last is the fastest.",
    ),
    key(
        "working-directory",
        Else("the manifest's directory"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.working_directory, rules::path(v).map(Some))
        }),
        "Where the program starts; it must exist. Relative to the manifest's directory.",
    ),
    key(
        "user",
        Else("the gateway's user"),
        Text(rules::USER, |d, v| {
            rules::put(&mut d.user, rules::is_user(v).then(|| Some(v.to_owned())))
        }),
        "Whom the program runs as.",
    ),
];

/// Of one `[[routes]]`.
pub(crate) const ROUTES: &[Key<RouteDraft>] = &[
    key(
        "host",
        Else("any"),
        Text(
            "a host's name without port, such as \"example.org\", or \"*.example.org\" for all \
             below",
            |d, v| rules::put(&mut d.host, rules::host(v).map(Some)),
        ),
        "The request's host.",
    ),
    key(
        "path",
        Required,
        Text(
            "a path such as \"/users/{id}/files/{*rest}\": no \"/\" at its end, no empty or dot \
             segments, no percent-encoding, {*rest} only last, no parameter twice",
            |d, v| rules::put(&mut d.path, PathPattern::parse(v).ok().map(Some)),
        ),
        "`{name}` stands for one segment, `{*rest}` for all that is left, also nothing.",
    ),
    key(
        "methods",
        Value("[]"),
        Texts(List {
            rule: "a method such as \"GET\"",
            least: 0,
            clear: |d| d.methods.clear(),
            push: |d, v| rules::push_method(&mut d.methods, v),
        }),
        "The request's methods; none for all.",
    ),
    key(
        "strip-prefix",
        Value("false"),
        Flag(|d, v| d.strip_prefix = v),
        "Take the literal beginning of `path` off before the function sees the path.",
    ),
];

const TIMEOUTS: &[Key<Draft>] = &[
    key(
        "queue",
        Value("'30s'"),
        Span(MILLI, DAY, |d, v| d.timeouts.queue = v),
        "For an instance with a free slot, a start included.",
    ),
    key(
        "connect",
        Value("'1s'"),
        Span(MILLI, HOUR, |d, v| d.timeouts.connect = v),
        "For a connection to the instance.",
    ),
    key(
        "first-byte",
        Value("'60s'"),
        Span(MILLI, DAY, |d, v| d.timeouts.first_byte = v),
        "From the request sent to the head of the response.",
    ),
    key(
        "idle",
        Value("'60s'"),
        Span(MILLI, DAY, |d, v| d.timeouts.idle = v),
        "Without a byte of the body in either direction.",
    ),
    key(
        "total",
        Value("'5m'"),
        Span(MILLI, DAY.saturating_mul(7), |d, v| d.timeouts.total = v),
        "For all of a request, the wait included.",
    ),
    key(
        "stream-idle",
        Value("'5m'"),
        Span(MILLI, DAY.saturating_mul(7), |d, v| {
            d.timeouts.stream_idle = v
        }),
        "In place of `idle`, `first-byte` and the gateway's `timeouts.body` for streams: upgraded \
         connections, `text/event-stream` responses and gRPC calls.",
    ),
    key(
        "stream-total",
        Value("'1h'"),
        Span(MILLI, DAY.saturating_mul(30), |d, v| {
            d.timeouts.stream_total = v
        }),
        "In place of `total` for streams. A gRPC call's own deadline counts if it is earlier.",
    ),
    key(
        "start",
        Value("'10s'"),
        Span(MILLI, HOUR, |d, v| d.timeouts.start = v),
        "From the start of the program until it takes requests.",
    ),
    key(
        "drain",
        Value("'30s'"),
        Span(ZERO, DAY, |d, v| d.scaling.drain_timeout = v),
        "For a draining instance to finish its requests; then it is stopped all the same.",
    ),
    key(
        "stop",
        Value("'10s'"),
        Span(ZERO, HOUR, |d, v| d.scaling.stop_grace = v),
        "Between SIGTERM and SIGKILL.",
    ),
];

const LIMITS: &[Key<Draft>] = &[
    key(
        "body-bytes",
        Value("'100MiB'"),
        Size(0, TIB, |d, v| d.limits.body_bytes = v),
        "The body of a request.",
    ),
    key(
        "open-files",
        Else("as the gateway"),
        Whole(8, 1 << 20, |d, v| d.limits.open_files = Some(v)),
        "RLIMIT_NOFILE.",
    ),
    key(
        "address-space-bytes",
        Else("as the gateway"),
        Size(MIB, 1024 * TIB, |d, v| {
            d.limits.address_space_bytes = Some(v)
        }),
        "RLIMIT_AS. Runtimes that reserve much and use little (Go, Java, Node) need a lot.",
    ),
    key(
        "cpu-time",
        Else("as the gateway"),
        Seconds(SECOND, DAY.saturating_mul(365), |d, v| {
            d.limits.cpu_time = Some(v)
        }),
        "RLIMIT_CPU: processor time of an instance in its whole life.",
    ),
    key(
        "processes",
        Else("as the gateway"),
        Whole(1, 1 << 22, |d, v| d.limits.processes = Some(v)),
        "RLIMIT_NPROC, which counts all processes and threads of the user.",
    ),
    key(
        "file-bytes",
        Else("as the gateway"),
        Size(0, 1024 * TIB, |d, v| d.limits.file_bytes = Some(v)),
        "RLIMIT_FSIZE: size of a file that the program writes.",
    ),
    key(
        "core-bytes",
        Value("0"),
        Size(0, 1024 * TIB, |d, v| d.limits.core_bytes = v),
        "RLIMIT_CORE: size of a core dump.",
    ),
];
