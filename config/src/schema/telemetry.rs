//! The keys of the gateway file on what is told about requests.

use super::Field::{Choice, Flag, List as Texts, Number, Size, Span, Text, Whole};
use super::Preset::{Else, Value};
use super::{Bounds, Key, List, key, rules};
use crate::draft::GatewayDraft;
use crate::spec::{AccessLogFormat, AccessLogTarget, OtlpEndpoint};
use crate::units::{HOUR, KIB, MIB, MILLI, MINUTE, TIB, ZERO, narrow, wide};

type Draft = GatewayDraft;

const SHARE: Bounds = Bounds {
    min: 0.0,
    above: false,
    max: 1.0,
};

pub(super) const ACCESS_LOG: &[Key<Draft>] = &[
    key(
        "path",
        Else("none, and no access log"),
        Text("a path, or \"-\" for the standard output", |d, v| {
            rules::put(
                &mut d.access_log.target,
                match v {
                    "-" => Some(Some(AccessLogTarget::Stdout)),
                    _ => rules::path(v).map(|path| Some(AccessLogTarget::File(path))),
                },
            )
        }),
        "The file, relative to this one, or `-` for the standard output. A reload opens the file \
         anew.",
    ),
    key(
        "format",
        Value("'json'"),
        Choice(&[
            ("json", |d| d.access_log.format = AccessLogFormat::Json),
            ("combined", |d| {
                d.access_log.format = AccessLogFormat::Combined
            }),
        ]),
        "An object per line, or the combined format of Apache httpd and nginx.",
    ),
    key(
        "sample",
        Value("1.0"),
        Number(SHARE, |d, v| d.access_log.sample = v),
        "Share of the requests that are logged, besides those that `keep-errors` and `slow` keep.",
    ),
    key(
        "keep-errors",
        Value("true"),
        Flag(|d, v| d.access_log.keep_errors = v),
        "Answers of 500 and above, and those that did not come to their end, are always logged.",
    ),
    key(
        "slow",
        Value("'1s'"),
        Span(ZERO, HOUR, |d, v| d.access_log.slow = v),
        "Requests that took as long are always logged.",
    ),
    key(
        "headers",
        Value("[]"),
        Texts(List {
            rule: "a header's name",
            least: 0,
            clear: |d| d.access_log.headers.clear(),
            push: |d, v| rules::push(&mut d.access_log.headers, rules::header_name(v)),
        }),
        "Further request headers to log; JSON only.",
    ),
    key(
        "redact",
        Value("[]"),
        Texts(List {
            rule: "the name of a query parameter or a header: 1 to 128 visible characters without \
                \"=\", \"&\" and \"%\"",
            least: 0,
            clear: |d| d.access_log.redact.clear(),
            push: |d, v| rules::push(&mut d.access_log.redact, rules::redacted_name(v)),
        }),
        "Query parameters and headers whose values are replaced by `***`, in whatever case they \
         are written; in traces too. `code`, `authorization`, `proxy-authorization`, `cookie` and \
         `x-functions-key` always are.",
    ),
    key(
        "buffer-bytes",
        Value("'1MiB'"),
        Size(64 * KIB, 1024 * MIB, |d, v| {
            d.access_log.buffer_bytes = wide(v)
        }),
        "Lines that wait to be written. Those that find no room are dropped and counted.",
    ),
    key(
        "file-bytes",
        Value("'100MiB'"),
        Size(KIB, TIB, |d, v| d.access_log.file_bytes = v),
        "Size at which the file is rotated.",
    ),
    key(
        "files",
        Value("5"),
        Whole(1, 100, |d, v| d.access_log.files = narrow(v)),
        "Files kept, the current one included.",
    ),
];

pub(super) const TRACES: &[Key<Draft>] = &[
    key(
        "endpoint",
        Else("none, and no traces"),
        Text(
            "an address such as \"http://localhost:4318\" or \"https://otel.example.org\"",
            |d, v| rules::put(&mut d.traces.endpoint, OtlpEndpoint::parse(v).map(Some)),
        ),
        "The collector; `/v1/traces` is added to the path.",
    ),
    key(
        "sample",
        Value("0.1"),
        Number(SHARE, |d, v| d.traces.sample = v),
        "Share of the requests that are traced. A request with a `traceparent` is traced if and \
         only if that says so.",
    ),
    key(
        "service-name",
        Value("'stoker'"),
        Text("a name of 1 to 255 visible characters", |d, v| {
            let good =
                (1..=255).contains(&v.len()) && v.bytes().all(|byte| byte.is_ascii_graphic());
            rules::put(&mut d.traces.service_name, good.then(|| v.to_owned()))
        }),
        "The resource's `service.name`.",
    ),
    key(
        "headers",
        Value("[]"),
        Texts(List {
            rule: "a header such as \"Authorization: Bearer …\"",
            least: 0,
            clear: |d| d.traces.headers.clear(),
            push: |d, v| rules::push(&mut d.traces.headers, rules::header_line(v)),
        }),
        "Sent with every export.",
    ),
    key(
        "timeout",
        Value("'10s'"),
        Span(MILLI, MINUTE, |d, v| d.traces.timeout = v),
        "For one export; its spans are lost after that.",
    ),
    key(
        "queue",
        Value("2048"),
        Whole(1, 1_000_000, |d, v| d.traces.queue = wide(v)),
        "Requests whose spans wait to be exported. Those that find no room are dropped and \
         counted.",
    ),
    key(
        "batch",
        Value("256"),
        Whole(1, 10_000, |d, v| d.traces.batch = wide(v)),
        "Requests whose spans go in one export, at the most.",
    ),
    key(
        "interval",
        Value("'1s'"),
        Span(MILLI, MINUTE, |d, v| d.traces.interval = v),
        "How long spans wait for others to be exported with.",
    ),
];

pub(super) const METRICS: &[Key<Draft>] = &[
    key(
        "functions",
        Value("1000"),
        Whole(1, 100_000, |d, v| d.metrics.functions = wide(v)),
        "Functions with series of their own, each with up to 300 of them. The others share those \
         of `function=\"_other\"`.",
    ),
    key(
        "starts",
        Value("1000"),
        Whole(0, 100_000, |d, v| d.metrics.starts = wide(v)),
        "The last starts of instances that `stoker ps --starts` can show, of all functions \
         together; each takes some 300 bytes.",
    ),
];
