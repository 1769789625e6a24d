//! Callers that take or send nothing, or next to nothing.

use std::io::Write;
use std::time::Duration;

use super::{GROWTH, SLOTS, all_slots_are_back, gateway, under_attack};
use crate::harness::client::read_once;
use crate::harness::frames::{
    DATA, END_HEADERS, HEADERS, Http2, Outcome, PREFACE, SETTINGS, WINDOW_UPDATE, frame, get,
    headers,
};
use crate::harness::{Client, Record, in_parallel};

/// Callers are not waited for for long.
const SHORT: &str =
    "[timeouts]\nheader = \"3s\"\nkeep-alive = \"3s\"\nbody = \"3s\"\nwrite = \"3s\"";
/// `SETTINGS_INITIAL_WINDOW_SIZE` of 0.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];
/// More than all buffers between the function and a caller hold.
const LARGE: &str = "/function/f/bytes?n=20000000";

/// Large answers for callers that never open a window: the slots come back after `timeouts.write`.
#[test]
fn no_window() {
    let record = Record::new("window");
    let gateway = gateway(SHORT, &record);
    under_attack(&gateway, GROWTH, || {
        let mut connection = Http2::connect(gateway.address(), &NO_WINDOW).expect("it accepts");
        for index in 0..100 {
            connection
                .send(get(2 * index + 1, LARGE))
                .expect("can be sent");
        }
        record.wait_for("GET /bytes", SLOTS);
        all_slots_are_back(&gateway, &record);
    });
}

/// The same with windows of a byte at a time, which the caller opens again and again.
#[test]
fn a_trickle_of_window() {
    let record = Record::new("trickle");
    let gateway = gateway(SHORT, &record);
    under_attack(&gateway, GROWTH, || {
        let mut connection = Http2::connect(gateway.address(), &NO_WINDOW).expect("it accepts");
        let streams: Vec<u32> = (0..SLOTS as u32).map(|index| 2 * index + 1).collect();
        for &stream in &streams {
            connection.send(get(stream, LARGE)).expect("can be sent");
        }
        record.wait_for("GET /bytes", SLOTS);
        let mut stream = connection.stream();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    for &id in &streams {
                        let byte = frame(WINDOW_UPDATE, 0, id, &[0, 0, 0, 1]);
                        stream.write_all(&byte).ok();
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
            all_slots_are_back(&gateway, &record);
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
}

/// Who takes nothing of one answer may still wait for another on the same connection.
#[test]
fn a_stall_of_one_answer_only() {
    let record = Record::new("one");
    let gateway = gateway(SHORT, &record);
    let mut connection = Http2::connect(gateway.address(), &NO_WINDOW).expect("it accepts");
    connection.send(get(1, LARGE)).expect("can be sent");
    // Nothing comes for longer than the first answer may stall.
    let quiet = "/function/f/chunked?n=2&ms=5000";
    connection.send(get(3, quiet)).expect("can be sent");
    let window = frame(WINDOW_UPDATE, 0, 3, &[0, 0, 3, 0]);
    connection.send(window).expect("can be sent");
    let outcome = connection.outcome(3).expect("it ends");
    assert_eq!(outcome, Outcome::Answer(200, "chunk 0\nchunk 1\n".into()));
    all_slots_are_back(&gateway, &record);
}

/// Bodies over HTTP/2 that never end: the caller is told, and the slots come back.
#[test]
fn bodies_without_end() {
    let record = Record::new("endless");
    let gateway = gateway(SHORT, &record);
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "stoker.test"),
        (":path", "/function/f/stall"),
    ];
    under_attack(&gateway, GROWTH, || {
        let mut connection = Http2::connect(gateway.address(), &[]).expect("it accepts");
        for index in 0..SLOTS as u32 {
            let stream = 2 * index + 1;
            connection
                .send(headers(stream, END_HEADERS, &fields))
                .expect("can be sent");
            connection
                .send(frame(DATA, 0, stream, b"begun"))
                .expect("can be sent");
        }
        record.wait_for("POST /stall", SLOTS);
        let outcome = connection.outcome(1).expect("it ends");
        assert!(matches!(outcome, Outcome::Answer(408, _)), "{outcome:?}");
        all_slots_are_back(&gateway, &record);
    });
}

/// Heads over HTTP/2 that never end, and prefaces: no request came, so the connection is closed.
#[test]
fn heads_without_end_over_http2() {
    let record = Record::new("heads2");
    let gateway = gateway(SHORT, &record);
    under_attack(&gateway, GROWTH, || {
        let settings = frame(SETTINGS, 0, 0, &[]);
        let half = frame(HEADERS, 0, 1, &[0]);
        let whole = [PREFACE, &settings, &half].concat();
        let sent = [&PREFACE[..5], PREFACE, &whole[..PREFACE.len() + 5], &whole];
        in_parallel(sent.len(), |index| {
            let mut client = gateway.connect();
            client.send(sent[index]).expect("can be sent");
            client.receive_rest().expect("the connection is closed");
        });
    });
}

/// Many callers over HTTP/1.1 whose heads and bodies come byte by byte.
#[test]
fn slow_heads_and_bodies() {
    let record = Record::new("slow");
    let gateway = gateway(SHORT, &record);
    let head = "GET /function/f/work HTTP/1.1\r\nHost: stoker.test\r\nX-Slow: ";
    let body = "POST /function/f/stall HTTP/1.1\r\nHost: stoker.test\r\nContent-Length: 99\r\n\r\n";
    under_attack(&gateway, GROWTH, || {
        let begin = |text: &str| {
            let mut client = gateway.connect();
            client.send(text).expect("can be sent");
            client
        };
        let mut slow: Vec<Client> = (0..200).map(|_| begin(head)).collect();
        let stopped: Vec<Client> = (0..SLOTS).map(|_| begin(body)).collect();
        record.wait_for("POST /stall", SLOTS);
        // A byte now and then does not help.
        while !slow.is_empty() {
            slow.retain_mut(|client| {
                client.send("y").is_ok() && !client.is_closed_within(Duration::from_millis(1))
            });
        }
        for mut client in stopped {
            let answer = client.receive().expect("an answer");
            answer.problem(408, "request-timeout");
        }
        all_slots_are_back(&gateway, &record);
    });
}

/// Callers over HTTP/1.1 that do not read their answers: after `timeouts.write` they are cut off.
#[test]
fn slow_readers() {
    let record = Record::new("readers");
    let gateway = gateway(SHORT, &record);
    under_attack(&gateway, GROWTH, || {
        let ask = |_| {
            let mut client = gateway.connect();
            client
                .request(&format!("GET {LARGE}"), "", b"")
                .expect("can be sent");
            client
        };
        let readers: Vec<Client> = (0..SLOTS).map(ask).collect();
        record.wait_for("GET /bytes", SLOTS);
        all_slots_are_back(&gateway, &record);
        for reader in readers {
            assert!(is_cut(&reader), "the whole answer came");
        }
    });
}

/// Whether the answer ends before its length.
fn is_cut(reader: &Client) -> bool {
    let mut stream = reader.stream();
    let (mut buffer, mut received) = ([0; 64 << 10], 0);
    while let Ok(count @ 1..) = read_once(&mut stream, &mut buffer) {
        received += count;
    }
    received < 20_000_000
}
