//! What a canary does next, from what was counted.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use stoker_gateway::{FunctionStats, Latencies};

use super::Bounds;

/// 95 % of what is drawn from a normal distribution is less than this many deviations off.
const DEVIATIONS: f64 = 1.96;
/// Latencies this close are the same, whatever their ratio, in seconds.
const CLOSE: f64 = 0.005;
/// So many failures say something, however few requests there were.
const FEW: u64 = 5;

/// What some revisions counted over some time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Requests that ended.
    pub requests: u64,
    /// Those that were answered with 5xx or did not come to their end.
    pub failures: u64,
    /// From the arrival to the head of the answer, of warm requests: how often a revision starts
    /// cold says how much traffic it has, not how good it is.
    pub latencies: Latencies,
}

/// Where a canary stands.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Since when it has the share that it has.
    pub elapsed: Duration,
    /// How long it is to have it.
    pub interval: Duration,
    /// There is no larger share to come.
    pub last: bool,
    /// What is allowed.
    pub bounds: &'a Bounds,
}

/// What a canary does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// Nothing yet, and what it waits for.
    Wait(&'static str),
    /// The next share.
    Advance,
    /// It has all, and has proved itself.
    Succeed,
    /// Everything goes back, and why.
    RollBack(String),
}

/// What a canary does next, from what the new revision counted in this step and what the old ones
/// counted since it began.
///
/// A failing revision goes back as soon as chance does not explain its failures: when the lower
/// bound of its error rate (Wilson's interval, 1927) is above the old one's and the tolerance.
/// Latency is compared at 99 %, once both have enough requests. It goes on when the time is over and
/// there were enough requests; without any it waits.
pub fn decide(step: &Step<'_>, new: &Stats, old: &Stats) -> Move {
    let bounds = step.bounds;
    if let Some(why) = fails(bounds, new, old).or_else(|| is_slow(bounds, new, old)) {
        return Move::RollBack(why);
    }
    match (step.elapsed < step.interval, new.requests < bounds.requests) {
        (true, _) => Move::Wait("its time at this share is not over"),
        (false, true) => Move::Wait("it had too few requests to judge by"),
        (false, false) if step.last => Move::Succeed,
        (false, false) => Move::Advance,
    }
}

fn fails(bounds: &Bounds, new: &Stats, old: &Stats) -> Option<String> {
    let before = rate(old.failures, old.requests);
    let allowed = before + bounds.error_percentage / 100.0;
    let least = lower_bound(new.failures, new.requests);
    (new.failures >= FEW && least > allowed).then(|| {
        format!(
            "{} of its {} requests failed, {}, where {} of those of the old ones did",
            new.failures,
            new.requests,
            Percent(rate(new.failures, new.requests)),
            Percent(before),
        )
    })
}

fn is_slow(bounds: &Bounds, new: &Stats, old: &Stats) -> Option<String> {
    let enough = |stats: &Stats| stats.latencies.count >= bounds.requests;
    if !enough(new) || !enough(old) {
        return None;
    }
    let new = new.latencies.quantile(0.99)?;
    let old = old.latencies.quantile(0.99)?;
    let limit = (old * bounds.latency_ratio).max(old + CLOSE);
    (new > limit).then(|| {
        format!(
            "99 % of its answers began within {:.1} ms, those of the old ones within {:.1} ms",
            new * 1000.0,
            old * 1000.0,
        )
    })
}

fn rate(part: u64, of: u64) -> f64 {
    if of == 0 {
        return 0.0;
    }
    part as f64 / of as f64
}

/// The lower end of Wilson's score interval for `part` of `of`.
fn lower_bound(part: u64, of: u64) -> f64 {
    if of == 0 {
        return 0.0;
    }
    let (n, z2) = (of as f64, DEVIATIONS * DEVIATIONS);
    let p = part as f64 / n;
    let middle = p + z2 / (2.0 * n);
    let spread = DEVIATIONS * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - spread) / (1.0 + z2 / n)).max(0.0)
}

struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} %", self.0 * 100.0)
    }
}

impl Stats {
    /// What came since `before`, which was counted earlier by the same gateway.
    pub fn since(now: &FunctionStats, before: &FunctionStats) -> Stats {
        let mut latencies = now.warm.since(&before.warm);
        latencies.add(&now.thawed.since(&before.thawed));
        Stats {
            requests: now.requests().saturating_sub(before.requests()),
            failures: now.errors().saturating_sub(before.errors()),
            latencies,
        }
    }

    /// Adds what was counted after or beside it.
    pub fn add(&mut self, other: &Stats) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.latencies.add(&other.latencies);
    }
}
