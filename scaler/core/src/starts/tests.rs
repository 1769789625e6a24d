//! Who passes the gate, and when.

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_nanos(1 + millis * 1_000_000)
}

fn at_once(at_once: u32) -> StartLimits {
    StartLimits {
        at_once,
        ..StartLimits::default()
    }
}

/// A gate at which nothing has happened.
fn gate(limits: StartLimits) -> Gate {
    Gate::new(limits, at(0))
}

fn id(function: u32, count: u32) -> InstanceId {
    InstanceId::new(function, count)
}

fn enter(gate: &mut Gate, function: u32, count: u32) -> Option<HeldBy> {
    let start = NewStart {
        function,
        instance: id(function, count),
        need_bytes: 0,
    };
    gate.enter(start, at(0), |_| true)
}

/// Those that begin by a look now.
fn admitted(gate: &mut Gate, now: Timestamp) -> Vec<(u32, u32)> {
    let look = gate.look(now, |_| true);
    let admitted = look.admitted.iter();
    admitted.map(|id| (id.pool(), id.count())).collect()
}

#[test]
fn a_burst_of_one_function_leaves_places_for_the_starts_of_others() {
    let mut gate = gate(at_once(8));
    for count in 0..6 {
        assert_eq!(enter(&mut gate, 1, count), None);
    }
    for count in 6..1_000 {
        assert_eq!(enter(&mut gate, 1, count), Some(HeldBy::AtOnce));
    }
    assert_eq!(gate.held(1).map(|held| held.count), Some(994));
    // Two that have nothing under way pass at once, though a thousand wait.
    assert_eq!(enter(&mut gate, 2, 0), None);
    assert_eq!(enter(&mut gate, 3, 0), None);
    assert_eq!(enter(&mut gate, 4, 0), Some(HeldBy::AtOnce));
    // A place that comes free is not the burst's as long as it has six.
    gate.end(id(2, 0));
    assert_eq!(admitted(&mut gate, at(0)), [(4, 0)]);
    gate.end(id(3, 0));
    gate.end(id(4, 0));
    assert_eq!(admitted(&mut gate, at(0)), []);
    gate.end(id(1, 0));
    assert_eq!(admitted(&mut gate, at(0)), [(1, 6)]);
}

#[test]
fn functions_take_turns() {
    let mut gate = gate(at_once(1));
    assert_eq!(enter(&mut gate, 1, 0), None);
    for (function, count) in [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2)] {
        enter(&mut gate, function, count);
    }
    let mut order = vec![(1, 0)];
    while let Some(&(function, count)) = order.last() {
        gate.end(id(function, count));
        order.extend(admitted(&mut gate, at(0)));
        if order.last() == Some(&(function, count)) {
            break;
        }
    }
    let turns = [(1, 0), (1, 1), (2, 1), (3, 1), (1, 2), (3, 2), (1, 3)];
    assert_eq!(order, turns);
}

#[test]
fn a_start_that_takes_long_yields_its_place() {
    let mut gate = gate(at_once(1));
    assert_eq!(enter(&mut gate, 1, 0), None);
    assert_eq!(enter(&mut gate, 1, 1), Some(HeldBy::AtOnce));
    let look = gate.look(at(999), |_| true);
    assert_eq!((look.admitted, look.at), (vec![], Some(at(1_000))));
    assert_eq!(admitted(&mut gate, at(1_000)), [(1, 1)]);
    gate.end(id(1, 0));
    assert_eq!(gate.places.total(), 1, "it is the other's place");
}

#[test]
fn who_leaves_makes_way() {
    let mut gate = gate(at_once(1));
    for count in 0..3 {
        enter(&mut gate, 1, count);
    }
    assert_eq!(gate.youngest(1), Some(id(1, 2)));
    assert!(gate.withdraw(1, id(1, 1)) && !gate.withdraw(1, id(1, 1)));
    assert_eq!(gate.held(1).map(|held| held.count), Some(1));
    gate.end(id(1, 0));
    assert_eq!(admitted(&mut gate, at(0)), [(1, 2)]);
    assert_eq!((gate.held(1), gate.youngest(1)), (None, None));
}

