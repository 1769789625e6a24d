//! Server-sent events and other answers that go on for as long as they like: what is written is
//! seen at once.

use rustix::process::Signal;

use super::{VERSIONS, url};
use crate::harness::{Function, Gateway, Program, Record, Site, wait_until};

fn function(record: &Record, concurrency: u32) -> Function {
    Function::script("unix", "sse_server.mjs")
        .env("RECORD", record.path())
        .scaling(concurrency, 1, "")
}

/// Has the function do something on a connection of its own.
fn tell(gateway: &Gateway, what: &str, body: &str) {
    let path = format!("/function/f/{what}");
    let answer = gateway.connect().post(&path, body.as_bytes());
    answer.expect("there is an answer").good();
}

/// A curl that shows the events as they come.
fn follow(gateway: &Gateway, version: &str, what: &str) -> Program {
    let url = url(gateway, &format!("/function/f/{what}"));
    Program::start("curl", &["--silent", "--no-buffer", version, &url])
}

#[test]
fn each_event_is_there_before_the_next_is_made() {
    let record = Record::new("sse-flush");
    let gateway = Site::new("").function("f", &function(&record, 8)).start();
    for version in VERSIONS {
        for what in ["events", "chunks"] {
            let mut client = follow(&gateway, version, what);
            if what == "events" {
                client.expect("retry: 50");
            } else {
                // The head of the answer is on its way without a byte behind it.
                record.wait_for("opened after nothing;", record.count("opened") + 1);
            }
            for event in ["one", "two", "three"] {
                tell(&gateway, "emit", event);
                client.expect_part(&format!("data: {event}"));
            }
            tell(&gateway, "end", "");
            client.finish();
        }
    }
}

#[test]
fn a_stream_outlives_the_limits_of_plain_answers() {
    let record = Record::new("sse-limits");
    let function =
        function(&record, 8).with("[timeouts]\nfirst-byte = \"2s\"\nidle = \"2s\"\ntotal = \"3s\"");
    let gateway = Site::new("").function("f", &function).start();
    // The start may take longer than a request may.
    wait_until("the function is up", || {
        gateway.get("/function/f/page").is_good()
    });
    for version in VERSIONS {
        let mut events = follow(&gateway, version, "events");
        events.expect("retry: 50");
        // Each is begun later and cut off, so the stream is older than what it would be allowed.
        for _ in 0..2 {
            gateway
                .get("/function/f/stall")
                .problem(504, "first-byte-timeout");
        }
        tell(&gateway, "emit", "late");
        events.expect_part("data: late");
        tell(&gateway, "end", "");
        events.finish();
    }
}

#[test]
fn a_stream_on_which_nothing_moves_is_cut_off() {
    let record = Record::new("sse-idle");
    let function = function(&record, 1).with("[timeouts]\nstream-idle = \"2s\"");
    let gateway = Site::new("").function("f", &function).start();
    for (round, version) in VERSIONS.iter().enumerate() {
        let mut events = follow(&gateway, version, "events");
        events.expect("retry: 50");
        record.wait_for("gone", round + 1);
        drop(events);
        // Its slot is free.
        tell(&gateway, "emit", "to nobody");
    }
}

#[test]
fn a_reader_who_leaves_frees_the_slot() {
    let record = Record::new("sse-leave");
    let function = function(&record, 1);
    let gateway = Site::new("").function("f", &function).start();
    for (round, version) in VERSIONS.iter().enumerate() {
        let mut events = follow(&gateway, version, "events");
        events.expect("retry: 50");
        drop(events);
        record.wait_for("gone", round + 1);
        tell(&gateway, "emit", "to nobody");
    }
}

#[test]
fn the_gateways_end_is_the_streams_after_a_grace() {
    let record = Record::new("sse-drain");
    let function = function(&record, 8);
    let mut gateway = Site::new("[timeouts]\nstream-grace = \"300ms\"")
        .function("f", &function)
        .start();
    let mut streams: Vec<Program> = VERSIONS
        .iter()
        .map(|version| follow(&gateway, version, "events"))
        .collect();
    for stream in &mut streams {
        stream.expect("retry: 50");
    }
    // It takes no new connection then, but this one is there already.
    let mut control = gateway.connect();
    control
        .enqueue("/function/f/emit", b"last")
        .expect("it is asked for");
    gateway.signal(Signal::TERM);
    gateway.wait_for_error(0, &["finishing the requests in flight"]);
    control.send("last").expect("can be sent");
    control.receive().expect("there is an answer").good();
    for stream in &mut streams {
        stream.expect_part("data: last");
    }
    assert!(gateway.wait().success());
}

#[test]
fn the_instances_end_is_the_streams_after_a_grace() {
    let record = Record::new("sse-reload");
    let function = function(&record, 8).with("[timeouts]\ndrain = \"10m\"");
    let gateway = Site::new("[timeouts]\nstream-grace = \"300ms\"")
        .function("f", &function)
        .start();
    let mut streams: Vec<Program> = VERSIONS
        .iter()
        .map(|version| follow(&gateway, version, "events"))
        .collect();
    for stream in &mut streams {
        stream.expect("retry: 50");
    }
    let former = gateway.workers();
    let changed = function.env("CHANGED", "yes").manifest();
    std::fs::write(gateway.site().manifest("f"), changed).expect("can be written");
    gateway.signal(Signal::HUP);
    // It has ten minutes for that, unless both streams have given their slots back.
    wait_until("the former instance ends", || {
        !gateway.workers().contains(&former[0])
    });
    tell(&gateway, "emit", "to the next instance");
}

/// The page comes through the gateway too, and says what it got.
#[test]
fn a_browser_receives_events_and_comes_back_for_more() {
    let record = Record::new("sse-browser");
    let gateway = Site::new("").function("f", &function(&record, 8)).start();
    let profile = gateway.site().directory().join("profile");
    let _browser = Program::start(
        "chromium",
        &[
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--disable-background-networking",
            "--no-first-run",
            "--remote-debugging-port=0",
            &format!("--user-data-dir={}", profile.display()),
            &url(&gateway, "/function/f/page"),
        ],
    );
    record.wait_for("opened after nothing;", 1);
    let mut got = Vec::new();
    for (index, event) in ["a", "b", "c"].iter().enumerate() {
        tell(&gateway, "emit", event);
        got.push(format!("{}={event}", index + 1));
        record.wait_for(&format!("report {};", got.join(" ")), 1);
    }
    tell(&gateway, "end", "");
    record.wait_for("opened after 3;", 1);
    tell(&gateway, "emit", "d");
    got.push("4=d".to_owned());
    record.wait_for(&format!("report {};", got.join(" ")), 1);
    assert!(gateway.get("/function/f/page").timing("total").is_some());
}
