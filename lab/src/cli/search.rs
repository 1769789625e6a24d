//! Which policies are replayed, and which of them is the answer.

use stoker_config::Changes;
use stoker_show::progress::Progress;

use crate::Report;
use crate::aim::Aim;
use crate::candidate::{Base, Candidate, Common};
use crate::metric::Metric;
use crate::output::{Answer, Entry, mark_front};
use crate::run::Runner;
use crate::sweep::{Point, Search, Sweep};

/// What a goal is looked for in, unless a sweep says otherwise: the two settings that every policy
/// with an idle clock has, and a reserve.
const GOAL_SWEEP: &str = "idle-timeout=100ms..1h,min-scale=0|1";

/// Rounds in which a sweep looks beside the best; a goal looks at two places only, and may look
/// closer.
const FINER_ROUNDS: usize = 2;
const GOAL_ROUNDS: usize = 5;

/// What is to be found out.
pub(super) struct Plan<'p> {
    pub(super) common: &'p Common,
    pub(super) policies: Vec<Candidate>,
    pub(super) sweep: Option<&'p Sweep>,
    pub(super) goal: Option<&'p Aim>,
    pub(super) cost: &'p Metric,
}

/// What was found out.
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) notes: Vec<String>,
    pub(super) answer: Option<Answer>,
}

/// A candidate that was replayed, and how it was found.
struct Tried {
    candidate: Candidate,
    /// The policy that it is a variant of, and the place in the ranges.
    origin: Option<(usize, Point)>,
}

/// Replays all policies, and in rounds the variants that a sweep or a goal asks for.
pub(super) fn run(
    plan: &Plan<'_>,
    runner: &Runner,
    progress: &mut Progress,
) -> Result<Found, String> {
    let default_sweep: Sweep = GOAL_SWEEP.parse()?;
    let sweep = plan.sweep.or_else(|| plan.goal.map(|_| &default_sweep));
    let mut tried: Vec<Tried> = plan
        .policies
        .iter()
        .map(|candidate| Tried {
            candidate: candidate.clone(),
            origin: None,
        })
        .collect();
    progress.part("replaying".to_owned());
    let (reports, notes) = runner.run(&plan.policies, progress)?;
    let mut entries: Vec<Entry> = plan
        .policies
        .iter()
        .zip(reports)
        .map(|(candidate, report)| entry(candidate, report))
        .collect();
    if let Some(sweep) = sweep {
        let rounds = plan.goal.map_or(FINER_ROUNDS, |_| GOAL_ROUNDS);
        let each = plan.policies.iter();
        let mut searches: Vec<Search<'_>> = each.map(|_| Search::new(sweep, rounds)).collect();
        for round in 1.. {
            let next = plan.variants(sweep, &mut searches, (&tried, &entries))?;
            if next.is_empty() {
                break;
            }
            let count = match next.len() {
                1 => "1 policy".to_owned(),
                count => format!("{count} policies"),
            };
            progress.part(format!("round {round}: {count}"));
            let candidates: Vec<Candidate> = next.iter().map(|it| it.candidate.clone()).collect();
            let (reports, _) = runner.run(&candidates, progress)?;
            for (one, report) in next.into_iter().zip(reports) {
                entries.push(entry(&one.candidate, report));
                tried.push(one);
            }
        }
    }
    for (index, front) in plan.front(&entries).into_iter().enumerate() {
        entries[index].pareto = front;
    }
    let answer = plan.goal.map(|aim| plan.answer(aim, (&tried, &entries)));
    // The named ones as they were named, and then the variants by their cost.
    let cost = |entry: &Entry| plan.cost.of(&entry.report);
    entries[plan.policies.len()..].sort_by(|one, other| cost(one).total_cmp(&cost(other)));
    Ok(Found {
        entries,
        notes,
        answer,
    })
}

impl Plan<'_> {
    /// Which of them nothing beats in cost and p99 wait.
    fn front(&self, entries: &[Entry]) -> Vec<bool> {
        let costs: Vec<(f64, f64)> = entries
            .iter()
            .map(|entry| {
                let wait = entry.report.wait.p99.unwrap_or(f64::INFINITY);
                (self.cost.of(&entry.report), wait)
            })
            .collect();
        mark_front(&costs)
    }

    /// The variants to replay next: beside those on the Pareto front, or, with a goal, beside the
    /// cheapest that meets it and the closest that does not.
    fn variants(
        &self,
        sweep: &Sweep,
        searches: &mut [Search<'_>],
        (tried, entries): (&[Tried], &[Entry]),
    ) -> Result<Vec<Tried>, String> {
        let mut is_good = self.front(entries);
        if let Some(aim) = self.goal {
            is_good.fill(false);
            let found = [self.cheapest(aim, entries), closest(aim, entries)];
            for index in found.into_iter().flatten() {
                is_good[index] = true;
            }
        }
        let mut next = Vec::new();
        for (number, search) in searches.iter_mut().enumerate() {
            let good = tried.iter().zip(&is_good).filter(|(_, good)| **good);
            let best: Vec<Point> = good
                .filter_map(|(one, _)| one.origin.as_ref())
                .filter(|(policy, _)| *policy == number)
                .map(|(_, point)| point.clone())
                .collect();
            let policy = &self.policies[number];
            for point in search.next(&best) {
                let settings = sweep.settings(&point);
                let changes = policy.changes.and(&settings.parse::<Changes>()?);
                let label = match policy.changes.is_empty() {
                    true => settings,
                    false => changes.to_string(),
                };
                next.push(Tried {
                    candidate: Candidate::new(&label, &changes, self.common)?,
                    origin: Some((number, point)),
                });
            }
        }
        Ok(next)
    }

    /// Of those that meet the goal.
    fn cheapest(&self, aim: &Aim, entries: &[Entry]) -> Option<usize> {
        let met = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.report.calls > 0 && aim.is_met(&entry.report));
        let cost = |entry: &Entry| self.cost.of(&entry.report);
        met.min_by(|one, other| cost(one.1).total_cmp(&cost(other.1)))
            .map(|(index, _)| index)
    }

    fn answer(&self, aim: &Aim, (tried, entries): (&[Tried], &[Entry])) -> Answer {
        let cheapest = self.cheapest(aim, entries);
        let closest = closest(aim, entries).map(|index| entries[index].policy.clone());
        let manifest = match cheapest {
            None => String::new(),
            Some(index) => {
                let changes = &tried[index].candidate.changes;
                match &self.common.base {
                    Base::Manifest(path) => changes.diff(Some(path)),
                    Base::Blank | Base::Gateway(_) => changes.diff(None),
                }
            }
        };
        Answer {
            goal: aim.to_string(),
            policy: cheapest.map(|index| entries[index].policy.clone()),
            closest: closest.filter(|_| cheapest.is_none()),
            manifest,
        }
    }
}

fn entry(candidate: &Candidate, report: Report) -> Entry {
    Entry {
        policy: candidate.label.clone(),
        pareto: false,
        report,
    }
}

/// Of those that do not meet the goal.
fn closest(aim: &Aim, entries: &[Entry]) -> Option<usize> {
    let unmet = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.report.calls > 0 && !aim.is_met(&entry.report));
    let excess = |entry: &Entry| aim.excess(&entry.report);
    unmet
        .min_by(|one, other| excess(one.1).total_cmp(&excess(other.1)))
        .map(|(index, _)| index)
}
