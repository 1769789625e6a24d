//! One function's queue leaves room for another's.

use crate::harness::{Client, Function, Gateway, Record, Site};

fn occupy(gateway: &Gateway, name: &str, record: &Record) -> Client {
    let mut occupant = gateway.connect();
    occupant
        .request(&format!("GET /function/{name}/stall"), "", b"")
        .expect("can be sent");
    record.wait_for("GET /stall", 1);
    occupant
}

/// As many as may wait for `name`, and what the next one is told.
fn fill(gateway: &Gateway, name: &str) -> (Vec<Client>, String) {
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let mut client = gateway.connect();
        match client.enqueue(&format!("/function/{name}/work"), b"x") {
            Ok(()) => waiting.push(client),
            Err(refusal) => {
                let retry = refusal.header("retry-after").map(str::to_owned);
                assert_eq!(retry.as_deref(), Some("1"), "{refusal}");
                return (waiting, refusal.problem(503, "queue-full"));
            }
        }
    }
    panic!("everybody may wait");
}

#[test]
fn a_full_queue_of_one_function_leaves_room_for_another() {
    let records = [Record::new("fair-hog"), Record::new("fair-other")];
    let mut site = Site::new("[limits]\nwaiters = 40");
    for (name, record) in ["hog", "other"].into_iter().zip(&records) {
        let function = Function::fixture("inherit")
            .env("FIXTURE_RECORD", record.path())
            .scaling(1, 1, "");
        site = site.function(name, &function);
    }
    let gateway = site.start();
    let hog = occupy(&gateway, "hog", &records[0]);
    let other = occupy(&gateway, "other", &records[1]);

    // 4 that each is sure of, and of the other 32 at most four times what is free.
    let (mut first, detail) = fill(&gateway, "hog");
    assert_eq!(first.len(), 4 + 26);
    assert!(detail.contains("function's share of the 40"), "{detail}");
    let (mut second, _) = fill(&gateway, "other");
    assert_eq!(second.len(), 4 + 5);

    drop((hog, other));
    for client in first.iter_mut().chain(&mut second) {
        client.send("x").expect("can be sent");
        client.receive().expect("there is an answer").good();
    }
    let metrics = crate::overload::metrics(&gateway);
    assert!(
        metrics.contains("stoker_shed_total{reason=\"waiters\"} 2"),
        "{metrics}"
    );
}

#[test]
fn connections_to_instances_are_shared_too() {
    let function = Function::fixture("inherit").scaling(10, 1, "");
    let gateway = Site::new("[limits]\ninstance-connections = 2")
        .function("f", &function)
        .start();
    let record_free = |ms| format!("GET /function/f/work?ms={ms}");
    let mut busy = [gateway.connect(), gateway.connect(), gateway.connect()];
    for client in &mut busy {
        client
            .request(&record_free(500), "", b"")
            .expect("can be sent");
    }
    let mut statuses: Vec<u16> = busy
        .iter_mut()
        .map(|client| client.receive().expect("there is an answer").status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503]);
    gateway.get("/function/f/work").good();
}
