//! One revision of a function by itself, as operators name it, and policies, which are for all.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fixture;
use super::shop::Shop;
use crate::harness::wait_until;

/// What a command says of it.
fn said(shop: &Shop, arguments: &[&str]) -> String {
    shop.gateway.try_admin(arguments).expect("it is answered")
}

/// The different values of a member in a list.
fn all(list: &Value, key: &str) -> BTreeSet<String> {
    let values = list.as_array().expect("a list").iter();
    let texts = values.filter_map(|it| Some(it[key].as_str()?.to_owned()));
    texts.collect()
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

fn both_up() -> Shop {
    let shop = Shop::new("", &[fixture(), fixture()]);
    shop.divide(&[(1, 50.0), (2, 50.0)]);
    wait_until("both are up", || {
        shop.workers(1).len() + shop.workers(2).len() == 2
    });
    shop.count(20);
    shop
}

#[test]
fn what_is_told_of_one_revision_is_told_of_no_other() {
    let shop = both_up();
    let json = |arguments: &[&str]| -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&said(&shop, &arguments)).expect("JSON")
    };
    let ps = json(&["ps", "f:r2"]);
    assert_eq!(all(&ps, "revision"), set(["2"]));
    assert_eq!(all(&json(&["ps", "f"]), "revision"), set(["1", "2"]));
    let table = said(&shop, &["ps"]);
    assert!(
        table.contains(" f:r1 ") && table.contains(" f:r2 "),
        "{table}"
    );
    for name in ["f:r2", "f:latest"] {
        let starts = json(&["ps", "--starts", name]);
        assert_eq!(all(&starts, "revision"), set(["2"]), "{name}");
        let stats = shop.admin(&format!("/v1/stats?names={name}")).json();
        assert_eq!(all(&stats["functions"], "revision"), set(["2"]), "{name}");
        let list = shop.admin(&format!("/v1/functions?names={name}")).json();
        assert_eq!(all(&list, "url"), set(["/function/f:r2"]), "{name}");
    }
    let gone = shop.admin("/v1/starts?function=f:r9").json();
    assert_eq!(gone, Value::Array(Vec::new()));
    let unknown = shop.admin("/v1/starts?function=f:best").text();
    assert!(unknown.contains("unknown-function"), "{unknown}");
    let explained = said(&shop, &["explain", "f:r2"]);
    assert!(explained.starts_with("f:r2 has 1 instance"), "{explained}");
    assert!(!explained.contains("f:r1"), "{explained}");
    let explained = said(&shop, &["explain", "f"]);
    assert!(explained.contains("f:r1 has 1"), "{explained}");
    assert!(explained.contains("f:r2 has 1"), "{explained}");
    let lines = said(&shop, &["logs", "f:r2", "--json"]);
    let lines: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
    let instances = all(&Value::Array(lines.expect("JSON")), "instance");
    assert_eq!(instances, all(&ps, "id"));
}

#[test]
fn one_revision_is_held_and_evicted_by_itself() {
    let shop = both_up();
    let first = shop.workers(1);
    said(&shop, &["scale", "f:r2", "2"]);
    wait_until("it is held at two", || shop.workers(2).len() == 2);
    assert_eq!(shop.workers(1), first);
    let before = shop.workers(2);
    said(&shop, &["evict", "f:r2"]);
    wait_until("both are gone", || {
        shop.workers(2).iter().all(|pid| !before.contains(pid))
    });
    assert_eq!(shop.workers(1), first);
    // Whichever was held, the function's policy decides again.
    said(&shop, &["scale", "f", "auto"]);
    let shown = shop.admin("/v1/functions/f:r2").json();
    assert_eq!(shown["scale_override"], Value::Null);
}

#[test]
fn a_policy_is_the_functions_and_outlives_publishing_and_rolling_back() {
    let trying = |idle: &str| {
        let more = format!("idle-timeout = \"{idle}\"\n[scaling.shadow]\nmax-scale = 5");
        crate::harness::Function::fixture("inherit").scaling(10, 2, &more)
    };
    let shop = Shop::new("", &[trying("60s"), trying("60s")]);
    let most =
        |name: &str| shop.admin(&format!("/v1/functions/{name}")).json()["max_scale"].clone();
    let set = shop.send("PUT /v1/functions/f/scaling", "{\"max-scale\": 7}");
    assert!(set.text().contains("scaling.max-scale"), "{}", set.text());
    assert_eq!((most("f"), most("f:r2")), (7.into(), 7.into()));
    shop.divide(&[(2, 100.0)]);
    assert_eq!((most("f"), most("f:r1")), (7.into(), 7.into()));
    // Published later, with the same settings of its own, and with others.
    shop.publish(3, &trying("60s"));
    shop.publish(4, &trying("30s"));
    shop.divide(&[(3, 100.0)]);
    assert_eq!((most("f"), most("f:r1")), (7.into(), 7.into()));
    shop.divide(&[(4, 100.0)]);
    assert_eq!((most("f"), most("f:r3")), (2.into(), 7.into()));
    let history = said(&shop, &["policy", "history", "f"]);
    assert!(history.contains("Revision 4 came later"), "{history}");
    shop.divide(&[(1, 100.0)]);
    assert_eq!((most("f"), most("f:r4")), (7.into(), 2.into()));
    // The newest word is for all of them.
    said(&shop, &["policy", "promote", "f"]);
    assert_eq!((most("f"), most("f:r4")), (5.into(), 5.into()));
    said(&shop, &["policy", "rollback", "f"]);
    assert_eq!((most("f"), most("f:r4")), (7.into(), 7.into()));
    said(&shop, &["policy", "rollback", "f"]);
    assert_eq!((most("f"), most("f:r4")), (2.into(), 2.into()));
}
