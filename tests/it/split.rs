//! Several revisions of a function at once.

mod addressed;
mod canary;
mod shop;
mod usage;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stoker_registry::Sticky;

use crate::harness::{Function, Record, wait_until};
use shop::{Shop, revision};

fn fixture() -> Function {
    Function::fixture("inherit").scaling(10, 2, "min-scale = 1")
}

#[test]
fn shares_hold_within_two_percent_and_move_without_a_failure() {
    let shop = Shop::new("", &[fixture(), fixture()]);
    wait_until("an instance", || shop.workers(1).len() == 1);
    let first = shop.workers(1);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut client = shop.gateway.connect();
            let mut count = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let answer = client.get("/function/f/work").expect("an answer");
                answer.good();
                count += 1;
            }
            count
        });
        let moving = scope.spawn(|| {
            shop.divide(&[(1, 90.0), (2, 10.0)]);
            let counts = shop.count(10_000);
            let second = f64::from(counts[&2]) / 100.0;
            assert!((second - 10.0).abs() < 2.0, "{second} % of 10,000 requests");
            println!("{second} % of 10,000 requests");
            for weights in [
                &[(1, 50.0), (2, 50.0)][..],
                &[(2, 100.0)],
                &[(1, 25.0), (2, 75.0)],
                &[(1, 100.0)],
            ] {
                shop.divide(weights);
                let counts = shop.count(200);
                let named: Vec<u32> = weights.iter().map(|it| it.0).collect();
                assert_eq!(counts.into_keys().collect::<Vec<_>>(), named);
            }
        });
        let moved = moving.join();
        over.store(true, Ordering::Relaxed);
        assert!(moved.is_ok(), "see above");
        println!("{} other answers", load.join().expect("none failed"));
    });
    assert!(shop.workers(1).contains(&first[0]), "the same process");
}

#[test]
fn a_revision_without_a_share_sleeps_and_answers_by_its_names() {
    let quick =
        Function::fixture("inherit").scaling(10, 2, "min-scale = 1\nidle-timeout = \"50ms\"");
    let shop = Shop::new("", &[quick.clone(), quick.clone(), quick]);
    shop.divide(&[(1, 100.0)]);
    let store = shop.registry.store();
    store.set_alias("f", "beta", 2).expect("an alias");
    shop.divide(&[(1, 60.0), (2, 40.0)]);
    wait_until("both are up", || {
        shop.workers(1).len() + shop.workers(2).len() == 2
    });
    shop.divide(&[(1, 100.0)]);
    wait_until("it sleeps", || shop.workers(2).is_empty());
    assert_eq!((shop.workers(1).len(), shop.workers(3).len()), (1, 0));
    for (name, number) in [("r1", 1), ("r2", 2), ("beta", 2), ("latest", 3), ("r3", 3)] {
        let answer = shop.gateway.get(&format!("/function/f:{name}/env")).good();
        assert_eq!(revision(&answer), number, "{name}");
        assert_eq!(answer.json()["STOKER_REVISION"], number.to_string());
    }
    for name in ["r4", "stable", "", "r2:r2"] {
        let answer = shop.gateway.get(&format!("/function/f:{name}/env"));
        answer.problem(404, "not-found");
    }
    wait_until("they sleep", || {
        shop.workers(2).len() + shop.workers(3).len() == 0
    });
    shop.gateway.get("/function/f:r3/work").good();
    assert_eq!(shop.instances("/v1/instances"), ["1", "3"]);
    assert_eq!(shop.instances("/v1/functions/f"), ["1", "3"]);
    assert_eq!(shop.instances("/v1/functions/f:latest"), ["3"]);
}

