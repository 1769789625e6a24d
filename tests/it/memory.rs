//! Bodies stream: what is on its way is not held.

use std::io::{Read, Write};
use std::thread;

use crate::harness::client::read_once;
use crate::harness::{Function, Gateway, PATIENCE, Site};

const ALL: u64 = 200_000_000;
/// More than the buffers of the connections of one request, and far less than its body.
const BOUND: u64 = 32 << 20;

fn gateway() -> Gateway {
    let function = Function::fixture("inherit").with("[limits]\nbody-bytes = \"1GB\"");
    let gateway = Site::new("").function("f", &function).start();
    gateway.get("/function/f/work").good();
    gateway
}

/// Asserts that `transfer` does not make the gateway grow by much.
fn holds_little(gateway: &Gateway, transfer: impl FnOnce()) {
    let before = gateway.memory().resident;
    transfer();
    let grown = gateway.memory().peak.saturating_sub(before);
    println!(
        "at most {} KiB more than the {} KiB before",
        grown >> 10,
        before >> 10
    );
    assert!(
        grown < BOUND,
        "{grown} bytes more for a body that should stream"
    );
}

/// Reads so many bytes and checks that they are all the same.
fn receive(mut stream: impl Read, count: u64, byte: u8) {
    let mut buffer = vec![0; 256 << 10];
    let mut left = count;
    while left > 0 {
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = read_once(&mut stream, &mut buffer[..most]).expect("the body goes on");
        assert!(read > 0, "the body ends {left} bytes early");
        assert!(
            buffer[..read].iter().all(|&other| other == byte),
            "the body is another"
        );
        left -= read as u64;
    }
}

#[test]
fn a_large_answer_is_streamed() {
    let gateway = gateway();
    let mut client = gateway.connect();
    holds_little(&gateway, || {
        let line = format!("GET /function/f/bytes?n={ALL}");
        client.request(&line, "", b"").expect("can be sent");
        let head = client.receive_head().expect("the answer begins").good();
        assert_eq!(
            head.header("content-length"),
            Some(ALL.to_string().as_str())
        );
        let begun = client.buffered();
        assert!(begun.iter().all(|&byte| byte == b'b'));
        let stream = client.stream();
        stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
        receive(stream, ALL - begun.len() as u64, b'b');
    });
}

#[test]
fn a_large_body_is_streamed_both_ways() {
    let gateway = gateway();
    let mut client = gateway.connect();
    let mut up = client.stream();
    holds_little(&gateway, || {
        let length = format!("Content-Length: {ALL}\r\n");
        client
            .request("POST /function/f/echo", &length, b"")
            .expect("can be sent");
        thread::scope(|scope| {
            scope.spawn(move || {
                let block = vec![b'u'; 1 << 20];
                let mut left = ALL;
                while left > 0 {
                    let most = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    up.write_all(&block[..most])
                        .expect("the gateway takes the body");
                    left -= most as u64;
                }
            });
            client.receive_head().expect("the answer begins").good();
            let begun = client.buffered();
            let stream = client.stream();
            stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
            receive(stream, ALL - begun.len() as u64, b'u');
        });
    });
    gateway.get("/function/f/work").good();
}
