//! The keys of the gateway file about what is published to it.

use super::Field::{Size, Span, Text, Whole};
use super::Preset::{Else, Value};
use super::{Content, Key, Section, key, rules};
use crate::draft::GatewayDraft;
use crate::units::{DAY, KIB, MINUTE, SECOND, TIB, wide};

pub(super) const SECTION: Section<GatewayDraft> = Section {
    name: "registry",
    meaning: "What is published to the gateway: `registry/` of the state directory has the packages, \
        their code, and a database of functions, revisions, settings, secrets and changes.",
    content: Content::Keys(REGISTRY),
};

const REGISTRY: &[Key<GatewayDraft>] = &[
    key(
        "key-file",
        Else("`secrets.key` in that directory"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.registry.key_file, rules::path(v).map(Some))
        }),
        "The key by which secrets are encrypted: 32 random bytes, mode 0600; made when the first secret \
         is set. Without it no secret can be read again.",
    ),
    key(
        "keep-revisions",
        Value("20"),
        Whole(1, 1000, |d, v| d.registry.keep_revisions = wide(v)),
        "Revisions of each function that are kept, the newest. What has traffic, copies of it or an \
         alias is always kept, as are the newest one and the one before that with traffic.",
    ),
    key(
        "keep-for",
        Value("'720h'"),
        Span(MINUTE, DAY.saturating_mul(3650), |d, v| {
            d.registry.keep_for = v
        }),
        "Nor is any of them kept for longer after it was published or had traffic last.",
    ),
    key(
        "collect-interval",
        Value("'10m'"),
        Span(SECOND, DAY, |d, v| d.registry.collect_interval = v),
        "Between two collections of what is not kept.",
    ),
    key(
        "addressable",
        Value("5"),
        Whole(1, 100, |d, v| d.registry.addressable = wide(v)),
        "Revisions of each function, the newest, that can be called as `/function/NAME:rN` without \
         traffic or an alias.",
    ),
    key(
        "max-bytes",
        Value("'10GiB'"),
        Size(64 * KIB, 1024 * TIB, |d, v| d.registry.max_bytes = v),
        "Of all packages and of their code, unpacked and built, together; beyond it nothing more can \
         be published. What is published at the same time does not count for each other.",
    ),
    key(
        "publishing",
        Value("2"),
        Whole(1, 100, |d, v| d.registry.publishing = wide(v)),
        "Packages that are checked, built and tried at the same time; others wait.",
    ),
    key(
        "audit-entries",
        Value("100000"),
        Whole(1, 100_000_000, |d, v| d.registry.audit_entries = v),
        "Changes that are remembered with who made them, the newest.",
    ),
];
