//! The keys about who may call: those of the gateway file.

use crate::draft::{GatewayDraft, IssuerDraft};
use crate::schema::Field::{List as Texts, Seconds, Size, Span, Text, Whole};
use crate::schema::Preset::{Else, Required, Value};
use crate::schema::{Content, Key, List, Section, Table, key, rules};
use crate::units::{DAY, HOUR, KIB, MIB, MILLI, MINUTE, SECOND, ZERO, narrow, wide};

/// `[access]`.
pub(crate) const GATEWAY: Section<GatewayDraft> = Section {
    name: "access",
    meaning: "What the gateway holds and takes for keys, tokens and rate limits of all functions.",
    content: Content::Keys(SETTINGS),
};

/// `[[jwt]]`.
pub(crate) const ISSUERS: Section<GatewayDraft> = Section {
    name: "jwt",
    meaning: "Who makes JSON Web Tokens. Manifests name them in `[access.jwt]`.",
    content: Content::Rows(&Table {
        keys: ISSUER,
        main: "name",
        add: |d: &mut GatewayDraft, row: IssuerDraft, (index, _)| d.jwt.push((row, index)),
    }),
};

const SETTINGS: &[Key<GatewayDraft>] = &[
    key(
        "keys",
        Value("10000"),
        Whole(1, 1_000_000, |d, v| d.access.keys = wide(v)),
        "Keys in the store.",
    ),
    key(
        "rate-entries",
        Value("100000"),
        Whole(64, 10_000_000, |d, v| d.access.rate_entries = wide(v)),
        "Buckets that are not full. With more, the fullest is forgotten, which is to its caller's \
         advantage. At about 100 bytes each.",
    ),
    key(
        "failures",
        Value("20"),
        Whole(1, 1_000_000, |d, v| d.access.failures = narrow(v)),
        "Wrong keys and tokens from one address within `failure-window`; then it is refused \
         unheard for a while.",
    ),
    key(
        "failure-window",
        Value("'1m'"),
        Span(SECOND, DAY, |d, v| d.access.failure_window = v),
        "The time for `failures`.",
    ),
    key(
        "jwt-bytes",
        Value("'8KiB'"),
        Size(256, 64 * KIB, |d, v| d.access.jwt_bytes = wide(v)),
        "A longer token is refused.",
    ),
    key(
        "jwt-cache",
        Value("10000"),
        Whole(16, 1_000_000, |d, v| d.access.jwt_cache = wide(v)),
        "Verified tokens that are remembered until they expire.",
    ),
    key(
        "jwks-bytes",
        Value("'256KiB'"),
        Size(KIB, 4 * MIB, |d, v| d.access.jwks_bytes = wide(v)),
        "A longer set of keys is refused.",
    ),
    key(
        "jwks-timeout",
        Value("'5s'"),
        Span(MILLI, MINUTE, |d, v| d.access.jwks_timeout = v),
        "For fetching a set of keys, and how long a request waits for one.",
    ),
    key(
        "jwks-interval",
        Value("'30s'"),
        Span(SECOND, HOUR, |d, v| d.access.jwks_interval = v),
        "Between two fetches that tokens with unknown keys cause, and before one that failed is \
         tried again.",
    ),
];

const ISSUER: &[Key<IssuerDraft>] = &[
    key(
        "name",
        Required,
        Text(rules::FUNCTION_NAME, |d, v| {
            rules::put(
                &mut d.name,
                rules::is_function_name(v).then(|| v.to_owned()),
            )
        }),
        "What manifests call it.",
    ),
    key(
        "issuer",
        Required,
        Text("what its tokens have as `iss`", |d, v| {
            rules::put(&mut d.issuer, Some(v.to_owned()).filter(|v| !v.is_empty()))
        }),
        "The `iss` of its tokens, to the letter.",
    ),
    key(
        "audience",
        Required,
        Texts(List {
            rule: "what its tokens have as `aud`",
            least: 1,
            clear: |d| d.audience.clear(),
            push: |d, v| {
                let some = Some(v.to_owned()).filter(|v| !v.is_empty());
                rules::push(&mut d.audience, some)
            },
        }),
        "One of them must be in the `aud` of a token.",
    ),
    key(
        "algorithms",
        Value("['RS256', 'PS256', 'ES256', 'EdDSA']"),
        Texts(List {
            rule: rules::ALGORITHM,
            least: 1,
            clear: |d| d.algorithms.clear(),
            push: |d, v| rules::push(&mut d.algorithms, rules::algorithm(v)),
        }),
        "How its tokens may be signed; no others are taken. HS* only with `keys-file`.",
    ),
    key(
        "keys-file",
        Else("none"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.keys_file, rules::path(v).map(Some))
        }),
        "A JSON Web Key Set (RFC 7517), relative to this file. Either this or `jwks-url`.",
    ),
    key(
        "jwks-url",
        Else("none"),
        Text(
            "an address such as \"https://issuer.example/.well-known/jwks.json\"",
            |d, v| {
                rules::put(
                    &mut d.jwks_url,
                    rules::is_url(v).then(|| Some(v.to_owned())),
                )
            },
        ),
        "Where such a set is fetched. For `https` the system's root certificates count.",
    ),
    key(
        "refresh",
        Value("'1h'"),
        Span(SECOND, DAY.saturating_mul(7), |d, v| d.refresh = v),
        "How often the set is fetched. If that fails, the last one stays in use.",
    ),
    key(
        "leeway",
        Value("'30s'"),
        Seconds(ZERO, MINUTE.saturating_mul(10), |d, v| d.leeway = v),
        "By how much the issuer's clock may differ from ours.",
    ),
];
