//! What is written of a report, as files that are kept beside this one, and the page in a browser.
//! `STOKER_WRITE_GOLDEN=1` writes the files anew.

mod fixture;
mod page;

use std::path::Path;

use fixture::report;
use stoker_bench::compare::{CompareOptions, compare};
use stoker_bench::output::{csv, table};

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("STOKER_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("it can be written");
        return;
    }
    let wanted = std::fs::read_to_string(&path).expect("it can be read");
    for (number, (got, wanted)) in text.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(got, wanted, "{name}, line {}", number + 1);
    }
    assert_eq!(text.lines().count(), wanted.lines().count(), "{name}");
}

#[test]
fn the_table_is_as_it_was() {
    golden("table.txt", &table::render(&report(1.0)));
}

#[test]
fn the_figures_are_as_they_were() {
    golden("figures.csv", &csv::figures(&report(1.0)));
}

/// They are many: the first ones, and what must hold for all.
#[test]
fn the_distributions_are_as_they_were() {
    let text = csv::distributions(&report(1.0));
    let first: Vec<&str> = text.lines().take(40).collect();
    golden("distributions.csv", &(first.join("\n") + "\n"));
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("warm,6,total,") && last.ends_with(",1.000000"),
        "{last}"
    );
}

#[test]
fn the_comparison_is_as_it_was() {
    let (first, mut second) = (report(1.0), report(1.2));
    second
        .settings
        .insert("connection".to_owned(), "kept".to_owned());
    second.machine.kernel = "6.19.0".to_owned();
    let options = CompareOptions {
        draws: 300,
        ..CompareOptions::default()
    };
    let comparison = compare(&first, &second, options);
    golden("compare.txt", &comparison.text("a.json", "b.json"));
    let json = serde_json::to_string_pretty(&comparison).unwrap();
    golden("compare.json", &(json + "\n"));
}

#[test]
fn a_report_survives_its_file() {
    let report = report(1.0);
    let text = serde_json::to_string(&report).unwrap();
    let again = serde_json::from_str(&text).unwrap();
    assert_eq!(table::render(&report), table::render(&again));
}
