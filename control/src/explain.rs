//! Why a function has as many instances as it has, or had, in sentences.

mod now;
mod past;

use std::time::Duration;

use stoker_core::{Clamp, Decision, Mode};

pub(crate) use now::now;
pub(crate) use past::past;

use crate::span::span;
use crate::wire::DecisionInfo;

/// The decision's terms, and what it would have been without the bound that won.
pub(crate) fn decision(decision: &Decision) -> DecisionInfo {
    DecisionInfo {
        desired: decision.desired,
        unclamped: decision.why.unclamped,
        mode: mode(decision.mode),
        clamp: decision.why.clamp.to_string(),
        why: decision.why.to_string(),
    }
}

/// As programs see it.
pub(crate) fn mode(mode: Mode) -> String {
    match mode {
        Mode::Stable => "stable".to_owned(),
        Mode::Panic => "panic".to_owned(),
    }
}

/// What the bound that won has changed, as a sentence.
fn bound(decision: &Decision) -> String {
    let (desired, unclamped) = (decision.desired, decision.why.unclamped);
    match decision.why.clamp {
        Clamp::None => "No bound changed that.".to_owned(),
        clamp if unclamped == desired => {
            format!("The bound that won is {clamp}; without it the answer would be the same.")
        }
        clamp => format!("Without {clamp} it would be {}.", instances(unclamped)),
    }
}

fn instances(count: u32) -> String {
    match count {
        1 => "1 instance".to_owned(),
        count => format!("{count} instances"),
    }
}

fn requests(count: u64) -> String {
    match count {
        1 => "1 request".to_owned(),
        count => format!("{count} requests"),
    }
}

/// So long before the time that is explained.
fn ago(time: Duration) -> String {
    format!("{} ago", span(time))
}
