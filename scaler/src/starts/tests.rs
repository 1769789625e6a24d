//! That permits are given and given back as the gate of the core says.

use std::path::Path;

use std::time::Duration;

use super::*;

/// A gate over a memory that has no limit.
fn gate(settings: StartSettings) -> Arc<Gate> {
    let gate = Gate::new(Memory::of(Path::new("/nowhere"), ""));
    gate.configure(settings);
    gate
}

/// No place yields while a test runs, however long it is held up.
const NEVER: Duration = Duration::from_secs(24 * 3600);

fn at_once(at_once: u32) -> StartSettings {
    StartSettings {
        at_once,
        yield_after: NEVER,
        ..StartSettings::default()
    }
}

fn id(function: u32, count: u32) -> InstanceId {
    InstanceId::new(function, count)
}

fn enter(gate: &Arc<Gate>, function: u32, count: u32) -> Entry {
    gate.enter(function, id(function, count), 0)
}

fn pass(gate: &Arc<Gate>, function: u32, count: u32) -> Permit {
    match enter(gate, function, count) {
        Entry::Passed(permit) => permit,
        Entry::Waiting(queued) => panic!("it waits: {:?}", queued.by),
    }
}

fn queue(gate: &Arc<Gate>, function: u32, count: u32, by: HeldBy) -> Queued {
    match enter(gate, function, count) {
        Entry::Passed(_) => panic!("it passed"),
        Entry::Waiting(queued) => {
            assert_eq!(queued.by, by);
            queued
        }
    }
}

/// Its permit, if it has one.
fn admitted(queued: &mut Queued) -> Option<Permit> {
    queued.receiver.try_recv().ok()
}

#[test]
fn a_burst_of_one_function_leaves_places_for_the_starts_of_others() {
    let gate = gate(at_once(8));
    let burst: Vec<_> = (0..6).map(|count| pass(&gate, 1, count)).collect();
    let mut waiting: Vec<_> = (6..1000)
        .map(|count| queue(&gate, 1, count, HeldBy::AtOnce))
        .collect();
    assert_eq!(gate.held(1).map(|held| held.count), Some(994));
    // Two that have nothing under way pass at once, though a thousand wait.
    let others = [pass(&gate, 2, 0), pass(&gate, 3, 0)];
    let mut third = queue(&gate, 4, 0, HeldBy::AtOnce);
    // A place that comes free is not the burst's as long as it has six.
    drop(others);
    assert!(admitted(&mut third).is_some());
    assert!(admitted(&mut waiting[0]).is_none());
    drop(burst);
    let passed = waiting.iter_mut().filter_map(admitted).count();
    assert_eq!(passed, 994, "each gives its place to the next");
    assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
    assert!(gate.lock().senders.is_empty());
}

#[test]
fn a_start_that_takes_long_yields_its_place() {
    let settings = StartSettings {
        yield_after: Duration::ZERO,
        ..at_once(1)
    };
    let gate = gate(settings.clone());
    let slow = pass(&gate, 1, 0);
    let next = pass(&gate, 1, 1);
    drop(slow);
    gate.configure(at_once(1));
    let mut waiting = queue(&gate, 1, 2, HeldBy::AtOnce);
    let at = gate.look().at.unwrap();
    assert!(at <= Instant::now() + NEVER);
    gate.configure(settings);
    assert_eq!(gate.look().at, None);
    assert!(admitted(&mut waiting).is_some());
    drop(next);
}

#[test]
fn who_leaves_makes_way() {
    let gate = gate(at_once(1));
    let under_way = pass(&gate, 1, 0);
    let leaving = queue(&gate, 1, 1, HeldBy::AtOnce);
    let mut staying = queue(&gate, 1, 2, HeldBy::AtOnce);
    assert_eq!(gate.youngest(1), Some(id(1, 2)));
    drop(leaving);
    assert_eq!(gate.held(1).map(|held| held.count), Some(1));
    drop(under_way);
    assert!(admitted(&mut staying).is_some());
    assert_eq!((gate.held(1), gate.youngest(1)), (None, None));
}

