//! `drain`: load while instances come and go, in which no request may fail.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Force;
use super::warm::Load;
use crate::load::{Running, Wanted};
use crate::run::{Bench, Failure};

/// The name of the series.
const NAME: &str = "drain";
/// Failures that are told one by one.
const TOLD: usize = 20;

/// What is done under load.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// All instances are told to go.
    Evict,
    /// The functions are held at so many instances, and at one, in turn.
    Scale(u32),
    /// Another process of the gateway takes over.
    Upgrade,
    /// A command of a shell.
    Command(Force),
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    /// What is applied meanwhile.
    pub(crate) load: Load,
    /// What is done, in turn.
    pub(crate) actions: Vec<Action>,
    /// Between two of them.
    pub(crate) every: Duration,
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Action::Evict => "evict",
            Action::Scale(_) => "scale",
            Action::Upgrade => "upgrade",
            Action::Command(_) => "command",
        }
    }

    fn apply(&self, bench: &Bench, turn: usize) -> Result<(), Failure> {
        let functions = &bench.functions;
        match self {
            Action::Evict => {
                for function in functions {
                    bench.admin()?.evict_soon(function)?;
                }
            }
            Action::Scale(most) => {
                let instances = if turn.is_multiple_of(2) { *most } else { 1 };
                for function in functions {
                    bench.admin()?.scale(function, Some(instances))?;
                }
            }
            Action::Upgrade => drop(bench.admin()?.upgrade()?),
            Action::Command(force) => force.apply(bench)?,
        }
        Ok(())
    }
}

impl Drain {
    /// Measures.
    pub(crate) fn run(&self, bench: &mut Bench) -> Result<(), Failure> {
        self.load.warm_up(bench)?;
        for number in 1..=self.load.repetitions {
            if bench.stop.is_set() {
                break;
            }
            bench
                .progress
                .part(format!("drain {number}/{}", self.load.repetitions));
            let plan = self.load.plan(number, self.load.duration, Wanted::Both);
            let mut running = bench.crew.begin(plan);
            let done = self.act(bench, &mut running);
            let over = bench.wait(&mut running, Some(self.load.duration), Duration::MAX);
            self.give_back(bench);
            over?;
            self.harvest(bench, running.begin, &done?);
        }
        Ok(())
    }

    /// All actions until the load ends: when each was done.
    fn act(
        &self,
        bench: &mut Bench,
        running: &mut Running,
    ) -> Result<Vec<(Instant, &'static str)>, Failure> {
        let mut done = Vec::new();
        let mut next = running.begin + self.every;
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if bench.wait(running, Some(self.load.duration), left)? {
                return Ok(done);
            }
            let turn = done.len();
            let action = &self.actions[turn % self.actions.len()];
            done.push((Instant::now(), action.name()));
            match action.apply(bench, turn / self.actions.len()) {
                // It was not waited for.
                Err(_) if bench.stop.is_set() => drop(done.pop()),
                applied => applied?,
            }
            next = (next + self.every).max(Instant::now());
        }
    }

    /// A function that was held is its policy's again.
    fn give_back(&self, bench: &mut Bench) {
        if !self
            .actions
            .iter()
            .any(|action| matches!(action, Action::Scale(_)))
        {
            return;
        }
        let mut notes = Vec::new();
        if let Some(admin) = &bench.admin {
            for function in &bench.functions {
                if let Err(error) = admin.scale(function, None) {
                    notes.push(format!("{function} is still held at a number: {error}"));
                }
            }
        }
        bench.notes.extend(notes);
    }

    fn harvest(&self, bench: &mut Bench, begin: Instant, done: &[(Instant, &'static str)]) {
        let end = bench.crew.look(0).last_end.unwrap_or(begin);
        let elapsed = end.saturating_duration_since(begin);
        let (mut main, apart, tally) = bench.harvest(0, elapsed, self.load.rate);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, name) in done {
            *counts.entry(name).or_default() += 1;
        }
        for (name, count) in counts {
            main.figures.insert(name.to_owned(), f64::from(count));
        }
        bench.add(NAME, main);
        bench.add_apart(NAME, apart);
        for (due, what) in tally.failures.iter().take(TOLD) {
            bench.note(failure((begin, *due), done, what));
        }
    }
}

/// `1.234 s after the beginning, 0.100 s after "evict": ...`.
fn failure(
    (begin, due): (Instant, Instant),
    done: &[(Instant, &'static str)],
    what: &str,
) -> String {
    let seconds = |since: Instant| due.saturating_duration_since(since).as_secs_f64();
    let before = done.iter().rev().find(|(at, _)| *at <= due);
    let action = before.map_or_else(
        || "before any action".to_owned(),
        |(at, name)| format!("{:.3} s after {name:?}", seconds(*at)),
    );
    format!(
        "a request failed that was due {:.3} s after the beginning, {action}: {what}",
        seconds(begin)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_with_what_was_done() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let done = [(at(1000), "evict"), (at(2000), "scale")];
        let text = failure((begin, at(1250)), &done, "reset");
        assert_eq!(
            text,
            "a request failed that was due 1.250 s after the beginning, 0.250 s after \"evict\": reset"
        );
        assert!(failure((begin, at(500)), &done, "reset").contains("before any action"));
    }
}
