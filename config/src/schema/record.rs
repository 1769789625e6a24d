//! The keys of the gateway file about the record of what happens.

use super::Field::{Flag, Size, Span, Whole};
use super::Preset::Value;
use super::{Content, Key, Section, key};
use crate::draft::GatewayDraft;
use crate::units::{DAY, KIB, MINUTE, TIB, wide};

pub(super) const SECTION: Section<GatewayDraft> = Section {
    name: "record",
    meaning: "The record of arrivals, service times, start times, decisions and lifetimes of \
        instances, from which `stoker record export`, `stoker explain` and its counterfactuals \
        are made. It has nothing that a request said and no address.",
    content: Content::Keys(RECORD),
};

const RECORD: &[Key<GatewayDraft>] = &[
    key(
        "enabled",
        Value("true"),
        Flag(|d, v| d.record.enabled = v),
        "Whether anything is recorded.",
    ),
    key(
        "memory",
        Value("'16MiB'"),
        Size(64 * KIB, TIB, |d, v| d.record.memory_bytes = wide(v)),
        "Held of all functions together; beyond that the oldest part is forgotten. A request takes \
         some six bytes.",
    ),
    key(
        "keep",
        Value("'24h'"),
        Span(MINUTE, DAY.saturating_mul(365), |d, v| d.record.keep = v),
        "What is older is forgotten.",
    ),
    key(
        "file",
        Value("false"),
        Flag(|d, v| d.record.file = v),
        "Whether it is also written to files in `record/` of the state directory, and read from \
         there at the next start. Without them it goes with the gateway, unless another one takes \
         over.",
    ),
    key(
        "file-bytes",
        Value("'16MiB'"),
        Size(64 * KIB, TIB, |d, v| d.record.file_bytes = v),
        "Size at which a file is followed by a new one.",
    ),
    key(
        "files",
        Value("4"),
        Whole(1, 1000, |d, v| d.record.files = wide(v)),
        "Files kept, the current one included.",
    ),
];
