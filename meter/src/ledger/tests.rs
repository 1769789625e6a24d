use std::collections::HashSet;
use std::path::PathBuf;

use super::*;
use crate::Counter;

/// A file that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("stoker-meter-{}-{name}", std::process::id());
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn of<'a>(readings: &'a [Reading], function: &str) -> Vec<&'a Reading> {
    readings
        .iter()
        .filter(|it| it.function == function)
        .collect()
}

fn names(function: &str) -> (Arc<str>, Arc<str>) {
    (Arc::from(function), Arc::from("0123456789abcdef"))
}

#[test]
fn what_one_process_adds_another_reads() {
    let file = Scratch::new("shared");
    let (one, other) = (
        Ledger::open(&file.0).unwrap(),
        Ledger::open(&file.0).unwrap(),
    );
    let (function, revision) = names("f");
    let (first, second) = (
        one.meter((&function, &revision), None),
        other.meter((&function, &revision), None),
    );
    assert!(of(&one.readings(), "f").is_empty(), "nothing was counted");
    first.add(Counter::Invocations, 2);
    second.add(Counter::Invocations, 3);
    first.add(Counter::Failures, 0);
    let readings = one.readings();
    let sum: u64 = of(&readings, "f")
        .iter()
        .map(|it| it.totals[Counter::Invocations])
        .sum();
    assert_eq!(sum, 5);
    assert_eq!(readings, other.readings());
    assert!(
        of(&readings, "f")
            .iter()
            .all(|it| !it.is_final && it.revision == *revision)
    );
    assert_eq!(first.totals()[Counter::Invocations], 2);
}

#[test]
fn it_is_there_after_the_process() {
    let file = Scratch::new("again");
    let (function, revision) = names("f");
    let serial = {
        let ledger = Ledger::open(&file.0).unwrap();
        let meter = ledger.meter((&function, &revision), None);
        meter.add(Counter::CpuMicros, 7);
        ledger.beat(11, 12);
        // As after a kill: nobody drops anything.
        std::mem::forget(meter);
        of(&ledger.readings(), "f")[0].serial
    };
    let ledger = Ledger::open(&file.0).unwrap();
    let readings = ledger.readings();
    let found = of(&readings, "f");
    assert_eq!(
        (found[0].serial, found[0].totals[Counter::CpuMicros]),
        (serial, 7)
    );
    assert_eq!(ledger.last_beat(), (11, 12));
    // Its owner is this process, which lives.
    assert!(!found[0].is_final);
    ledger.slot(found[0].place)[OWNER].store(u64::from(u32::MAX), Ordering::Relaxed);
    assert!(of(&ledger.readings(), "f")[0].is_final, "its owner is gone");
}

#[test]
fn the_last_word_on_time_is_that_of_any_gateway() {
    let ledger = Ledger::in_memory();
    let (function, revision) = names("f");
    let (one, other) = (
        ledger.meter((&function, &revision), None),
        ledger.meter((&function, &revision), None),
    );
    one.stamp(5);
    assert_eq!(ledger.last_stamp("f", &revision), 0, "nothing was counted");
    one.add(Counter::IdleMicros, 1);
    other.add(Counter::IdleMicros, 1);
    one.stamp(7);
    other.stamp(6);
    assert_eq!(ledger.last_stamp("f", &revision), 7);
    assert_eq!(ledger.last_stamp("f", "other"), 0);
}

#[test]
fn a_slot_is_used_again_only_when_it_is_in_the_books() {
    let ledger = Ledger::in_memory();
    let (function, revision) = names("f");
    let meter = ledger.meter((&function, &revision), None);
    meter.add(Counter::Invocations, 1);
    let before = of(&ledger.readings(), "f")[0].clone();
    ledger.release(&before);
    assert_eq!(of(&ledger.readings(), "f").len(), 1, "it is in use");
    drop(meter);
    let last = of(&ledger.readings(), "f")[0].clone();
    assert!(last.is_final);
    ledger.release(&last);
    assert!(of(&ledger.readings(), "f").is_empty());
    let meter = ledger.meter((&function, &revision), None);
    meter.add(Counter::Cold, 1);
    let next = of(&ledger.readings(), "f")[0].clone();
    assert_eq!(
        (next.place, next.totals[Counter::Invocations]),
        (last.place, 0)
    );
    assert!(next.serial > last.serial);
    ledger.release(&last);
    assert_eq!(of(&ledger.readings(), "f").len(), 1, "that was another one");
}

