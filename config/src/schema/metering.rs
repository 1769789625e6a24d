//! The keys about usage: how it is kept, what it costs, and how much a function may have of it.

use super::Field::{Choice, Flag, Number, Span, Text, Whole};
use super::Preset::{Else, Value};
use super::{Bounds, Content, Key, Section, key};
use crate::draft::{FunctionDraft, GatewayDraft};
use crate::spec::BudgetPeriod;
use crate::units::{DAY, HOUR, SECOND};

/// A price or an amount of money.
const MONEY: Bounds = Bounds {
    min: 0.0,
    above: false,
    max: 1e12,
};

const AMOUNT: Bounds = Bounds {
    min: 0.0,
    above: true,
    max: 1e12,
};

const PERCENT: Bounds = Bounds {
    min: 0.0,
    above: true,
    max: 100.0,
};

/// Of the gateway file.
pub(super) const METERING: Section<GatewayDraft> = Section {
    name: "metering",
    meaning: "What functions use: invocations, time, CPU, memory and bytes, for `stoker usage`. It is \
        counted in `metering/ledger` of the state directory, which outlives the gateway, and entered \
        in the books in `metering/usage.db`.",
    content: Content::Keys(&[
        key(
            "enabled",
            Value("true"),
            Flag(|d, v| d.metering.enabled = v),
            "Whether books are kept; without them there is no usage and no budget. Takes effect with \
             the next start of the gateway or upgrade.",
        ),
        key(
            "interval",
            Value("'5s'"),
            Span(SECOND, HOUR, |d, v| d.metering.interval = v),
            "Between two looks at what instances use and entries in the books. Where there are budgets, \
             what is counted is looked at every second as well. What an instance used at its end is known exactly in any case.",
        ),
        key(
            "keep-minutes",
            Value("'48h'"),
            Span(HOUR, DAY.saturating_mul(366), |d, v| {
                d.metering.keep_minutes = v
            }),
            "Rows of minutes are kept for so long.",
        ),
        key(
            "keep-hours",
            Value("'2208h'"),
            Span(DAY, DAY.saturating_mul(3660), |d, v| {
                d.metering.keep_hours = v
            }),
            "Rows of hours are kept for so long.",
        ),
        key(
            "keep-days",
            Value("'26400h'"),
            Span(
                DAY.saturating_mul(31),
                DAY.saturating_mul(36_600),
                |d, v| d.metering.keep_days = v,
            ),
            "Rows of days are kept for so long. Budgets are made of them.",
        ),
    ]),
};

/// Of the gateway file.
pub(super) const PRICES: Section<GatewayDraft> = Section {
    name: "prices",
    meaning: "What usage costs, so that `stoker usage` shows money and budgets may be money. What costs \
        nothing is free. Prices that change hold for what was used before, too.",
    content: Content::Keys(&[
        key(
            "currency",
            Value("''"),
            Text("a name of at most 8 letters, such as \"EUR\"", |d, v| {
                let fits = v.len() <= 8 && v.bytes().all(|byte| byte.is_ascii_alphabetic());
                if fits {
                    v.clone_into(&mut d.prices.currency);
                }
                fits
            }),
            "How the currency is called.",
        ),
        key(
            "per-million-invocations",
            Value("0.0"),
            Number(MONEY, |d, v| d.prices.per_million_invocations = v),
            "Of a million invocations.",
        ),
        key(
            "per-gb-second",
            Value("0.0"),
            Number(MONEY, |d, v| d.prices.per_gb_second = v),
            "Of a GB (2^30 bytes) of memory for a second, of instances that start or have a request: \
             the `resources.memory` of the manifest or, without it, what they use.",
        ),
        key(
            "per-idle-gb-second",
            Value("0.0"),
            Number(MONEY, |d, v| d.prices.per_idle_gb_second = v),
            "The same of instances that are idle or frozen.",
        ),
        key(
            "per-cpu-second",
            Value("0.0"),
            Number(MONEY, |d, v| d.prices.per_cpu_second = v),
            "Of a second of CPU time.",
        ),
    ]),
};

/// Of a manifest.
pub(super) const BUDGET: Section<FunctionDraft> = Section {
    name: "budget",
    meaning: "How much the function may use, all of its revisions together. The limits are looked at \
        every second, so that a little more may be used; CPU time is known every `metering.interval`. A budget that was set through \
        the admin API counts in place of this one.",
    content: Content::Keys(BUDGET_KEYS),
};

const BUDGET_KEYS: &[Key<FunctionDraft>] = &[
    key(
        "period",
        Value("'month'"),
        Choice(&[
            ("month", |d| d.budget.period = BudgetPeriod::Month),
            ("day", |d| d.budget.period = BudgetPeriod::Day),
        ]),
        "For how long it is: a month of the calendar or a day, in UTC.",
    ),
    key(
        "money",
        Else("as much as there is"),
        Number(AMOUNT, |d, v| d.budget.money = Some(v)),
        "In the currency of the gateway's `[prices]`.",
    ),
    key(
        "invocations",
        Else("any number"),
        Whole(1, 1 << 53, |d, v| d.budget.invocations = Some(v)),
        "Requests that reach an instance.",
    ),
    key(
        "gb-seconds",
        Else("any number"),
        Number(AMOUNT, |d, v| d.budget.gb_seconds = Some(v)),
        "GB-seconds of instances that start or have a request, as `prices.per-gb-second` counts them.",
    ),
    key(
        "warn-percentage",
        Value("80"),
        Number(PERCENT, |d, v| d.budget.warn_percentage = v),
        "From this part on a line is written to the log once in the period, and the metric \
         `stoker_budget_used_ratio` makes an alert.",
    ),
    key(
        "stop",
        Value("true"),
        Flag(|d, v| d.budget.stop = v),
        "Requests are refused with 429 when it is used up, until the period ends.",
    ),
];
