//! HTTP in all its shapes.

use crate::harness::{Function, Gateway, Site};

fn gateway() -> Gateway {
    Site::new("")
        .function("f", &Function::fixture("inherit").scaling(4, 1, ""))
        .start()
}

#[test]
fn a_connection_serves_many_requests() {
    let gateway = gateway();
    let mut client = gateway.connect();
    for round in 0..50 {
        client
            .get("/function/f/work")
            .expect("there is an answer")
            .good();
        let body = format!("round {round}");
        let answer = client.post("/function/f/echo", body.as_bytes());
        assert_eq!(answer.expect("there is an answer").good().text(), body);
        client
            .get("/nowhere")
            .expect("there is an answer")
            .problem(404, "not-found");
    }
    client
        .request("GET /function/f/work", "Connection: close\r\n", b"")
        .expect("can be sent");
    let last = client.receive().expect("there is an answer").good();
    assert_eq!(last.header("connection"), Some("close"));
    assert_eq!(
        client.receive_rest().expect("the connection is closed"),
        b""
    );
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order() {
    let gateway = gateway();
    let mut client = gateway.connect();
    for n in 0..20 {
        let line = format!("GET /function/f/bytes?n={n}");
        client.request(&line, "", b"").expect("can be sent");
    }
    for n in 0..20 {
        assert_eq!(
            client
                .receive()
                .expect("there is an answer")
                .good()
                .body
                .len(),
            n
        );
    }
}

#[test]
fn chunks_go_both_ways() {
    let gateway = gateway();
    let mut client = gateway.connect();
    let chunked = "Transfer-Encoding: chunked\r\n";
    client
        .request("POST /function/f/echo", chunked, b"3\r\nabc\r\n")
        .expect("can be sent");
    // The answer begins before the request ends.
    let head = client.receive_head().expect("the answer begins").good();
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert_eq!(client.receive_bytes(8).expect("a chunk"), b"3\r\nabc\r\n");
    client
        .send("4;extension=1\r\ndefg\r\n")
        .expect("can be sent");
    assert_eq!(client.receive_bytes(9).expect("a chunk"), b"4\r\ndefg\r\n");
    client.send("0\r\nTrailer: x\r\n\r\n").expect("can be sent");
    assert_eq!(client.receive_bytes(5).expect("the end"), b"0\r\n\r\n");
    let answer = client
        .get("/function/f/chunked?n=4")
        .expect("there is an answer")
        .good();
    assert_eq!(answer.text(), "chunk 0\nchunk 1\nchunk 2\nchunk 3\n");
}

#[test]
fn lengths_go_both_ways() {
    let gateway = gateway();
    let mut client = gateway.connect();
    for length in [0, 1, 8 * 1024, 8 * 1024 + 1, 64 * 1024, 1_000_000] {
        let body: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let answer = client
            .post("/function/f/echo", &body)
            .expect("there is an answer")
            .good();
        assert_eq!(
            answer.header("content-length"),
            Some(length.to_string().as_str())
        );
        assert_eq!(answer.header("transfer-encoding"), None);
        assert!(answer.body == body, "{length} bytes are others");
    }
}

#[test]
fn answers_without_a_body_have_none() {
    let gateway = gateway();
    let mut client = gateway.connect();
    client
        .request("HEAD /function/f/bytes?n=1000", "", b"")
        .expect("can be sent");
    let head = client.receive_head().expect("there is an answer").good();
    assert_eq!(head.header("content-length"), Some("1000"), "as for GET");
    for status in [204, 304] {
        let path = format!("/function/f/status?code={status}");
        let answer = client.get(&path).expect("there is an answer");
        assert_eq!((answer.status, answer.body.len()), (status, 0));
        assert_eq!(answer.header("transfer-encoding"), None, "{answer}");
        assert_eq!(answer.header("stoker-origin"), Some("function"));
    }
    // Nothing was left on the connection.
    client
        .get("/function/f/work")
        .expect("there is an answer")
        .good();
}

#[test]
fn statuses_are_the_functions_own() {
    let gateway = gateway();
    let mut client = gateway.connect();
    for status in [200, 201, 302, 400, 404, 418, 500, 502, 503, 599] {
        let path = format!("/function/f/status?code={status}");
        let answer = client.get(&path).expect("there is an answer");
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("stoker-origin"), Some("function"), "{answer}");
    }
}

#[test]
fn a_body_is_asked_for_when_the_caller_waits_for_that() {
    let gateway = gateway();
    let mut client = gateway.connect();
    client
        .enqueue("/function/f/echo", b"a body")
        .expect("it is asked for");
    client.send("a body").expect("can be sent");
    assert_eq!(
        client.receive().expect("there is an answer").good().text(),
        "a body"
    );
    // A body that nobody wants is not asked for.
    let refusal = client
        .enqueue("/nowhere", b"a body")
        .expect_err("nobody wants it");
    refusal.problem(404, "not-found");
}

#[test]
fn old_callers_are_understood() {
    let gateway = gateway();
    for (path, body) in [
        ("/function/f/bytes?n=5", "bbbbb"),
        ("/function/f/chunked?n=2", "chunk 0\nchunk 1\n"),
    ] {
        let mut client = gateway.connect();
        client
            .send(format!("GET {path} HTTP/1.0\r\n\r\n"))
            .expect("can be sent");
        let head = client.receive_head().expect("there is an answer").good();
        assert_eq!(
            head.header("transfer-encoding"),
            None,
            "chunks are not for HTTP/1.0"
        );
        let rest = client.receive_rest().expect("the connection is closed");
        assert_eq!(String::from_utf8_lossy(&rest), body, "{head}");
    }
    let mut client = gateway.connect();
    for _ in 0..2 {
        let request = "GET /function/f/bytes?n=5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        client.send(request).expect("can be sent");
        let answer = client.receive().expect("there is an answer").good();
        assert_eq!(answer.text(), "bbbbb");
    }
}