#[test]
fn callers_stay_where_their_header_or_cookie_sends_them() {
    let shop = Shop::new("", &[fixture(), fixture()]);
    let header = || Some(Sticky::Header("X-User".to_owned()));
    let users = || -> BTreeMap<u32, u32> {
        let mut client = shop.gateway.connect();
        let ask = |user: u32| {
            let line = format!("x-user: u{user}\r\n");
            client
                .request("GET /function/f/work", &line, b"")
                .expect("can be sent");
            (user, revision(&client.receive().expect("an answer").good()))
        };
        (0..300).map(ask).collect()
    };
    shop.set(&[(1, 80.0), (2, 20.0)], header(), None);
    let before = users();
    assert_eq!(before, users(), "the same as before");
    let second = before.values().filter(|it| **it == 2).count();
    assert!((30..90).contains(&second), "{second} of 300");
    shop.set(&[(1, 60.0), (2, 40.0)], header(), None);
    let after = users();
    assert!(
        before
            .iter()
            .all(|(user, number)| *number == 1 || after[user] == 2)
    );

    let cookie = Some(Sticky::Cookie("side".to_owned()));
    shop.set(&[(1, 50.0), (2, 50.0)], cookie, None);
    let mut client = shop.gateway.connect();
    let mut met = [0_u32; 2];
    for _ in 0..40 {
        let answer = client.get("/function/f/work").expect("an answer").good();
        let given = answer.header("set-cookie").expect("a cookie");
        let pair = given.split(';').next().expect("a pair").to_owned();
        assert!(pair.starts_with("side="), "{given}");
        let number = revision(&answer);
        met[number as usize - 1] += 1;
        for _ in 0..3 {
            let line = format!("cookie: a=b; {pair}\r\n");
            client
                .request("GET /function/f/work", &line, b"")
                .expect("can be sent");
            let again = client.receive().expect("an answer").good();
            assert_eq!(
                (revision(&again), again.header("set-cookie")),
                (number, None)
            );
        }
    }
    assert!(met.iter().all(|count| *count > 5), "{met:?}");
}

#[test]
fn copies_go_to_the_mirror_and_nobody_waits_for_it() {
    let record = Record::new("mirror");
    let mirror = fixture().env("FIXTURE_RECORD", record.path());
    let shop = Shop::new("[mirror]\nmax-requests = 4", &[fixture(), mirror]);
    shop.set(&[(1, 100.0)], None, Some(2));
    let mut client = shop.gateway.connect();
    let sent = |result: &str| {
        let labels = format!("{{function=\"f\",result=\"{result}\"}}");
        shop.metric(&format!("stoker_mirrored_requests_total{labels}"))
    };
    for body in [&b""[..], b"some bytes"] {
        let answer = client.post("/function/f/echo", body).expect("an answer");
        let answer = answer.good();
        assert_eq!((revision(&answer), &*answer.body), (1, body));
    }
    record.wait_for("POST /echo", 2);
    let long = client.post("/function/f/echo", &vec![7; 100_000]);
    assert_eq!(long.expect("an answer").good().body.len(), 100_000);
    assert_eq!((sent("sent"), sent("too-large")), (2, 1));
    let mut stuck = shop.gateway.connect();
    stuck
        .request("GET /function/f/work?ms=500", "", b"")
        .expect("can be sent");
    record.wait_for("GET /work?ms=500", 1);
    client.get("/function/f/pid").expect("an answer").good();
    stuck.receive().expect("an answer").good();
    let ended =
        "stoker_requests_total{code=\"2xx\",function=\"f\",origin=\"function\",revision=\"2\"}";
    wait_until("copies are counted", || shop.metric(ended) >= 4);
    assert_eq!(sent("busy") + sent("incomplete"), 0);
}

#[test]
fn revisions_keep_their_instances_through_an_upgrade_and_a_kill() {
    let mut shop = Shop::new("", &[fixture(), fixture()]);
    shop.divide(&[(1, 50.0), (2, 50.0)]);
    wait_until("both are up", || {
        shop.workers(1).len() + shop.workers(2).len() == 2
    });
    let before = (shop.workers(1), shop.workers(2));
    shop.gateway.upgrade();
    assert!(shop.count(100).values().all(|count| count.abs_diff(50) < 3));
    assert_eq!(
        (shop.workers(1), shop.workers(2)),
        before,
        "the same processes"
    );
    shop.gateway.wait_for_former();
    shop.gateway.kill();
    shop.gateway.restart();
    assert!(shop.count(100).values().all(|count| count.abs_diff(50) < 3));
    assert_eq!(
        (shop.workers(1), shop.workers(2)),
        before,
        "the same processes"
    );
}
