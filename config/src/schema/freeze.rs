//! The keys of the gateway file about memory that runs short while instances are frozen.

use super::Field::{Choice, Number, Span};
use super::Preset::Value;
use super::{Bounds, Key, key};
use crate::draft::GatewayDraft;
use crate::spec::ReclaimSpec;
use crate::units::{HOUR, MILLI};

pub(super) const FREEZE: &[Key<GatewayDraft>] = &[
    key(
        "reclaim",
        Value("'pressure'"),
        Choice(&[
            ("pressure", |d| d.freeze.reclaim = ReclaimSpec::Pressure),
            ("always", |d| d.freeze.reclaim = ReclaimSpec::Always),
            ("off", |d| d.freeze.reclaim = ReclaimSpec::Off),
        ]),
        "When frozen instances give their memory back to the machine: while memory is short, as \
         soon as they are frozen, or never. What they wrote goes to swap, and stays where there is \
         none.",
    ),
    key(
        "available-percentage",
        Value("10"),
        Number(
            Bounds {
                min: 0.0,
                above: false,
                max: 100.0,
            },
            |d, v| d.freeze.available_percentage = v,
        ),
        "Memory is short while less than this part of it is available (`MemAvailable`). Then all \
         idle instances of functions with `scaling.freeze-after` are frozen, but for `keep-hot`; \
         from the second look on, a quarter of those that gave their memory back is stopped at each \
         look, the idlest first, and none that the policy or `min-scale` wants. 0 for never.",
    ),
    key(
        "stalled-percentage",
        Value("20"),
        Number(
            Bounds {
                min: 0.0,
                above: false,
                max: 100.0,
            },
            |d, v| d.freeze.stalled_percentage = v,
        ),
        "Memory is scarce while programs stood still for want of it for this part of the time since the \
         look before (`some` in `/proc/pressure/memory`, where the kernel has it). Then idle instances \
         are frozen and give their memory back too, and no processes are kept ready for functions \
         without requests; none is stopped for that. 0 for never.",
    ),
    key(
        "interval",
        Value("'1s'"),
        Span(MILLI.saturating_mul(10), HOUR, |d, v| d.freeze.interval = v),
        "Between two looks at the machine's memory. Nothing is looked at while no function has \
         instances frozen.",
    ),
];