#[test]
fn the_rate_holds_those_who_come_later_too() {
    let limits = StartLimits {
        per_second: 1,
        burst: 2,
        ..StartLimits::default()
    };
    let mut gate = gate(limits);
    assert_eq!(
        (enter(&mut gate, 1, 0), enter(&mut gate, 1, 1)),
        (None, None)
    );
    assert_eq!(enter(&mut gate, 1, 2), Some(HeldBy::Rate));
    assert_eq!(enter(&mut gate, 2, 0), Some(HeldBy::Rate));
    let look = gate.look(at(0), |_| true);
    assert_eq!((look.admitted, look.short), (vec![], None));
    // At the time that it tells, one may begin: nobody looks in vain.
    let next = look.at.unwrap();
    assert!(next >= at(1_000) && next <= at(1_001));
    assert_eq!(admitted(&mut gate, next), [(1, 2)]);
}

#[test]
fn who_waits_for_memory_holds_nobody_up() {
    let mut gate = gate(StartLimits::default());
    let large = NewStart {
        function: 1,
        instance: id(1, 0),
        need_bytes: 100,
    };
    let fits = |need: u64| need < 100;
    assert_eq!(gate.enter(large, at(0), fits), Some(HeldBy::Memory));
    assert_eq!(enter(&mut gate, 2, 0), None);
    let look = gate.look(at(0), fits);
    assert_eq!((look.short, look.at), (Some(1), Some(at(50))));
    assert_eq!(gate.next(1), Some(large));
    assert_eq!(admitted(&mut gate, at(50)), [(1, 0)]);
    assert_eq!(gate.look(at(50), fits), Look::default());
}

proptest! {
    /// Whatever happens in whatever order, places are counted right, nobody is forgotten, and a
    /// look when it was told to be due is of use.
    #[test]
    fn places_are_counted_right(
        limit in 1_u32..6,
        per_second in prop::sample::select(vec![1_u32, 7, 1_000, u32::MAX]),
        steps in prop::collection::vec((0_u32..4, 0_u8..5, any::<usize>()), 1..200),
    ) {
        let limits = StartLimits {
            at_once: limit,
            per_second,
            burst: 3,
            yield_after: Duration::from_secs(1_000_000),
        };
        let mut gate = gate(limits);
        let mut now = at(0);
        let (mut under_way, mut waiting): (Vec<InstanceId>, Vec<InstanceId>) = Default::default();
        for (count, (function, what, which)) in (0_u32..).zip(steps) {
            let instance = id(function, count);
            match what {
                0 | 1 => {
                    let start = NewStart { function, instance, need_bytes: 0 };
                    match gate.enter(start, now, |_| true) {
                        None => under_way.push(instance),
                        Some(_) => waiting.push(instance),
                    }
                }
                2 if !under_way.is_empty() => {
                    gate.end(under_way.swap_remove(which % under_way.len()));
                }
                3 if !waiting.is_empty() => {
                    let gone = waiting.swap_remove(which % waiting.len());
                    prop_assert!(gate.withdraw(gone.pool(), gone));
                }
                4 => now = now + Duration::from_millis(which as u64 % 500),
                _ => {}
            }
            let look = gate.look(now, |_| true);
            for id in &look.admitted {
                under_way.push(*id);
                waiting.retain(|other| other != id);
            }
            prop_assert_eq!(gate.places.total() as usize, under_way.len());
            prop_assert!(gate.places.total() <= limit);
            prop_assert_eq!(gate.places.counted(), gate.places.total());
            let held = (0..4).filter_map(|function| gate.held(function));
            prop_assert_eq!(held.map(|held| held.count as usize).sum::<usize>(), waiting.len());
            prop_assert_eq!(look.at.is_some(), !waiting.is_empty());
            if let Some(next) = look.at && next < now + Duration::from_secs(100) {
                let mut later = gate.clone();
                prop_assert!(!later.look(next, |_| true).admitted.is_empty());
            }
        }
    }
}