#[test]
fn what_has_no_room_is_counted_together() {
    let ledger = Ledger::in_memory();
    let (_, revision) = names("");
    let meters: Vec<Meter> = (0..SLOTS + 5)
        .map(|number| ledger.meter((&Arc::from(format!("f{number}")), &revision), None))
        .collect();
    for meter in &meters {
        meter.add(Counter::Invocations, 1);
    }
    let long = ledger.meter((&Arc::from("x".repeat(NAME_BYTES + 1)), &revision), None);
    long.add(Counter::Invocations, 1);
    let readings = ledger.readings();
    assert_eq!(readings.len(), SLOTS);
    assert_eq!(of(&readings, OTHER)[0].totals[Counter::Invocations], 7);
    drop(meters);
    let readings = ledger.readings();
    assert!(!of(&readings, OTHER)[0].is_final);
    assert_eq!(readings.iter().filter(|it| it.is_final).count(), SLOTS - 1);
}

#[test]
fn a_file_that_is_no_ledger_is_replaced() {
    let file = Scratch::new("strange");
    std::fs::write(&file.0, b"something else").unwrap();
    let ledger = Ledger::open(&file.0).unwrap();
    assert_eq!(ledger.readings().len(), 1);
    let bytes = std::fs::metadata(&file.0).unwrap().len();
    assert_eq!(bytes, (LENGTH * 8) as u64);
}

#[test]
fn another_life_of_the_machine_has_no_instances() {
    let file = Scratch::new("boot");
    let ledger = Ledger::open(&file.0).unwrap();
    assert_eq!(ledger.spent(5, 100), 100);
    ledger.beat(1, 2);
    ledger.map.words()[AT_BOOT].store(77, Ordering::Relaxed);
    let ledger = Ledger::open(&file.0).unwrap();
    assert_eq!(ledger.last_beat().0, 0);
    assert_eq!(ledger.spent(5, 100), 100);
}

#[test]
fn cpu_time_is_counted_once_whoever_looks() {
    let file = Scratch::new("instances");
    let former = Ledger::open(&file.0).unwrap();
    assert_eq!(former.spent(1, 100), 100);
    assert_eq!(former.spent(1, 150), 50);
    assert_eq!(former.spent(1, 140), 0, "a reading that was overtaken");
    let heir = Ledger::open(&file.0).unwrap();
    assert_eq!(heir.spent(1, 180), 30);
    assert_eq!(former.spent(2, 10), 10);
    assert_eq!(heir.ended(2, Some(25)), 15, "begun after the heir looked");
    assert_eq!(former.ended(2, Some(25)), 0, "a second word");
    assert_eq!(heir.ended(1, None), 0);
    assert_eq!(heir.ended(3, Some(9)), 9, "never looked at");
    // A new one of the same id.
    assert_eq!(heir.spent(1, 4), 4);
    heir.keep_instances(&HashSet::from([8]));
    assert_eq!(heir.spent(1, 4), 4);
}

/// On request: `cargo test --release -p stoker-meter -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn what_a_request_pays() {
    const ROUNDS: u32 = 10_000_000;
    let file = Scratch::new("cost");
    let ledger = Ledger::open(&file.0).unwrap();
    let (function, revision) = names("f");
    let meter = Arc::new(ledger.meter((&function, &revision), None));
    let begun = std::time::Instant::now();
    for round in 0..ROUNDS {
        let held = Arc::clone(&meter);
        held.invoked(false);
        held.add(Counter::WallMicros, 1 + u64::from(round & 1));
        held.add(Counter::RequestBytes, 10);
        held.add(Counter::ResponseBytes, 20);
        std::hint::black_box(held);
    }
    println!("{:?} for each request", begun.elapsed() / ROUNDS);
    assert_eq!(meter.totals()[Counter::Invocations], ROUNDS.into());
}

#[test]
fn a_number_goes_with_the_slot_and_not_with_the_next_one() {
    let ledger = Ledger::in_memory();
    let (function, revision) = names("f");
    let number = |ledger: &Ledger| of(&ledger.readings(), "f")[0].number;
    for wanted in [Some(7), Some(TRIAL), None] {
        let meter = ledger.meter((&function, &revision), wanted);
        meter.add(Counter::Mirrored, 1);
        assert_eq!(number(&ledger), wanted);
        drop(meter);
        ledger.readings().iter().for_each(|it| ledger.release(it));
    }
}
