//! The keys of the gateway file about what functions did of late.

use super::Field::{Flag, Size, Span};
use super::Preset::Value;
use super::{Content, Key, Section, key};
use crate::draft::GatewayDraft;
use crate::units::{DAY, KIB, MINUTE, SECOND, TIB, wide};

pub(super) const SECTION: Section<GatewayDraft> = Section {
    name: "history",
    meaning: "Rate, latency, instances and queue of each function of late, for the portal's small \
        pictures and `GET /v1/history`. A function that does nothing takes no room. It goes on \
        after an upgrade or a restart, and begins anew after `kill -9`.",
    content: Content::Keys(HISTORY),
};

const HISTORY: &[Key<GatewayDraft>] = &[
    key(
        "enabled",
        Value("true"),
        Flag(|d, v| d.history.enabled = v),
        "Whether anything is remembered.",
    ),
    key(
        "keep",
        Value("'15m'"),
        Span(MINUTE, DAY, |d, v| d.history.keep = v),
        "What is older is forgotten.",
    ),
    key(
        "interval",
        Value("'5s'"),
        Span(SECOND, MINUTE, |d, v| d.history.interval = v),
        "Between two looks; each makes one point of every function that does something or has \
         instances.",
    ),
    key(
        "memory",
        Value("'8MiB'"),
        Size(64 * KIB, TIB, |d, v| d.history.memory_bytes = wide(v)),
        "Held of all functions together; beyond that the oldest looks are forgotten. A point takes \
         56 bytes.",
    ),
];