#[test]
fn an_admission_that_nobody_takes_goes_to_the_next() {
    let gate = gate(at_once(1));
    let under_way = pass(&gate, 1, 0);
    let lost = queue(&gate, 1, 1, HeldBy::AtOnce);
    let mut next = queue(&gate, 2, 1, HeldBy::AtOnce);
    drop(under_way);
    assert!(admitted(&mut next).is_none());
    drop(lost);
    assert!(admitted(&mut next).is_some());
}

#[test]
fn the_rate_holds_those_who_come_later_too() {
    let gate = gate(StartSettings {
        per_second: 1,
        burst: 2,
        ..StartSettings::default()
    });
    let _under_way = [pass(&gate, 1, 0), pass(&gate, 1, 1)];
    let _first = queue(&gate, 1, 2, HeldBy::Rate);
    let _second = queue(&gate, 2, 0, HeldBy::Rate);
    let look = gate.look();
    assert!(
        look.at
            .is_some_and(|at| at <= Instant::now() + Duration::from_secs(1))
    );
    assert_eq!(look.short, None);
    // More is allowed: everybody passes.
    gate.configure(StartSettings::default());
    while gate.held(1).is_some() {
        gate.look();
    }
    assert_eq!(gate.look(), Look::default());
    assert_eq!(gate.held(1), None);
}

#[test]
fn who_waits_for_memory_holds_nobody_up() {
    let gate = Gate::of_machine();
    gate.configure(StartSettings {
        memory_reserve_bytes: 1,
        ..StartSettings::default()
    });
    let large = match gate.enter(1, id(1, 0), 1 << 60) {
        Entry::Waiting(queued) => queued,
        Entry::Passed(_) => panic!("nobody has an exbibyte"),
    };
    assert_eq!(large.by, HeldBy::Memory);
    let _small = pass(&gate, 2, 0);
    let look = gate.look();
    assert_eq!(look.short, Some(1));
    assert!(look.at.is_some());
    let why = gate.shortage(1).unwrap().to_string();
    assert!(why.contains("reserved by starts.memory-reserve"), "{why}");
    assert!(gate.shortage(2).is_none());
    drop(large);
    assert_eq!(gate.look(), Look::default());
}

proptest::proptest! {
    /// Whatever happens in whatever order, nobody is forgotten.
    #[test]
    fn nobody_is_forgotten(
        limit in 1_u32..6,
        steps in proptest::collection::vec((0_u32..4, 0_u8..4, proptest::prelude::any::<usize>()), 1..200),
    ) {
        let gate = gate(at_once(limit));
        let mut under_way: Vec<Permit> = Vec::new();
        let mut waiting: Vec<Queued> = Vec::new();
        for (count, (function, what, which)) in (0_u32..).zip(steps) {
            match what {
                0 | 1 => match enter(&gate, function, count) {
                    Entry::Passed(permit) => under_way.push(permit),
                    Entry::Waiting(queued) => waiting.push(queued),
                },
                2 if !under_way.is_empty() => {
                    drop(under_way.swap_remove(which % under_way.len()));
                }
                3 if !waiting.is_empty() => {
                    drop(waiting.swap_remove(which % waiting.len()));
                }
                _ => {}
            }
            let mut place = 0;
            while place < waiting.len() {
                match admitted(&mut waiting[place]) {
                    Some(permit) => {
                        under_way.push(permit);
                        drop(waiting.swap_remove(place));
                    }
                    None => place += 1,
                }
            }
            proptest::prop_assert!(under_way.len() <= limit as usize);
            proptest::prop_assert_eq!(gate.lock().senders.len(), waiting.len());
            proptest::prop_assert_eq!(gate.waiting.load(Ordering::Relaxed) as usize, waiting.len());
            proptest::prop_assert!(waiting.is_empty() || !under_way.is_empty());
        }
    }
}
