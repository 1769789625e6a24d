//! The keys of a manifest for instances that fail and requests that are repeated.

use super::Field::{Flag, Number, Span, Whole};
use super::Preset::Value;
use super::{Bounds, Key, key};
use crate::draft::FunctionDraft;
use crate::units::{DAY, HOUR, MILLI, narrow};

type Draft = FunctionDraft;

/// `[health]`.
pub(crate) const HEALTH: &[Key<Draft>] = &[
    key(
        "failures",
        Value("5"),
        Whole(0, 1000, |d, v| d.scaling.health.failures = narrow(v)),
        "After this many failures without an answer in between an instance is set aside; 0 for \
         never.",
    ),
    key(
        "ejection",
        Value("'10s'"),
        Span(MILLI.saturating_mul(10), HOUR, |d, v| {
            d.scaling.health.ejection = v
        }),
        "How long, times the number of times that it was set aside; then one request tries it. No \
         more than `max-ejection`, and by default cut down to it.",
    ),
    key(
        "max-ejection",
        Value("'5m'"),
        Span(MILLI.saturating_mul(10), DAY, |d, v| {
            d.scaling.health.max_ejection = v
        }),
        "The longest time. An instance that is good for as long is no longer held to its past.",
    ),
    key(
        "max-ejected-percentage",
        Value("50"),
        Number(SHARE, |d, v| d.scaling.health.max_ejected_percentage = v),
        "At most this share of the ready instances is set aside, and never the last one.",
    ),
    key(
        "replace-after",
        Value("3"),
        Whole(1, 1000, |d, v| d.scaling.health.replace_after = narrow(v)),
        "An instance that would be set aside more often than this is stopped, and another one is \
         started if it is needed.",
    ),
    key(
        "server-errors",
        Value("false"),
        Flag(|d, v| d.server_errors_fail = v),
        "Answers with status 5xx are failures too, except for 503 with `Retry-After`, which says \
         that the instance is busy.",
    ),
];

/// `[retry]`.
pub(crate) const RETRY: &[Key<Draft>] = &[
    key(
        "idempotent",
        Value("false"),
        Flag(|d, v| d.retry.idempotent = v),
        "A request with GET, HEAD, PUT, DELETE, OPTIONS or TRACE is sent again if its instance \
         broke off before the head of the answer and its body is empty or still held.",
    ),
    key(
        "attempts",
        Value("4"),
        Whole(1, 16, |d, v| d.retry.attempts = narrow(v)),
        "Times that one request is sent at most, also when nothing of it was taken before.",
    ),
    key(
        "budget-percentage",
        Value("20"),
        Number(SHARE, |d, v| d.retry.budget_percentage = v),
        "Retries are at most this share of the function's requests of the last 10 s, besides \
         `budget-minimum`.",
    ),
    key(
        "budget-minimum",
        Value("10"),
        Whole(0, 100_000, |d, v| d.retry.budget_minimum = narrow(v)),
        "Retries per second that are always allowed, on average over 10 s.",
    ),
];

const SHARE: Bounds = Bounds {
    min: 0.0,
    above: false,
    max: 100.0,
};
