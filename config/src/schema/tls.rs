//! The keys of listeners, TLS and certificates.

use super::Field::{Choice, Flag, List as Texts, Seconds, Span, Text, Whole};
use super::Preset::{Else, Required, Value};
use super::{Key, List, key, rules};
use crate::draft::GatewayDraft;
use crate::draft::tls::{CertificateDraft, ListenerDraft};
use crate::spec::{ClientDemand, TlsVersion};
use crate::units::{DAY, MILLI, MINUTE, ZERO, wide};

/// `[[listeners]]`.
pub(crate) const LISTENERS: &[Key<ListenerDraft>] = &[
    key(
        "address",
        Required,
        Text(rules::ADDRESS, |d, v| {
            rules::put(&mut d.address, v.parse().ok().map(Some))
        }),
        "Where callers connect, as in `listen`.",
    ),
    key(
        "tls",
        Value("false"),
        Flag(|d, v| d.tls = v),
        "Connections begin with a TLS handshake. Needs `[[certificates]]`.",
    ),
    key(
        "http2",
        Value("true"),
        Flag(|d, v| d.http2 = v),
        "HTTP/2 is spoken to callers that ask for it.",
    ),
    key(
        "proxy-protocol",
        Value("false"),
        Flag(|d, v| d.proxy_protocol = v),
        "Connections begin with a header of the PROXY protocol, version 1 or 2, before any TLS, \
         and the address in it is the caller's. Those without one are closed.",
    ),
    key(
        "proxy-protocol-from",
        Else("everybody"),
        Texts(List {
            rule: rules::NETWORK,
            least: 1,
            clear: |d| d.proxy_protocol_from.clear(),
            push: |d, v| rules::push(&mut d.proxy_protocol_from, v.parse().ok()),
        }),
        "From whom such a header is taken; connections from elsewhere are closed. Needs \
         `proxy-protocol`. Unix sockets are guarded by their permissions instead.",
    ),
    key(
        "redirect-to-https",
        Value("false"),
        Flag(|d, v| d.redirect_to_https = v),
        "Every request is answered with 308 to the same host and path by HTTPS. Not with `tls`.",
    ),
    key(
        "redirect-port",
        Else("443"),
        Whole(1, 65535, |d, v| {
            d.redirect_port = u16::try_from(v).ok();
        }),
        "The port there. Needs `redirect-to-https`.",
    ),
];

/// `[tls]`.
pub(crate) const TLS: &[Key<GatewayDraft>] = &[
    key(
        "minimum-version",
        Value("'1.2'"),
        Choice(&[
            ("1.2", |d| d.tls.minimum_version = TlsVersion::Tls12),
            ("1.3", |d| d.tls.minimum_version = TlsVersion::Tls13),
        ]),
        "Older versions are refused.",
    ),
    key(
        "handshake-timeout",
        Value("'10s'"),
        Span(MILLI, MINUTE.saturating_mul(10), |d, v| {
            d.tls.handshake_timeout = v;
        }),
        "For the whole handshake.",
    ),
    key(
        "concurrent-handshakes",
        Else("half of `threads`, at least 1"),
        Whole(1, 1024, |d, v| d.tls.concurrent_handshakes = Some(wide(v))),
        "Handshakes that are computed at the same time, so that many of them leave cores to \
         requests. Those that wait for the client do not count.",
    ),
    key(
        "hsts-max-age",
        Else("no header"),
        Seconds(ZERO, DAY.saturating_mul(3660), |d, v| {
            d.tls.hsts_max_age = Some(v);
        }),
        "`Strict-Transport-Security` on every answer over TLS, unless the function sends its own; \
         `\"0s\"` makes browsers forget it.",
    ),
    key(
        "hsts-include-subdomains",
        Value("false"),
        Flag(|d, v| d.tls.hsts_include_subdomains = v),
        "For all hosts below as well. Needs `hsts-max-age`.",
    ),
    key(
        "hsts-preload",
        Value("false"),
        Flag(|d, v| d.tls.hsts_preload = v),
        "The lists that browsers are built with may have the host. Needs \
         `hsts-include-subdomains` and a `hsts-max-age` of at least `\"8760h\"`.",
    ),
];

/// `[[certificates]]`.
pub(crate) const CERTIFICATES: &[Key<CertificateDraft>] = &[
    key(
        "certificate",
        Required,
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.certificate, rules::path(v).map(Some))
        }),
        "A PEM file with the certificate and then those that lead to its authority.",
    ),
    key(
        "key",
        Required,
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.key, rules::path(v).map(Some))
        }),
        "A PEM file with its private key.",
    ),
    key(
        "hosts",
        Else("the names in the certificate"),
        Texts(List {
            rule: rules::HOST,
            least: 1,
            clear: |d| d.hosts.clear(),
            push: |d, v| rules::push(&mut d.hosts, rules::host(v)),
        }),
        "The hosts that it is shown for, as in routes: `*.example.org` for all below. No two certificates \
         have the same one.",
    ),
    key(
        "default",
        Else("true for the first one unless another one is"),
        Flag(|d, v| d.default = v),
        "It is shown for hosts that no certificate has, and to clients that name none.",
    ),
    key(
        "client-certificates",
        Value("'none'"),
        Choice(&[
            ("none", |d| d.demand = ClientDemand::None),
            ("optional", |d| d.demand = ClientDemand::Optional),
            ("required", |d| d.demand = ClientDemand::Required),
        ]),
        "Whether clients of these hosts are asked for a certificate of their own. One that is \
         shown must be valid.",
    ),
    key(
        "client-ca",
        Else("none"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.client_ca, rules::path(v).map(Some))
        }),
        "A PEM file with the authorities of clients' certificates. Needed by \
         `client-certificates` other than `none`, and only with it.",
    ),
];
