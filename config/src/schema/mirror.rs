//! The keys of the gateway file about copies of requests.

use super::Field::{Size, Whole};
use super::Preset::Value;
use super::{Content, Key, Section, key};
use crate::draft::GatewayDraft;
use crate::units::{MIB, wide};

pub(super) const SECTION: Section<GatewayDraft> = Section {
    name: "mirror",
    meaning: "Copies of requests for revisions that mirror a function's traffic.",
    content: Content::Keys(MIRROR),
};

const MIRROR: &[Key<GatewayDraft>] = &[
    key(
        "max-requests",
        Value("32"),
        Whole(0, 10_000, |d, v| d.mirror.requests = wide(v)),
        "Copies under way at the same time, over all functions, from the request's arrival to the \
         end of the copy's answer. Beyond that requests are not copied; 0 copies none.",
    ),
    key(
        "max-body",
        Value("'64KiB'"),
        Size(0, 64 * MIB, |d, v| d.mirror.body_bytes = wide(v)),
        "A request with a longer body is not copied. So many bytes may be held for each copy.",
    ),
];
