//! As it was, by the record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::InstanceId;
use stoker_scaler::record::{Chunk, Decided, Ending, What};

use super::{ago, instances, mode, requests};
use crate::span::span;
use crate::wire::{DecisionInfo, ExplainedInstance, Explanation};

/// What is known of an instance.
#[derive(Clone, Copy, Default)]
struct Life {
    begun: Option<u64>,
    up: Option<u64>,
    ending: Option<(u64, Ending)>,
    ended: Option<u64>,
}

/// What was found.
#[derive(Default)]
struct Found {
    /// The last one by then, and when.
    decided: Option<(u64, Decided)>,
    lives: BTreeMap<InstanceId, Life>,
    in_flight: u64,
    waiting: u64,
    first: Option<u64>,
}

/// Explains what a function had at a time, in microseconds since 1970. `living` are the instances
/// that are there now, and when they were asked for.
pub(crate) fn past(
    name: &str,
    chunks: &[Arc<Chunk>],
    living: &[(InstanceId, u64)],
    at: u64,
) -> Explanation {
    let found = Found::of(chunks, living, at);
    let there: Vec<_> = found
        .lives
        .iter()
        .filter(|(_, life)| life.is_there(at))
        .collect();
    let mut sentences = Vec::new();
    match found.first {
        Some(first) if first <= at => {}
        _ => sentences.push("The record does not go back so far.".to_owned()),
    }
    sentences.push(format!(
        "{name} had {}, {} in flight and {} waiting, of those that are over now.",
        instances(there.len() as u32),
        requests(found.in_flight),
        found.waiting
    ));
    match &found.decided {
        None => sentences.push("No decision before that is in the record.".to_owned()),
        Some((since, decided)) => sentences.extend(said(decided, between(*since, at))),
    }
    Explanation {
        function: name.to_owned(),
        at_us: at,
        sentences,
        decision: found.decided.map(|(_, decided)| DecisionInfo {
            desired: decided.desired,
            unclamped: decided.unclamped,
            mode: mode(decided.mode),
            clamp: decided.clamp,
            why: decided.why,
        }),
        instances: there
            .into_iter()
            .map(|(id, life)| life.explain(*id, at))
            .collect(),
        counterfactual: None,
        shadow: None,
    }
}

fn said(decided: &Decided, since: Duration) -> Vec<String> {
    let mut said = vec![
        format!("{}.", decided.why),
        format!("That was decided {} before.", span(since)),
    ];
    if decided.unclamped != decided.desired {
        said.push(format!(
            "Without {} it would have been {}.",
            decided.clamp,
            instances(decided.unclamped)
        ));
    }
    said
}

impl Found {
    fn of(chunks: &[Arc<Chunk>], living: &[(InstanceId, u64)], at: u64) -> Found {
        let mut found = Found::default();
        for (id, begun) in living {
            found.lives.entry(*id).or_default().begun = Some(*begun);
        }
        for chunk in chunks {
            found.first = Some(found.first.map_or(chunk.first, |it| it.min(chunk.first)));
            for entry in chunk.entries() {
                found.add(entry.at, entry.what, at);
            }
        }
        found
    }

    fn add(&mut self, time: u64, what: What, at: u64) {
        let before = |span: Duration| {
            time.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
        };
        match what {
            What::Request(request) => {
                let arrived = before(request.total());
                let granted = before(request.service);
                if time > at && arrived <= at {
                    match granted <= at {
                        true => self.in_flight += 1,
                        false => self.waiting += 1,
                    }
                }
            }
            What::Refused { waited, .. } => {
                self.waiting += u64::from(time > at && before(waited) <= at);
            }
            What::Decided(decided) if time <= at => self.decided = Some((time, decided)),
            What::Decided(_) => {}
            What::Started { instance, took, .. } => {
                let life = self.lives.entry(instance).or_default();
                life.begun = Some(before(took));
                life.up = Some(time);
            }
            What::StartFailed { instance, took } => {
                let life = self.lives.entry(instance).or_default();
                life.begun = Some(before(took));
                life.ended = Some(time);
            }
            What::Ending { instance, why } => {
                self.lives.entry(instance).or_default().ending = Some((time, why));
            }
            What::Ended { instance, lived } => {
                let life = self.lives.entry(instance).or_default();
                life.begun = Some(before(lived));
                life.ended = Some(time);
            }
        }
    }
}

