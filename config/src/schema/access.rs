//! The keys about who may call: those of manifests.

mod gateway;

use super::Field::{Choice, Flag, List as Texts, Seconds, Span, Whole};
use super::Preset::{Else, Required, Value};
use super::{Content, Key, List, Section, Table, key, rules};
use crate::draft::{FunctionDraft, RateLimitDraft};
use crate::spec::{AccessLevel, RateSubject};
use crate::units::{DAY, MILLI, ZERO, narrow};

pub(crate) use gateway::{GATEWAY, ISSUERS};

/// Of a manifest.
pub(crate) const ACCESS: Section<FunctionDraft> = Section {
    name: "access",
    meaning: "Who may call the function. Without any of these anybody may, and it costs nothing.",
    content: Content::Keys(MANIFEST),
};

/// Of a manifest.
pub(crate) const ACCESS_JWT: Section<FunctionDraft> = Section {
    name: "access.jwt",
    meaning: "JSON Web Tokens, sent as `Authorization: Bearer`. With issuers one of their tokens \
        is needed, unless a key is presented that opens the function's `level`.",
    content: Content::Keys(JWT_RULE),
};

/// Of a manifest.
pub(crate) const ACCESS_CLAIMS: Section<FunctionDraft> = Section {
    name: "access.claims",
    meaning: "What the function is told of a token: the name of a claim and that of a header, such \
        as `sub = \"X-User-Id\"`. Callers cannot send these headers themselves.",
    content: Content::Names {
        rule: "a claim's name of 1 to 128 visible characters",
        allowed: |name| {
            (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
        },
        set: |d, name, value| {
            let header = value.to_ascii_lowercase();
            d.access.jwt.claims.push((name.to_owned(), header));
        },
    },
};

/// Of a manifest.
pub(crate) const ACCESS_CORS: Section<FunctionDraft> = Section {
    name: "access.cors",
    meaning: "Pages of other origins that may use the function from a browser. The gateway answers \
        their preflights itself, and its headers take the place of the function's own.",
    content: Content::Keys(CORS),
};

/// Of a manifest.
pub(crate) const ACCESS_RATES: Section<FunctionDraft> = Section {
    name: "access.rate-limits",
    meaning: "Token buckets; a request needs a token of each of them.",
    content: Content::Rows(&Table {
        keys: RATES,
        main: "by",
        add: |d: &mut FunctionDraft, row: RateLimitDraft, _| d.rate_limits.push(row),
    }),
};

const MANIFEST: &[Key<FunctionDraft>] = &[
    key(
        "level",
        Value("'anonymous'"),
        Choice(&[
            ("anonymous", |d| d.access.level = AccessLevel::Anonymous),
            ("function", |d| d.access.level = AccessLevel::Function),
            ("host", |d| d.access.level = AccessLevel::Host),
            ("master", |d| d.access.level = AccessLevel::Master),
        ]),
        "Which keys open it: none needed; its own, host keys and the master key; host keys and the \
         master key; the master key only.",
    ),
    key(
        "methods",
        Value("[]"),
        Texts(List {
            rule: "a method such as \"GET\"",
            least: 0,
            clear: |d| d.access.methods.clear(),
            push: |d, v| rules::push_method(&mut d.access.methods, v),
        }),
        "The only methods, on all routes; none for all.",
    ),
    key(
        "allow",
        Value("[]"),
        Texts(List {
            rule: rules::NETWORK,
            least: 0,
            clear: |d| d.access.allow.clear(),
            push: |d, v| rules::push(&mut d.access.allow, v.parse().ok()),
        }),
        "Whose addresses may call; none for all. Callers over a Unix socket have no address.",
    ),
    key(
        "deny",
        Value("[]"),
        Texts(List {
            rule: rules::NETWORK,
            least: 0,
            clear: |d| d.access.deny.clear(),
            push: |d, v| rules::push(&mut d.access.deny, v.parse().ok()),
        }),
        "Whose may not, also if they are in `allow`.",
    ),
    key(
        "concurrent-requests",
        Else("no limit"),
        Whole(1, 1_000_000, |d, v| {
            d.access.concurrent_requests = Some(narrow(v))
        }),
        "Requests at once, those that wait for an instance included; more are refused.",
    ),
];

const JWT_RULE: &[Key<FunctionDraft>] = &[
    key(
        "issuers",
        Value("[]"),
        Texts(List {
            rule: "the name of a `[[jwt]]` of the gateway file",
            least: 0,
            clear: |d| d.access.jwt.issuers.clear(),
            push: |d, v| {
                let name = rules::is_function_name(v).then(|| v.to_owned());
                rules::push(&mut d.access.jwt.issuers, name)
            },
        }),
        "Whose tokens are taken.",
    ),
    key(
        "scopes",
        Value("[]"),
        Texts(List {
            rule: "a scope of visible characters",
            least: 0,
            clear: |d| d.access.jwt.scopes.clear(),
            push: |d, v| {
                let scope = !v.is_empty() && v.bytes().all(|b| b.is_ascii_graphic());
                rules::push(&mut d.access.jwt.scopes, scope.then(|| v.to_owned()))
            },
        }),
        "All of them must be in the token's `scope` (RFC 8693) or `scp`.",
    ),
    key(
        "forward",
        Value("true"),
        Flag(|d, v| d.access.jwt.forward = v),
        "The function sees the token itself.",
    ),
];

const CORS: &[Key<FunctionDraft>] = &[
    key(
        "origins",
        Value("[]"),
        Texts(List {
            rule: "an origin such as \"https://example.org\", or \"*\"",
            least: 0,
            clear: |d| d.access.cors.origins.clear(),
            push: |d, v| rules::push(&mut d.access.cors.origins, rules::origin(v)),
        }),
        "Whose pages; none turns this off.",
    ),
    key(
        "methods",
        Value("['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']"),
        Texts(List {
            rule: "a method such as \"GET\"",
            least: 0,
            clear: |d| d.access.cors.methods.clear(),
            push: |d, v| rules::push_method(&mut d.access.cors.methods, v),
        }),
        "What they may do.",
    ),
    key(
        "headers",
        Value("['authorization', 'content-type', 'x-functions-key', 'x-request-id']"),
        Texts(List {
            rule: "a header's name, or \"*\"",
            least: 0,
            clear: |d| d.access.cors.headers.clear(),
            push: |d, v| rules::push(&mut d.access.cors.headers, rules::header_or_any(v)),
        }),
        "What they may send.",
    ),
    key(
        "expose",
        Value("[]"),
        Texts(List {
            rule: "a header's name, or \"*\"",
            least: 0,
            clear: |d| d.access.cors.expose.clear(),
            push: |d, v| rules::push(&mut d.access.cors.expose, rules::header_or_any(v)),
        }),
        "What they may read besides the headers that they always may.",
    ),
    key(
        "credentials",
        Value("false"),
        Flag(|d, v| d.access.cors.credentials = v),
        "With cookies and the like; not together with \"*\".",
    ),
    key(
        "max-age",
        Value("'10m'"),
        Seconds(ZERO, DAY, |d, v| d.access.cors.max_age = v),
        "How long a browser may remember what a preflight said.",
    ),
];

const RATES: &[Key<RateLimitDraft>] = &[
    key(
        "by",
        Required,
        Choice(&[
            ("key", |d| d.by = Some(RateSubject::Key)),
            ("address", |d| d.by = Some(RateSubject::Address)),
            ("function", |d| d.by = Some(RateSubject::Function)),
        ]),
        "A bucket for each key and each token's subject, for each address of a caller (of IPv6, \
         each /64), or one for all.",
    ),
    key(
        "requests",
        Required,
        Whole(1, 1_000_000_000, |d, v| d.requests = narrow(v)),
        "So many `per` that time, evenly.",
    ),
    key(
        "per",
        Value("'1s'"),
        Span(MILLI, DAY, |d, v| d.per = v),
        "The time.",
    ),
    key(
        "burst",
        Else("as `requests`"),
        Whole(1, 1_000_000_000, |d, v| d.burst = Some(narrow(v))),
        "The bucket's size: requests at once after a pause.",
    ),
];
