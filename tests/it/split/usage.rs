//! What is counted of several revisions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fixture;
use super::shop::Shop;
use crate::harness::wait_until;

/// The rows of this day, by revision.
fn rows(shop: &Shop) -> BTreeMap<String, Value> {
    let arguments = ["usage", "--by", "month", "--json", "--function", "f"];
    let said = shop.gateway.try_admin(&arguments).expect("there are books");
    let usage: Value = serde_json::from_str(&said).expect("JSON");
    let rows = usage["rows"].as_array().expect("rows").iter();
    let revision = |row: &Value| row["revision"].as_str().expect("a text").to_owned();
    rows.map(|row| (revision(row), row.clone())).collect()
}

#[test]
fn copies_are_told_apart_and_revisions_have_their_numbers() {
    let mut shop = Shop::new("", &[fixture(), fixture(), fixture()]);
    shop.set(&[(1, 100.0)], None, Some(2));
    let mut client = shop.gateway.connect();
    for _ in 0..10 {
        let path = "/function/f/status?code=503";
        client.get(path).expect("an answer");
    }
    let ended =
        "stoker_requests_total{code=\"5xx\",function=\"f\",origin=\"function\",revision=\"2\"}";
    wait_until("copies are counted", || shop.metric(ended) == 10);
    drop(client);
    shop.gateway.kill();
    shop.gateway.restart();
    shop.divide(&[(3, 100.0)]);
    assert_eq!(shop.count(5), BTreeMap::from([(3, 5)]));
    let rows = rows(&shop);
    let counts = |revision: &str| {
        let row = &rows[revision];
        ["invocations", "failures", "mirrored"].map(|key| row[key].as_u64().expect("a number"))
    };
    assert_eq!(counts("1"), [10, 10, 0], "{rows:?}");
    assert_eq!(counts("2"), [0, 0, 10], "{rows:?}");
    assert_eq!(counts("3"), [5, 0, 0], "{rows:?}");
    assert_eq!(rows["2"]["starts"], 1, "{rows:?}");
}
