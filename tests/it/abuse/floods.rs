//! Frames that cost the sender next to nothing (RFC 9113 section 10.5).

use std::io::Write;

use super::{GROWTH, SLOTS, all_slots_are_back, gateway, under_attack};
use crate::harness::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Http2, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, frame, get, headers, push_text,
};
use crate::harness::{Gateway, Record};

/// `CANCEL` (RFC 9113 section 7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];

const POST: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "stoker.test"),
    (":path", "/function/f/echo"),
];

/// Opens a connection and waits until the gateway has spoken.
fn connect(gateway: &Gateway) -> Http2 {
    let mut connection = Http2::connect(gateway.address(), &[]).expect("it accepts");
    connection.frame().expect("it speaks").expect("it stays");
    connection.send(frame(SETTINGS, ACK, 0, &[])).ok();
    connection
}

/// Sends `batch` again and again, at most `times`, and reads all that comes back meanwhile: the
/// gateway must end the connection.
fn is_ended(gateway: &Gateway, mut connection: Http2, times: usize, batch: &[u8]) {
    let mut sending = connection.stream();
    let batch = batch.to_vec();
    let sender = std::thread::spawn(move || {
        let sent = (0..times)
            .take_while(|_| sending.write_all(&batch).is_ok())
            .count();
        sending.shutdown(std::net::Shutdown::Write).ok();
        sent < times
    });
    let mut gone_away = false;
    while let Some(frame) = connection.frame().expect("it goes on or ends") {
        gone_away |= frame.kind == GOAWAY && frame.payload[4..8] != [0; 4];
    }
    let cut = sender.join().expect("no thread panics");
    assert!(gone_away || cut, "nobody ended the flood");
    gateway.get("/function/f/work").good();
}

/// Requests that are called off at once, all in one go (CVE-2023-44487).
#[test]
fn rapid_reset() {
    let record = Record::new("rapid");
    let gateway = gateway("", &record);
    let mut batch = Vec::new();
    for index in 0..10_000 {
        batch.extend(get(2 * index + 1, "/function/f/rapid?route=work&ms=20"));
        batch.extend(frame(RST_STREAM, 0, 2 * index + 1, &CANCEL));
    }
    under_attack(&gateway, GROWTH, || {
        is_ended(&gateway, connect(&gateway), 1, &batch);
        all_slots_are_back(&gateway, &record);
    });
    let asked = record.count("GET /rapid");
    assert!(asked <= 1000, "the function was asked {asked} times");
}

/// The same, but each is called off only when it is certain that the gateway has it.
#[test]
fn resets_in_turns() {
    let record = Record::new("turns");
    let gateway = gateway("[http2]\nresets = 200", &record);
    under_attack(&gateway, GROWTH, || {
        let mut connection = connect(&gateway);
        let (mut opened, mut ended) = (0, false);
        while !ended && opened < 10_000 {
            let streams = (opened..opened + SLOTS).map(|index| 2 * index as u32 + 1);
            opened += SLOTS;
            let gets = streams
                .clone()
                .flat_map(|stream| get(stream, "/function/f/turn/stall"));
            connection.send(gets.collect::<Vec<u8>>()).ok();
            record.wait_for_or("GET /turn", opened, || connection.is_ended());
            let resets = streams.flat_map(|stream| frame(RST_STREAM, 0, stream, &CANCEL));
            connection.send(resets.collect::<Vec<u8>>()).ok();
            ended = connection.is_ended();
        }
        println!("closed after {opened} requests");
        assert!(ended && opened <= 300, "not closed after {opened} requests");
        all_slots_are_back(&gateway, &record);
    });
    let asked = record.count("GET /turn");
    assert!(asked <= 300, "the function was asked {asked} times");
}

/// Faults that make the gateway reset its streams itself (CVE-2025-8671).
#[test]
fn resets_that_the_gateway_is_made_to_send() {
    let record = Record::new("made");
    let gateway = gateway("", &record);
    let mut batch = Vec::new();
    for index in 0..10_000 {
        batch.extend(get(2 * index + 1, "/function/f/made?route=work&ms=20"));
        // An increment of 0 is an error of the stream (RFC 9113 section 6.9).
        batch.extend(frame(WINDOW_UPDATE, 0, 2 * index + 1, &[0; 4]));
    }
    under_attack(&gateway, GROWTH, || {
        is_ended(&gateway, connect(&gateway), 1, &batch);
        all_slots_are_back(&gateway, &record);
    });
    let asked = record.count("GET /made");
    assert!(asked <= 2000, "the function was asked {asked} times");
}

/// A field section that never ends (CVE-2024-27316).
#[test]
fn continuations() {
    let record = Record::new("continuations");
    let gateway = gateway("", &record);
    let mut field = vec![0];
    push_text(&mut field, "x");
    push_text(&mut field, &"y".repeat(1000));
    for piece in [&field[..], &[]] {
        let mut connection = connect(&gateway);
        connection.send(frame(HEADERS, END_STREAM, 1, &field)).ok();
        let batch = frame(CONTINUATION, 0, 1, piece).repeat(100);
        under_attack(&gateway, GROWTH, || {
            is_ended(&gateway, connection, 10_000, &batch);
        });
    }
}

/// Fields that grow when they are decoded (RFC 7541 section 7.3): one of 4000 bytes is put into the
/// table, and each further byte is another one of it.
#[test]
fn a_bomb_of_fields() {
    let record = Record::new("bomb");
    let gateway = gateway("", &record);
    let mut bomb = crate::harness::frames::block(&POST);
    bomb.push(0x40);
    push_text(&mut bomb, "x");
    push_text(&mut bomb, &"y".repeat(3900));
    bomb.extend([0x80 | 62; 10_000]);
    under_attack(&gateway, GROWTH, || {
        let batch = frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb);
        let mut connection = connect(&gateway);
        connection.send(batch).ok();
        let outcome = connection.outcome(1).expect("it is answered");
        println!("{outcome:?}");
    });
    assert_eq!(record.count("POST"), 0, "the function was asked");
    gateway.get("/function/f/work").good();
}

/// Frames that carry nothing for anybody, each of which must be looked at or answered.
#[test]
fn frames_without_end() {
    let record = Record::new("frames");
    let gateway = gateway("", &record);
    let setting = [0, 4, 0, 1, 0, 0];
    let floods = [
        ("pings", frame(PING, 0, 0, &[2; 8])),
        ("pings' answers", frame(PING, ACK, 0, &[2; 8])),
        ("settings", frame(SETTINGS, 0, 0, &setting)),
        ("empty settings", frame(SETTINGS, 0, 0, &[])),
        ("priorities", frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown frames", frame(0x77, 0, 0, b"x")),
        ("resets of nothing", frame(RST_STREAM, 0, 1, &CANCEL)),
    ];
    for (what, flood) in floods {
        println!("{what}");
        let mut connection = connect(&gateway);
        // A request that is over, so that its stream is no idle one.
        connection
            .get(1, "/function/f/work")
            .expect("it is answered");
        under_attack(&gateway, GROWTH, || {
            is_ended(&gateway, connection, 1000, &flood.repeat(1000));
        });
    }
}

/// A body of empty pieces.
#[test]
fn empty_pieces() {
    let record = Record::new("empty");
    let gateway = gateway("", &record);
    let mut connection = connect(&gateway);
    connection.send(headers(1, END_HEADERS, &POST)).ok();
    under_attack(&gateway, GROWTH, || {
        is_ended(
            &gateway,
            connection,
            1000,
            &frame(DATA, 0, 1, &[]).repeat(1000),
        );
        all_slots_are_back(&gateway, &record);
    });
}
