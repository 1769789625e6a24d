//! One look after the other at a canary.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use stoker_gateway::FunctionStats;
use stoker_registry::{Store, StoreError};

use super::state::alike;
use super::{CanaryState, Move, Phase, Stats, Step, audit, decide, now_ms, write};

/// What was seen of a canary since the process runs.
#[derive(Default)]
pub(super) struct Watch {
    /// When it began and which step is looked at; another one begins anew.
    of: Option<(u64, usize)>,
    /// Since when.
    since: Option<Instant>,
    /// What revisions had counted at the last look, by their names.
    counted: HashMap<String, FunctionStats>,
    /// Of the new revision in this step.
    new: Stats,
    /// Of the others since it began.
    old: Stats,
}

impl Watch {
    /// Looks at it; whether the traffic was moved.
    pub(super) fn look<'s>(
        &mut self,
        store: &dyn Store,
        (function, mut state): (&str, CanaryState),
        counted: impl Iterator<Item = &'s FunctionStats>,
    ) -> Result<bool, StoreError> {
        let (now, wanted) = (store.traffic(function)?, state.wanted());
        if !alike(&now, &wanted) {
            if !state.placed && alike(&now, &state.last()) {
                // If somebody was faster, the next look sees what they did.
                return store.set_traffic(function, &wanted, Some(&now));
            }
            return foreign(store, (function, state));
        }
        if !state.placed {
            state.placed = true;
            write(store, function, &state)?;
        }
        if state.state != Phase::Running {
            return Ok(false);
        }
        self.count(&state, counted);
        let elapsed = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        let step = Step {
            elapsed,
            interval: Duration::from_millis(state.interval_ms),
            last: state.is_last(),
            bounds: &state.bounds,
        };
        let number = state.revision;
        let what = match decide(&step, &self.new, &self.old) {
            Move::Wait(_) => return Ok(false),
            Move::Advance => {
                state.advance(now_ms());
                format!("canary: revision {number} gets {} %", state.percent)
            }
            Move::Succeed => {
                let why = "it was as good as the others to the end".to_owned();
                state.end(Phase::Succeeded, why, now_ms());
                format!("canary: revision {number} keeps {} %", state.percent)
            }
            Move::RollBack(why) => {
                state.end(Phase::RolledBack, why.clone(), now_ms());
                format!("canary: revision {number} is rolled back: {why}")
            }
        };
        // Written down first: whoever goes on after a crash makes the move.
        write(store, function, &state)?;
        eprintln!("stoker: {function}: {what}");
        audit(store, function, "canary", what)?;
        let wanted = state.wanted();
        if alike(&now, &wanted) {
            return Ok(false);
        }
        store.set_traffic(function, &wanted, Some(&now))
    }

    /// Adds what came since the last look.
    fn count<'s>(&mut self, state: &CanaryState, counted: impl Iterator<Item = &'s FunctionStats>) {
        let of = (state.began_ms, state.step);
        let again = self.of.is_some_and(|(began, _)| began == state.began_ms);
        if self.of != Some(of) {
            self.of = Some(of);
            self.since = Some(Instant::now());
            self.new = Stats::default();
        }
        if !again {
            self.old = Stats::default();
            self.counted.clear();
        }
        let number = state.revision.to_string();
        let others: Vec<String> = state
            .before
            .weights
            .iter()
            .map(|it| it.revision.to_string())
            .collect();
        let first = self.counted.is_empty();
        for stats in counted {
            let before = self.counted.insert(stats.revision.clone(), stats.clone());
            // What was counted before the canary is none of its; a revision that appears later
            // counts from zero.
            let before = match before {
                Some(before) => before,
                None if first => continue,
                None => FunctionStats::default(),
            };
            let since = Stats::since(stats, &before);
            if stats.revision == number {
                self.new.add(&since);
            } else if others.contains(&stats.revision) {
                self.old.add(&since);
            }
        }
    }
}

/// Somebody else divided the traffic, unless the canary was moved since it was read.
fn foreign(
    store: &dyn Store,
    (function, mut state): (&str, CanaryState),
) -> Result<bool, StoreError> {
    let text = store.canary(function)?;
    let still = text.and_then(|text| serde_json::from_str::<CanaryState>(&text).ok());
    if still.as_ref() != Some(&state) {
        return Ok(false);
    }
    let why = "somebody else divided the traffic";
    let percent = store.traffic(function)?.percent(state.revision);
    if state.state == Phase::Running {
        state.end(Phase::Aborted, why.to_owned(), now_ms());
        state.percent = percent;
    }
    // What they did stays.
    state.placed = true;
    write(store, function, &state)?;
    audit(
        store,
        function,
        "canary",
        format!("canary: ended, for {why}"),
    )?;
    Ok(false)
}
