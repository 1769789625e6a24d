//! Who waits: a line per function, and the lines take turns.

use std::collections::{HashMap, VecDeque};

use super::HeldBy;

/// Lines of `T` by function, in the order of their turns.
#[derive(Clone, Debug)]
pub(super) struct Queue<T> {
    /// Those that are not empty. One that had its turn goes to the end.
    turns: VecDeque<u32>,
    lines: HashMap<u32, Line<T>>,
    /// What all of them wait for.
    common: Option<HeldBy>,
}

#[derive(Clone, Debug)]
struct Line<T> {
    tickets: VecDeque<T>,
    by: HeldBy,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue {
            turns: VecDeque::new(),
            lines: HashMap::new(),
            common: None,
        }
    }
}

impl<T> Queue<T> {
    /// Adds one at the end of its function's line.
    pub(super) fn push(&mut self, function: u32, ticket: T, by: HeldBy) {
        if self.turns.is_empty() {
            self.common = None;
        }
        let line = self.lines.entry(function).or_insert_with(|| {
            self.turns.push_back(function);
            Line {
                tickets: VecDeque::new(),
                by,
            }
        });
        line.tickets.push_back(ticket);
        if by == HeldBy::Rate {
            // Who comes later is not to be served before those who wait for the same.
            self.common = Some(by);
        }
    }

    /// What a newcomer waits for because others wait before it.
    pub(super) fn held_before(&self, function: u32) -> Option<HeldBy> {
        let own = self.lines.get(&function).map(|line| line.by);
        self.common.filter(|_| !self.turns.is_empty()).or(own)
    }

    /// The first of the line whose turn is so many turns from now.
    pub(super) fn at(&self, place: usize) -> Option<(u32, &T)> {
        let function = *self.turns.get(place)?;
        Some((function, self.first(function)?))
    }

    /// Takes the first of the line whose turn is so many turns from now.
    pub(super) fn take(&mut self, place: usize) -> T {
        let function = self.turns.remove(place).expect("the place is taken");
        let line = self.lines.get_mut(&function).expect("it has a turn");
        let ticket = line.tickets.pop_front().expect("it is not empty");
        match line.tickets.is_empty() {
            true => drop(self.lines.remove(&function)),
            false => self.turns.push_back(function),
        }
        ticket
    }

    /// Takes the one out that is meant.
    pub(super) fn remove(&mut self, function: u32, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let line = self.lines.get_mut(&function)?;
        let place = line.tickets.iter().position(is_it)?;
        let ticket = line.tickets.remove(place);
        if line.tickets.is_empty() {
            self.lines.remove(&function);
            self.turns.retain(|other| *other != function);
        }
        ticket
    }

    pub(super) fn first(&self, function: u32) -> Option<&T> {
        self.lines.get(&function)?.tickets.front()
    }

    pub(super) fn last(&self, function: u32) -> Option<&T> {
        self.lines.get(&function)?.tickets.back()
    }

    /// How many wait of a function, and for what.
    pub(super) fn line(&self, function: u32) -> Option<(u32, HeldBy)> {
        let line = self.lines.get(&function)?;
        Some((line.tickets.len() as u32, self.common.unwrap_or(line.by)))
    }

    /// What the first of a line waits for.
    pub(super) fn note(&mut self, function: u32, by: HeldBy) {
        if let Some(line) = self.lines.get_mut(&function) {
            line.by = by;
        }
    }

    /// What everybody waits for.
    pub(super) fn set_common(&mut self, by: Option<HeldBy>) {
        self.common = by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(queue: &mut Queue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.at(0).is_some().then(|| queue.take(0))).collect()
    }

    #[test]
    fn functions_take_turns() {
        let mut queue = Queue::default();
        for ticket in 10..14 {
            queue.push(1, ticket, HeldBy::AtOnce);
        }
        queue.push(2, 20, HeldBy::AtOnce);
        queue.push(3, 30, HeldBy::AtOnce);
        queue.push(3, 31, HeldBy::AtOnce);
        assert_eq!(queue.line(1), Some((4, HeldBy::AtOnce)));
        assert_eq!(order(&mut queue), [10, 20, 30, 11, 31, 12, 13]);
        assert_eq!(queue.line(1), None);
    }

    #[test]
    fn a_blocked_line_keeps_its_turn() {
        let mut queue = Queue::default();
        queue.push(1, 10, HeldBy::Memory);
        queue.push(2, 20, HeldBy::AtOnce);
        queue.push(2, 21, HeldBy::AtOnce);
        assert_eq!((queue.take(1), queue.take(1)), (20, 21));
        assert_eq!(queue.at(1), None);
        assert_eq!(queue.at(0), Some((1, &10)));
    }

    #[test]
    fn one_may_leave_in_the_middle() {
        let mut queue = Queue::default();
        for ticket in [10, 11, 12] {
            queue.push(1, ticket, HeldBy::AtOnce);
        }
        queue.push(2, 20, HeldBy::AtOnce);
        assert_eq!(queue.remove(1, |ticket| *ticket == 11), Some(11));
        assert_eq!(queue.remove(1, |ticket| *ticket == 11), None);
        assert_eq!(queue.last(1), Some(&12));
        assert_eq!(queue.remove(2, |_| true), Some(20));
        assert_eq!(order(&mut queue), [10, 12]);
    }

    #[test]
    fn nobody_passes_those_who_wait_for_the_rate() {
        let mut queue = Queue::default();
        assert_eq!(queue.held_before(1), None);
        queue.push(1, 10, HeldBy::Memory);
        assert_eq!(queue.held_before(2), None, "it may need less");
        assert_eq!(queue.held_before(1), Some(HeldBy::Memory));
        queue.push(2, 20, HeldBy::Rate);
        assert_eq!(queue.held_before(3), Some(HeldBy::Rate));
        order(&mut queue);
        assert_eq!(queue.held_before(3), None);
    }
}