impl Life {
    fn is_there(&self, at: u64) -> bool {
        self.begun.is_some_and(|begun| begun <= at) && self.ended.is_none_or(|ended| ended > at)
    }

    fn explain(&self, id: InstanceId, at: u64) -> ExplainedInstance {
        let begun = self.begun.unwrap_or(at);
        let starting = self.up.is_some_and(|up| up > at);
        let (state, mut sentence) = match self.ending.filter(|(since, _)| *since <= at) {
            Some((since, why)) => {
                let since = span(between(since, at));
                (
                    "ending",
                    format!("was ending for {since}, because {}", why.words()),
                )
            }
            None if starting => ("starting", "was starting".to_owned()),
            None => ("ready", "took requests".to_owned()),
        };
        sentence.push_str(&format!("; it was asked for {}", ago(between(begun, at))));
        if let Some((later, why)) = self.ending.filter(|(since, _)| *since > at) {
            let later = span(between(at, later));
            sentence.push_str(&format!(
                ", and was to go {later} later, because {}",
                why.words()
            ));
        }
        sentence.push('.');
        ExplainedInstance {
            id: id.to_string(),
            state: state.to_owned(),
            sentence,
        }
    }
}

fn between(earlier: u64, later: u64) -> Duration {
    Duration::from_micros(later.saturating_sub(earlier))
}

#[cfg(test)]
mod tests {
    use stoker_core::Mode;
    use stoker_scaler::StartCause;
    use stoker_scaler::record::Entry;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn decided(desired: u32, unclamped: u32) -> What {
        What::Decided(Decided {
            desired,
            unclamped,
            mode: Mode::Stable,
            ready: 0,
            starting: 0,
            in_flight: 0,
            queued: 3,
            load: None,
            clamp: "max_scale".to_owned(),
            why: format!("{desired} instances wanted: 3 waiting"),
        })
    }

    #[test]
    fn tells_what_was() {
        let (one, two) = (InstanceId::new(1, 1), InstanceId::new(1, 2));
        let started = |instance| What::Started {
            instance,
            took: Duration::from_secs(1),
            cause: StartCause::Request,
        };
        let entries = [
            (10, decided(2, 3)),
            (11, started(one)),
            (13, started(two)),
            (
                20,
                What::Ending {
                    instance: one,
                    why: Ending::Policy,
                },
            ),
            (
                21,
                What::Ended {
                    instance: one,
                    lived: Duration::from_secs(11),
                },
            ),
            (30, decided(1, 1)),
        ];
        let entries = entries.map(|(at, what)| Entry {
            at: at * SECOND,
            what,
        });
        let chunk = Arc::new(Chunk::of("f", "r", 9 * SECOND, &entries));
        let told = past("f", &[chunk], &[], 12 * SECOND + SECOND / 2);
        assert_eq!(
            told.sentences,
            [
                "f had 2 instances, 0 requests in flight and 0 waiting, of those that are over now.",
                "2 instances wanted: 3 waiting.",
                "That was decided 2.5s before.",
                "Without max_scale it would have been 3 instances.",
            ]
        );
        let sentences: Vec<_> = told.instances.iter().map(|it| &*it.sentence).collect();
        assert_eq!(
            sentences,
            [
                "took requests; it was asked for 2.5s ago, and was to go 7.5s later, because the policy \
                 wants fewer or it was idle for long enough.",
                "was starting; it was asked for 500ms ago.",
            ]
        );
        let early = past("f", &[], &[], 5 * SECOND);
        assert_eq!(early.sentences[0], "The record does not go back so far.");
    }
}
