//! The keys of the gateway file about how much is started at the same time.

use super::Field::{Flag, Size, Span, Whole};
use super::Preset::{Else, Value};
use super::{Key, key};
use crate::draft::GatewayDraft;
use crate::units::{HOUR, MILLI, TIB, narrow, wide};

pub(super) const STARTS: &[Key<GatewayDraft>] = &[
    key(
        "at-once",
        Else("four times the number of cores"),
        Whole(1, 10_000, |d, v| d.starts.at_once = Some(narrow(v))),
        "Starts under way at the same time, from the request to the spawner until the instance \
         takes requests. A fourth of it, rounded down, is for functions that have none under way.",
    ),
    key(
        "yield-after",
        Value("'1s'"),
        Span(MILLI, HOUR, |d, v| d.starts.yield_after = v),
        "A start that takes longer than this leaves its place to another one.",
    ),
    key(
        "per-second",
        Value("5000"),
        Whole(1, 1_000_000, |d, v| d.starts.per_second = narrow(v)),
        "Starts per second.",
    ),
    key(
        "burst",
        Value("1000"),
        Whole(1, 1_000_000, |d, v| d.starts.burst = narrow(v)),
        "Starts beyond `per-second` after a pause.",
    ),
    key(
        "memory-reserve",
        Value("'64MiB'"),
        Size(0, TIB, |d, v| d.starts.memory_reserve_bytes = v),
        "Nothing is started while less memory is available than this and what an instance of the \
         function is known to take; 0 starts in any case.",
    ),
    key(
        "evict-idle",
        Value("true"),
        Flag(|d, v| d.starts.evict_idle = v),
        "Instances of other functions are stopped for a start that waits for memory, those that \
         were idle for the longest time first, as far as their scaling allows.",
    ),
    key(
        "stubs",
        Value("4"),
        Whole(0, 100, |d, v| d.stubs = wide(v)),
        "Programs for which a process waits that has done all but execute it, so that the next \
         instance starts sooner: those that were started last, within a minute. Takes effect with \
         the next start of the gateway or upgrade.",
    ),
];
