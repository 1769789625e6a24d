//! What is planned, by its time.

use stoker_core::{InstanceId, Timestamp};

use super::heap;

/// Something that is going to happen to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A call on this instance ends, which began then.
    Release {
        instance: InstanceId,
        since: Timestamp,
    },
    /// A starting instance serves.
    Ready { instance: InstanceId },
    /// A start that has not begun was given up.
    NotStarted { instance: InstanceId },
    /// The gate of starts is to be looked at; only its last wish counts.
    Look { number: u64 },
    /// A stopped instance is gone.
    Exit { instance: InstanceId },
    /// What the schedule says next is to be told.
    Schedule,
    /// The pool wants to be woken.
    Tick,
}

/// In the order of times; equal times in the order of planning.
///
/// The wishes of pools to be woken are apart from what is sure to happen: each pool has one, and
/// changes it again and again, mostly to a later time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// A heap of small keys: what is planned stays in its place while they move.
    heap: Vec<Key>,
    plans: Vec<(u32, Happening)>,
    /// Places in `plans` that are free.
    vacant: Vec<u32>,
    ticks: Ticks,
    planned: u64,
}

/// The earlier, the smaller. Turns are unique, so numbers are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Timestamp,
    turn: u64,
    /// The place in [`Queue::plans`], or the function of a tick.
    number: u32,
}

/// At most one for each function.
#[derive(Debug, Default)]
struct Ticks {
    heap: Vec<Key>,
    /// Where each function's is in the heap.
    places: Vec<Option<u32>>,
}

impl Queue {
    pub(super) fn push(&mut self, at: Timestamp, function: u32, happening: Happening) {
        let place = match self.vacant.pop() {
            Some(place) => {
                self.plans[place as usize] = (function, happening);
                place
            }
            None => {
                self.plans.push((function, happening));
                (self.plans.len() - 1) as u32
            }
        };
        let key = self.key(at, place);
        self.heap.push(key);
        let last = self.heap.len() - 1;
        heap::rise(&mut self.heap, last, key, |_, _| {});
    }

    /// The pool of a function is to be woken then and not at the time that it said before; never if
    /// that is [`Timestamp::MAX`].
    pub(super) fn wake_at(&mut self, at: Timestamp, function: u32) {
        let key = self.key(at, function);
        match at == Timestamp::MAX {
            true => self.ticks.remove(function),
            false => self.ticks.set(key),
        }
    }

    /// Takes the next one unless it is later than `time`.
    pub(super) fn pop_until(&mut self, time: Timestamp) -> Option<(Timestamp, u32, Happening)> {
        let tick = self.ticks.heap.first().copied();
        let Some(next) = self.heap.first().copied() else {
            return self.pop_tick(tick?, time);
        };
        match tick {
            Some(tick) if tick < next => self.pop_tick(tick, time),
            _ if next.at > time => None,
            _ => {
                if let Some(last) = self.heap.pop()
                    && !self.heap.is_empty()
                {
                    heap::sink(&mut self.heap, 0, last, |_, _| {});
                }
                self.vacant.push(next.number);
                let (function, happening) = self.plans[next.number as usize];
                Some((next.at, function, happening))
            }
        }
    }

    fn pop_tick(&mut self, tick: Key, time: Timestamp) -> Option<(Timestamp, u32, Happening)> {
        let due = tick.at <= time;
        due.then(|| {
            self.ticks.remove(tick.number);
            (tick.at, tick.number, Happening::Tick)
        })
    }

    fn key(&mut self, at: Timestamp, number: u32) -> Key {
        self.planned += 1;
        let turn = self.planned;
        Key { at, turn, number }
    }
}

impl Ticks {
    fn set(&mut self, key: Key) {
        let function = key.number as usize;
        if self.places.len() <= function {
            self.places.resize(function + 1, None);
        }
        match self.places[function] {
            Some(place) => self.put(place as usize, key),
            None => {
                self.heap.push(key);
                self.rise(self.heap.len() - 1, key);
            }
        }
    }

    fn remove(&mut self, function: u32) {
        let place = self
            .places
            .get_mut(function as usize)
            .and_then(Option::take);
        let Some(place) = place.map(|place| place as usize) else {
            return;
        };
        if let Some(last) = self.heap.pop()
            && place < self.heap.len()
        {
            self.put(place, last);
        }
    }

    /// In the place of another one, up or down from there.
    fn put(&mut self, place: usize, key: Key) {
        if key < self.heap[place] {
            return self.rise(place, key);
        }
        let places = &mut self.places;
        heap::sink(&mut self.heap, place, key, |key, to| {
            places[key.number as usize] = Some(to as u32);
        });
    }

    fn rise(&mut self, place: usize, key: Key) {
        let places = &mut self.places;
        heap::rise(&mut self.heap, place, key, |key, to| {
            places[key.number as usize] = Some(to as u32);
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a queue is to give: time, turn, function and what happens.
    type Expected = Vec<(Timestamp, usize, u32, Happening)>;

    fn take(expected: &mut Expected, until: Timestamp) -> Option<(Timestamp, u32, Happening)> {
        expected.sort_by_key(|(at, turn, ..)| (*at, *turn));
        let due = expected.first().is_some_and(|(at, ..)| *at <= until);
        due.then(|| {
            let (at, _, function, happening) = expected.remove(0);
            (at, function, happening)
        })
    }

    proptest! {
        /// As a list that is sorted by time and turn, whatever is planned and taken in between.
        #[test]
        fn it_gives_what_is_earliest(
            steps in prop::collection::vec((0_u64..50, 0_u64..60, 0_u32..7, 0_u8..4), 1..300),
        ) {
            let (mut queue, mut list) = (Queue::default(), Expected::new());
            for (turn, (at, until, function, kind)) in steps.into_iter().enumerate() {
                let time = if at == 49 { Timestamp::MAX } else { Timestamp::from_nanos(at) };
                if kind == 0 {
                    let happening = Happening::Look { number: turn as u64 };
                    queue.push(time, function, happening);
                    list.push((time, turn, function, happening));
                } else {
                    queue.wake_at(time, function);
                    list.retain(|it| (it.2, it.3) != (function, Happening::Tick));
                    if time < Timestamp::MAX {
                        list.push((time, turn, function, Happening::Tick));
                    }
                }
                if kind == 1 {
                    let until = Timestamp::from_nanos(until);
                    prop_assert_eq!(queue.pop_until(until), take(&mut list, until));
                }
            }
            while !list.is_empty() {
                let expected = take(&mut list, Timestamp::MAX);
                prop_assert_eq!(queue.pop_until(Timestamp::MAX), expected);
            }
            prop_assert_eq!(queue.pop_until(Timestamp::MAX), None);
        }
    }
}
