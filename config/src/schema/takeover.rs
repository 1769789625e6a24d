//! The keys of the gateway file about upgrades without downtime.

use super::Field::Span;
use super::Preset::{Else, Value};
use super::{Key, key};
use crate::draft::GatewayDraft;
use crate::units::{HOUR, MILLI, ZERO};

pub(super) const TAKEOVER: &[Key<GatewayDraft>] = &[
    key(
        "timeout",
        Value("'30s'"),
        Span(MILLI, HOUR, |d, v| d.takeover.timeout = v),
        "For the new gateway, from its execution until it has read its configuration and is \
         prepared. If it is not by then it is killed, and this one serves on.",
    ),
    key(
        "idle-grace",
        Else("`timeouts.header`"),
        Span(ZERO, HOUR, |d, v| d.takeover.idle_grace = Some(v)),
        "For callers' idle connections to the gateway that was replaced. The next answer on each \
         says `Connection: close`; one on which nothing is asked for so long is closed. With the \
         default that is no sooner than without an upgrade.",
    ),
];
