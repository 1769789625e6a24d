//! Trailers, both ways, over both versions of HTTP.

use std::fs;

use super::{curl, url};
use crate::harness::{Function, Gateway, Program, Site};

const FORBIDDEN: [&str; 4] = [
    "content-type: x/y",
    "stoker-origin: me",
    "x-forwarded-for: 192.0.2.1",
    "authorization: none",
];

fn gateway() -> Gateway {
    let http1 = Function::script("unix", "trailers_server.mjs");
    let http2 = Function::script("unix", "http2_server.mjs").h2c();
    Site::new("")
        .function("http1", &http1)
        .function("http2", &http2)
        .start()
}

/// The trailers that curl shows behind the last chunk, in lower case.
fn behind_the_body(answer: &str) -> Option<Vec<String>> {
    let (_, trailers) = answer.rsplit_once("\n0\n")?;
    let lines = trailers.trim_end().lines();
    Some(lines.map(str::to_ascii_lowercase).collect())
}

#[test]
fn trailers_of_answers_over_http1() {
    let gateway = gateway();
    let wanted = ["--header", "TE: trailers", "--header", "Connection: TE"];
    for path in ["/function/http1/x", "/function/http2/trailers"] {
        let url = url(&gateway, path);
        let raw = ["--http1.1", "--include", "--raw"];
        let answer = curl(&[&raw[..], &wanted, &[&url]].concat());
        assert!(
            answer.to_ascii_lowercase().contains("\ntrailer: x-sum"),
            "{answer}"
        );
        let trailers = behind_the_body(&answer);
        assert_eq!(trailers, Some(vec!["x-sum: abc".to_owned()]), "{answer}");
        // One who does not say that it takes them gets none.
        let answer = curl(&[&raw[..], &[&url]].concat());
        assert_eq!(behind_the_body(&answer), Some(vec![]), "{answer}");
        // And curl agrees that the message is whole, for it goes on on the connection.
        let both = curl(&[&["--http1.1"], &wanted[..], &[&url, &url]].concat());
        assert!(!both.contains("x-sum: abc"), "{both}");
    }
    // Undeclared, they are left out, and the end of the body is still told.
    let url = url(&gateway, "/function/http1/undeclared");
    let answer = curl(&[&["--http1.1"], &wanted[..], &[&url, &url]].concat());
    assert_eq!(answer, "the body\nthe body\n");
}

#[test]
fn trailers_of_answers_over_http2() {
    let gateway = gateway();
    for path in ["http1/x", "http1/undeclared", "http2/trailers"] {
        let url = url(&gateway, &format!("/function/{path}"));
        let said = Program::run("nghttp", &["--verbose", "--no-dep", &url]);
        let end = said.rfind("x-sum: abc").expect("the trailer came");
        let data = said.rfind("recv DATA frame").expect("the body came");
        assert!(data < end, "behind the body: {said}");
        for field in FORBIDDEN {
            assert!(!said.contains(field), "{field} in {said}");
        }
    }
}

#[test]
fn trailers_of_requests() {
    let gateway = gateway();
    let body = gateway.site().directory().join("body");
    fs::write(&body, "the body").expect("can be written");
    for path in ["/function/http1/x", "/function/http2/headers"] {
        let mut arguments = vec!["--no-dep", "--no-content-length"];
        for field in FORBIDDEN {
            arguments.extend(["--trailer", field]);
        }
        let (body, url) = (body.display().to_string(), url(&gateway, path));
        arguments.extend(["--trailer", "x-sum: abc", "--data", &body, &url]);
        let text = Program::run("nghttp", &arguments);
        let json: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        assert_eq!(json["body"], "the body");
        assert_eq!(json["trailers"]["x-sum"], "abc", "{text}");
        let trailers = json["trailers"].as_object().expect("an object");
        assert_eq!(trailers.len(), 1, "{text}");

        let mut client = gateway.connect();
        let headers = "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n";
        let chunks = b"8\r\nthe body\r\n0\r\nX-Sum: abc\r\nAuthorization: none\r\n\r\n";
        client
            .request(&format!("POST {path}"), headers, chunks)
            .expect("can be sent");
        let answer = client.receive().expect("there is an answer").good();
        let json = answer.json();
        assert_eq!(json["body"], "the body");
        assert_eq!(json["trailers"], serde_json::json!({"x-sum": "abc"}));
    }
}
