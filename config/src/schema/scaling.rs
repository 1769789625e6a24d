//! The keys of a manifest that the scaler uses. Knative's knobs have Knative's names.

use stoker_core::{Admission, Aggregation, Policy};

use super::Field::{Choice, Number, Span, Whole};
use super::Preset::{Else, Value};
use super::{Bounds, Key, key};
use crate::draft::FunctionDraft;
use crate::units::{DAY, HOUR, MILLI, MINUTE, SECOND, ZERO, narrow};

type Draft = FunctionDraft;

/// `[scaling]`.
pub(crate) const SCALING: &[Key<Draft>] = &[
    key(
        "policy",
        Value("'on-arrival'"),
        Choice(&[
            ("on-arrival", |d| d.scaling.policy = Policy::OnArrival),
            ("fixed", |d| d.scaling.policy = Policy::OnArrival),
            ("kpa", |d| d.scaling.policy = Policy::Kpa),
            ("histogram", |d| d.scaling.policy = Policy::Histogram),
            ("goal", |d| d.scaling.policy = Policy::Goal),
        ]),
        "`on-arrival` starts an instance when a request needs one and stops it when it has been \
         idle for a fixed time, and `fixed` is another name for it; `kpa` is Knative's pod \
         autoscaler, term for term; `histogram` starts like `on-arrival`, and lets the last instance \
         go and come back by the times for which the function was empty so far (\"Serverless in the \
         Wild\"); `goal` meets a stated wait at the least cost.",
    ),
    key(
        "concurrency",
        Value("1"),
        Whole(1, 1000, |d, v| d.scaling.concurrency = narrow(v)),
        "Hard limit of requests at once per instance.",
    ),
    key(
        "target",
        Else("`concurrency`"),
        Number(
            Bounds {
                min: 0.0,
                above: true,
                max: 1000.0,
            },
            |d, v| d.target = Some(v),
        ),
        "`kpa`: soft load per instance that the scaler aims at; no more than `concurrency`.",
    ),
    key(
        "target-utilization-percentage",
        Value("70"),
        Number(PERCENT, |d, v| d.scaling.target_utilization_percentage = v),
        "`kpa`: share of `target` to plan for.",
    ),
    key(
        "min-scale",
        Value("0"),
        Whole(0, 1000, |d, v| d.scaling.min_scale = narrow(v)),
        "Never fewer instances; no more than `max-scale`.",
    ),
    key(
        "max-scale",
        Value("8"),
        Whole(1, 1000, |d, v| d.scaling.max_scale = narrow(v)),
        "Never more instances. The default suits a machine with 2 cores.",
    ),
    key(
        "initial-scale",
        Value("0"),
        Whole(0, 1000, |d, v| d.scaling.initial_scale = narrow(v)),
        "Instances started when the function is first registered; no more than `max-scale`.",
    ),
    key(
        "activation-scale",
        Value("1"),
        Whole(1, 1000, |d, v| d.scaling.activation_scale = narrow(v)),
        "When there is any load, at least this many; no more than `max-scale`.",
    ),
    key(
        "idle-timeout",
        Value("'60s'"),
        Span(ZERO, DAY, |d, v| d.scaling.idle_timeout = v),
        "How long an instance stays idle before it is stopped; not `kpa`. `histogram` and `goal`: \
         where they do not know better.",
    ),
    key(
        "freeze-after",
        Else("never"),
        Span(MILLI.saturating_mul(10), DAY, |d, v| {
            d.scaling.freeze.after = Some(v);
        }),
        "How long an instance stays idle before it is frozen: it keeps its place and its \
         memory, gets no CPU, so that its background threads and timers rest too, and runs again \
         with the next request. `on-arrival`: below `idle-timeout`. Needs control groups.",
    ),
    key(
        "keep-hot",
        Value("0"),
        Whole(0, 1000, |d, v| d.scaling.freeze.keep_hot = narrow(v)),
        "With `freeze-after`: so many idle instances, those used last, are not frozen.",
    ),
    key(
        "stable-window",
        Value("'60s'"),
        Span(SECOND.saturating_mul(6), HOUR, |d, v| {
            d.scaling.stable_window = v
        }),
        "`kpa`: averaging window in stable mode.",
    ),
    key(
        "metric-aggregation-algorithm",
        Value("'linear'"),
        Choice(&[
            ("linear", |d| {
                d.scaling.metric_aggregation_algorithm = Aggregation::Linear;
            }),
            ("weighted-exponential", |d| {
                d.scaling.metric_aggregation_algorithm = Aggregation::WeightedExponential;
            }),
        ]),
        "`kpa`: whether all of a window counts the same, or later seconds count more.",
    ),
    key(
        "panic-window-percentage",
        Value("10"),
        Number(PERCENT, |d, v| d.scaling.panic_window_percentage = v),
        "`kpa`: panic window as a share of the stable window.",
    ),
    key(
        "panic-threshold-percentage",
        Value("200"),
        Number(
            Bounds {
                min: 110.0,
                above: false,
                max: 1000.0,
            },
            |d, v| {
                d.scaling.panic_threshold_percentage = v;
            },
        ),
        "`kpa`: desired over ready instances at which panic begins.",
    ),
    key(
        "max-scale-up-rate",
        Value("1000"),
        Number(RATE, |d, v| d.scaling.max_scale_up_rate = v),
        "`kpa`: largest factor of growth in one decision.",
    ),
    key(
        "max-scale-down-rate",
        Value("2"),
        Number(RATE, |d, v| d.scaling.max_scale_down_rate = v),
        "`kpa`: largest factor of decrease in one decision.",
    ),
    key(
        "scale-down-delay",
        Value("'0s'"),
        Span(ZERO, HOUR, |d, v| d.scaling.scale_down_delay = v),
        "A lower count must have been wanted for this long before it is acted on.",
    ),
    key(
        "scale-to-zero-grace-period",
        Value("'30s'"),
        Span(ZERO, HOUR, |d, v| d.scaling.scale_to_zero_grace_period = v),
        "`kpa`: the last instance stays at least this long after traffic ended.",
    ),
    key(
        "scale-to-zero-retention",
        Value("'0s'"),
        Span(ZERO, DAY, |d, v| d.scaling.scale_to_zero_retention = v),
        "`kpa`: the last instance stays at least this long, whatever the grace period.",
    ),
    key(
        "tick-interval",
        Value("'2s'"),
        Span(MILLI.saturating_mul(10), MINUTE, |d, v| {
            d.scaling.tick_interval = v
        }),
        "`kpa`: between two decisions that no request caused; no more than `stable-window`.",
    ),
    key(
        "histogram-range",
        Value("'4h'"),
        Span(SECOND, DAY.saturating_mul(7), |d, v| {
            d.scaling.histogram_range = v
        }),
        "`histogram`: the longest time for which the function was empty that is told apart, in \
         240 steps.",
    ),
    key(
        "wait-p99",
        Value("'50ms'"),
        Span(ZERO, HOUR, |d, v| d.scaling.wait_p99 = v),
        "`goal`: at most one request in a hundred is to wait longer than this for a free slot, at the \
         least cost. If a start takes less, instances start just in time and idle only as long as \
         that costs less than to start again; else as many idle as that takes.",
    ),
    key(
        "max-idle-percentage",
        Value("0"),
        Number(
            Bounds {
                min: 0.0,
                above: false,
                max: 1e6,
            },
            |d, v| {
                d.scaling.max_idle_percentage = v;
            },
        ),
        "`goal`: the ceiling on its cost: idle instance-seconds for 100 busy ones, above which \
         idling counts as dearer in proportion, even if more requests wait longer then. 0 for none.",
    ),
    key(
        "start-price",
        Value("5"),
        Number(
            Bounds {
                min: 0.1,
                above: false,
                max: 1e4,
            },
            |d, v| {
                d.scaling.start_price = v;
            },
        ),
        "`goal`: the seconds of idling that a second of starting is worth: starting takes a CPU, \
         idling memory only. With a higher price instances stay longer and start more rarely.",
    ),
    key(
        "max-starting",
        Else("`max-scale`"),
        Whole(1, 1000, |d, v| d.max_starting = Some(narrow(v))),
        "Instances of the function starting at once. `[starts]` of the gateway file limits what \
         all functions start.",
    ),
    key(
        "slow-start",
        Value("'0s'"),
        Span(ZERO, HOUR, |d, v| d.scaling.slow_start = v),
        "A new instance takes a tenth of `concurrency` at first (at least 1) and a tenth more \
         after each tenth of this time. It starts no further instances.",
    ),
];

