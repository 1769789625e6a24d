use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;

/// Books in a directory that goes with the test.
struct Desk {
    directory: PathBuf,
    books: Books,
}

impl Desk {
    fn new() -> Desk {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stoker-usage-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let books = Books::open(&directory.join("usage.db")).unwrap();
        Desk { directory, books }
    }

    fn rows(&self, by: Period) -> Vec<UsageRow> {
        let query = UsageQuery {
            by,
            from: 0,
            to: u64::MAX,
            function: None,
        };
        self.books.rows(&query, usize::MAX).unwrap()
    }

    fn sum(&self, by: Period) -> Totals {
        let mut sum = Totals::default();
        self.rows(by).iter().for_each(|row| sum.add(&row.totals));
        sum
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn reading(serial: u64, function: &str, invocations: u64) -> Reading {
    Reading {
        place: 1,
        serial,
        function: function.to_owned(),
        revision: "r".to_owned(),
        number: None,
        totals: Totals::default().with(Counter::Invocations, invocations),
        is_final: false,
    }
}

fn invocations(rows: &[UsageRow]) -> Vec<(u64, &str, u64)> {
    let row = |row: &'_ UsageRow| row.totals[Counter::Invocations];
    rows.iter()
        .map(|it| (it.start, &*it.function, row(it)))
        .collect()
}

#[test]
fn what_was_entered_is_not_entered_again() {
    let desk = Desk::new();
    desk.books.enter(&[reading(7, "a", 10)], 100).unwrap();
    desk.books.enter(&[reading(7, "a", 10)], 100).unwrap();
    // Another gateway, or this one after a crash.
    let again = Books::open(&desk.directory.join("usage.db")).unwrap();
    again
        .enter(&[reading(7, "a", 12), reading(8, "a", 1)], 130)
        .unwrap();
    assert_eq!(
        invocations(&desk.rows(Period::Minute)),
        [(60, "a", 10), (120, "a", 3)]
    );
    assert_eq!(invocations(&desk.rows(Period::Hour)), [(0, "a", 13)]);
    assert_eq!(invocations(&desk.rows(Period::Day)), [(0, "a", 13)]);
    assert_eq!(
        desk.books.sums(0, 86_400).unwrap()[0].1[Counter::Invocations],
        13
    );
    assert!(desk.books.sums(86_400, 2 * 86_400).unwrap().is_empty());
}

#[test]
fn a_counter_that_went_back_goes_on_from_there() {
    let desk = Desk::new();
    desk.books.enter(&[reading(7, "a", 10)], 0).unwrap();
    desk.books.enter(&[reading(7, "a", 4)], 0).unwrap();
    desk.books.enter(&[reading(7, "a", 6)], 0).unwrap();
    assert_eq!(desk.sum(Period::Day)[Counter::Invocations], 12);
}

#[test]
fn rows_are_asked_for_by_time_and_function() {
    let desk = Desk::new();
    for (function, at) in [("a", 0), ("b", 60), ("a", 3600)] {
        desk.books
            .enter(&[reading(at + 1, function, 1)], at)
            .unwrap();
    }
    let ask = |by, from, to, function: Option<&str>| {
        let function = function.map(str::to_owned);
        let query = UsageQuery {
            by,
            from,
            to,
            function,
        };
        let rows = desk.books.rows(&query, 100).unwrap();
        rows.iter().map(|row| row.start).collect::<Vec<_>>()
    };
    assert_eq!(ask(Period::Minute, 0, 4000, Some("a")), [0, 3600]);
    assert_eq!(ask(Period::Minute, 61, 3600, None), [60]);
    assert_eq!(
        ask(Period::Hour, 100, 3600, None),
        [0, 0],
        "the hour that holds it is in"
    );
    assert_eq!(
        desk.books
            .rows(
                &UsageQuery {
                    by: Period::Minute,
                    from: 0,
                    to: 9999,
                    function: None
                },
                2
            )
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn old_rows_and_cursors_go() {
    let desk = Desk::new();
    let day = 86_400;
    for at in [0, 10 * day] {
        desk.books.enter(&[reading(at + 1, "a", 1)], at).unwrap();
    }
    let keep = Keep {
        minutes: 3600,
        hours: 2 * day,
        days: 30 * day,
    };
    let present = [reading(10 * day + 1, "a", 1)];
    desk.books.prune(keep, &present, 10 * day + 60).unwrap();
    assert_eq!(desk.rows(Period::Minute).len(), 1);
    assert_eq!(desk.rows(Period::Hour).len(), 1);
    assert_eq!(desk.rows(Period::Day).len(), 2);
    // What is in the ledger still is not entered again.
    desk.books.enter(&present, 10 * day).unwrap();
    assert_eq!(desk.sum(Period::Day)[Counter::Invocations], 2);
}

#[test]
fn budgets_are_kept_as_they_were_set() {
    let desk = Desk::new();
    desk.books.set_budget("a", Some("{}")).unwrap();
    desk.books.set_budget("a", Some("{1}")).unwrap();
    desk.books.set_budget("b", Some("{2}")).unwrap();
    desk.books.set_budget("b", None).unwrap();
    assert_eq!(
        desk.books.budgets().unwrap(),
        [("a".to_owned(), "{1}".to_owned())]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// However readings come, each kind of row sums up to what was counted.
    #[test]
    fn sums_of_rows_are_sums_of_deltas(
        steps in prop::collection::vec((0_u64..3, 0_u64..1000, 0_usize..COUNTERS, 0_u64..100_000), 1..40)
    ) {
        let desk = Desk::new();
        let mut slots = [Totals::default(); 3];
        let mut now = 1_700_000_000;
        let mut expected = Totals::default();
        for (slot, amount, counter, seconds) in steps {
            now += seconds;
            slots[slot as usize].0[counter] += amount;
            expected.0[counter] += amount;
            let readings: Vec<Reading> = slots.iter().enumerate().map(|(number, totals)| Reading {
                totals: *totals,
                ..reading(number as u64 + 1, ["a", "b", "a"][number], 0)
            }).collect();
            desk.books.enter(&readings, now).unwrap();
        }
        for period in Period::KEPT {
            prop_assert_eq!(desk.sum(period), expected);
            for row in desk.rows(period) {
                prop_assert_eq!(period.start(row.start), row.start);
            }
        }
    }
}

#[test]
fn revisions_are_shown_by_their_numbers_once_those_are_known() {
    let desk = Desk::new();
    let of = |serial, revision: &str, number| Reading {
        revision: revision.to_owned(),
        number,
        ..reading(serial, "f", 10)
    };
    let readings = [
        of(1, "old", Some(10)),
        // With other secrets it is the same revision.
        of(2, "new", Some(10)),
        of(3, "two", Some(2)),
        of(4, "first", Some(TRIAL)),
        of(5, "file", None),
    ];
    desk.books.enter(&readings, 60).unwrap();
    // Whoever hears of one that ended while no gateway was there knows its hash only.
    desk.books.enter(&[of(6, "old", None)], 60).unwrap();
    let rows = desk.rows(Period::Minute);
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (&*row.revision, row.totals[Counter::Invocations]))
        .collect();
    assert_eq!(shown, [("file", 10), ("2", 10), ("10", 30), ("trial", 10)]);
    let keep = Keep {
        minutes: 0,
        hours: 0,
        days: 0,
    };
    desk.books.prune(keep, &[], 10 * 86_400).unwrap();
    let left: i64 = desk
        .books
        .lock()
        .query_row("SELECT count(*) FROM numbers", (), |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn books_of_the_first_release_are_gone_on_with() {
    let desk = Desk::new();
    let file = desk.directory.join("first.db");
    let first = Connection::open(&file).unwrap();
    let columns: Vec<String> = Counter::ALL[..Counter::FIRST]
        .iter()
        .map(|it| format!("{} INTEGER NOT NULL DEFAULT 0", it.name()))
        .collect();
    let columns = columns.join(", ");
    first
        .execute_batch(&format!(
            "CREATE TABLE usage (period INTEGER NOT NULL, start INTEGER NOT NULL, function TEXT NOT \
             NULL, revision TEXT NOT NULL, {columns}, PRIMARY KEY (period, start, function, \
             revision)) WITHOUT ROWID; CREATE TABLE cursors (serial INTEGER PRIMARY KEY, {columns}); \
             CREATE TABLE budgets (function TEXT PRIMARY KEY, budget TEXT NOT NULL) WITHOUT ROWID; \
             INSERT INTO usage (period, start, function, revision, invocations) VALUES \
             ({}, 0, 'f', 'r', 7); INSERT INTO cursors (serial, invocations) VALUES (1, 7); \
             PRAGMA user_version = 1",
            Period::Day.number()
        ))
        .unwrap();
    drop(first);
    let books = Books::open(&file).unwrap();
    let mut more = reading(1, "f", 9);
    more.totals = more.totals.with(Counter::Mirrored, 4);
    books.enter(&[more], 60).unwrap();
    let sums = books.sums(0, 86_400).unwrap();
    let (name, totals) = &sums[0];
    assert_eq!(
        (
            &**name,
            totals[Counter::Invocations],
            totals[Counter::Mirrored]
        ),
        ("f", 9, 4)
    );
}
