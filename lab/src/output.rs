//! What people look at, made of the same outcome.

pub(crate) mod page;
pub(crate) mod table;

use serde::Serialize;

use crate::Report;

/// Everything that a run of the command found.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// Of the layout of this document.
    pub(crate) format: u32,
    /// What was settled and assumed, in words.
    pub(crate) conditions: Vec<String>,
    /// The figure that counts as cost.
    pub(crate) cost: &'static str,
    /// The first of the policies that were named; the others are variants of them.
    #[serde(skip)]
    pub(crate) named: usize,
    pub(crate) policies: Vec<Entry>,
    /// The answer to a goal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<Answer>,
}

/// One policy and what it came to.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) policy: String,
    /// No other one has both a lower p99 wait and a lower cost.
    pub(crate) pareto: bool,
    pub(crate) report: Report,
}

/// The cheapest policy that meets a goal.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) goal: String,
    /// None if none of those that were tried meets it.
    pub(crate) policy: Option<String>,
    /// The one that comes closest, if none meets it.
    pub(crate) closest: Option<String>,
    /// What to write into the manifest.
    pub(crate) manifest: String,
}

/// Marks every entry that no other one beats in both figures. Of equal ones the first counts.
pub(crate) fn mark_front(costs: &[(f64, f64)]) -> Vec<bool> {
    let beats = |(one, a): (usize, &(f64, f64)), (other, b): (usize, &(f64, f64))| {
        a.0 <= b.0 && a.1 <= b.1 && (a.0 < b.0 || a.1 < b.1 || one < other)
    };
    let each = costs.iter().enumerate();
    each.clone()
        .map(|(index, own)| {
            let mut others = each.clone().filter(|(other, _)| *other != index);
            !others.any(|other| beats(other, (index, own)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::mark_front;

    #[test]
    fn the_front_is_what_nothing_beats() {
        let costs = [(1.0, 9.0), (2.0, 9.0), (2.0, 3.0), (2.0, 3.0), (9.0, 1.0)];
        assert_eq!(mark_front(&costs), [true, false, true, false, true]);
        let infinite = [(1.0, f64::INFINITY), (2.0, 0.0)];
        assert_eq!(mark_front(&infinite), [true, true]);
    }
}