/// `[queue]`.
pub(crate) const QUEUE: &[Key<Draft>] = &[
    key(
        "max-waiters",
        Value("1000"),
        Whole(0, 1_000_000, |d, v| d.scaling.max_waiters = narrow(v)),
        "Requests of the function waiting at once; further ones are rejected.",
    ),
    key(
        "admission",
        Value("'deadline'"),
        Choice(&[
            ("deadline", |d| d.scaling.admission = Admission::Deadline),
            ("off", |d| d.scaling.admission = Admission::Off),
        ]),
        "`deadline` refuses a request at once that would wait clearly longer than \
         `timeouts.queue` or than its caller says it will wait, by the start and service times \
         measured so far.",
    ),
];

/// `[backoff]`.
pub(crate) const BACKOFF: &[Key<Draft>] = &[
    key(
        "initial",
        Value("'100ms'"),
        Span(MILLI, HOUR, |d, v| d.scaling.backoff.initial = v),
        "After the first failure; no more than `max`, and by default cut down to it.",
    ),
    key(
        "max",
        Value("'30s'"),
        Span(MILLI, HOUR, |d, v| d.scaling.backoff.max = v),
        "The longest delay.",
    ),
    key(
        "reject-after",
        Value("3"),
        Whole(1, 1000, |d, v| d.scaling.backoff.reject_after = narrow(v)),
        "From this many failures in a row, waiting callers get the cause, and so do new ones until \
         the delay is over.",
    ),
];

const PERCENT: Bounds = Bounds {
    min: 1.0,
    above: false,
    max: 100.0,
};

const RATE: Bounds = Bounds {
    min: 1.0,
    above: true,
    max: 1_000_000.0,
};
