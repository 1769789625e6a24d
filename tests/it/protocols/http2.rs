//! HTTP/2 from callers and to functions: curl and nghttp.

use std::fs;

use rustix::process::Signal;

use super::{VERSIONS, curl, url};
use crate::harness::{Function, Gateway, Program, Site};

/// `http1` and `http2`, each speaking what its name says.
fn gateway() -> Gateway {
    let http2 = Function::script("unix", "http2_server.mjs").h2c();
    Site::new("")
        .function("http1", &Function::fixture("inherit"))
        .function("http2", &http2)
        .start()
}

/// The JSON that a function makes of a request.
fn seen(arguments: &[&str]) -> serde_json::Value {
    let text = curl(arguments);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The values of a field as the fixture saw it.
fn fields<'a>(seen: &'a serde_json::Value, name: &str) -> Vec<&'a str> {
    let fields = seen["headers"].as_array().expect("a list");
    let named = fields.iter().filter(|field| field[0] == name);
    named.filter_map(|field| field[1].as_str()).collect()
}

#[test]
fn each_version_reaches_each_function() {
    let gateway = gateway();
    for (version, number) in VERSIONS.iter().zip(["1.1", "2"]) {
        for function in ["http1", "http2"] {
            let url = url(&gateway, &format!("/function/{function}/echo"));
            let format = "\\n%{http_version} %{http_code}\\n";
            let said = curl(&[version, "--data", "a body", "--write-out", format, &url]);
            assert_eq!(said, format!("a body\n{number} 200\n"), "{function}");
        }
    }
    let host = format!("{}", gateway.address());
    let seen = seen(&["--http1.1", &url(&gateway, "/function/http2/headers?a=b&c")]);
    assert_eq!(seen["headers"][":authority"], *host, "{seen}");
    assert_eq!(seen["headers"][":path"], "/headers?a=b&c", "{seen}");
    assert_eq!(seen["headers"]["x-forwarded-host"], *host, "{seen}");
    assert_eq!(seen["headers"].get("connection"), None, "{seen}");
    assert_eq!(seen["headers"].get("host"), None, "{seen}");
}

#[test]
fn the_authority_becomes_the_host() {
    let gateway = gateway();
    let url = url(&gateway, "/function/http1/headers");
    let seen = seen(&["--http2-prior-knowledge", &url]);
    let address = gateway.address().to_string();
    assert_eq!(fields(&seen, "host"), [address.as_str()], "{seen}");
    assert_eq!(seen["version"], "HTTP/1.1");
    let forwarded = format!("for=127.0.0.1;host=\"{address}\";proto=http");
    assert_eq!(fields(&seen, "forwarded"), [forwarded.as_str()], "{seen}");
}

/// nghttp puts every crumb into a field of its own, as browsers do.
#[test]
fn cookies_become_one_field() {
    let gateway = gateway();
    let url = url(&gateway, "/function/http1/headers");
    let text = Program::run(
        "nghttp",
        &[
            "--no-dep",
            "--header",
            "cookie: a=1",
            "--header",
            "cookie: b=2",
            "--header",
            "cookie: c=3",
            &url,
        ],
    );
    let seen: serde_json::Value = serde_json::from_str(&text).expect("the fixture says JSON");
    assert_eq!(fields(&seen, "cookie"), ["a=1; b=2; c=3"], "{seen}");
}

/// RFC 9113 has abolished that way to HTTP/2, and it has let requests past proxies unseen.
#[test]
fn an_upgrade_to_http2_is_ignored() {
    let gateway = gateway();
    for function in ["http1", "http2"] {
        let url = url(&gateway, &format!("/function/{function}/headers"));
        let said = curl(&[
            "--http2",
            "--include",
            "--write-out",
            "%{http_version}",
            &url,
        ]);
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        assert!(said.ends_with("1.1\n"), "{said}");
        for field in ["http2-settings", "\"upgrade\"", "h2c"] {
            assert!(!said.contains(field), "{field} in {said}");
        }
    }
}

#[test]
fn a_large_body_arrives_whole() {
    let gateway = gateway();
    let directory = gateway.site().directory();
    let (body, back) = (directory.join("body"), directory.join("back"));
    let bytes: Vec<u8> = (0..5_000_000_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    fs::write(&body, &bytes).expect("can be written");
    for function in ["http1", "http2"] {
        for kind in ["Content-Length: 5000000", "Content-Length;"] {
            let kind = if kind.ends_with(';') {
                "X-No: length"
            } else {
                kind
            };
            curl(&[
                "--http2-prior-knowledge",
                "--header",
                kind,
                "--data-binary",
                &format!("@{}", body.display()),
                "--output",
                &back.display().to_string(),
                &url(&gateway, &format!("/function/{function}/echo")),
            ]);
            let back = fs::read(&back).expect("there is an answer");
            assert!(back == bytes, "{function}: {} bytes came", back.len());
        }
    }
}

#[test]
fn callers_are_told_when_the_gateway_ends() {
    let mut gateway = gateway();
    gateway.get("/function/http1/work").good();
    let slow = url(&gateway, "/function/http1/chunked?n=30&ms=30");
    let quick = url(&gateway, "/function/http1/bytes?n=7");
    // All on one connection; it goes on after the quick ones until the slow one is over.
    let mut client = Program::start("nghttp", &["--verbose", "--no-dep", &slow, &quick, &quick]);
    client.expect_part("chunk 0");
    gateway.signal(Signal::TERM);
    client.expect_part("recv GOAWAY frame");
    client.expect_part("chunk 29");
    let rest = client.finish();
    assert!(!rest.contains("RST_STREAM"), "{rest}");
    assert!(gateway.wait().success());
}

#[test]
fn several_requests_share_a_connection() {
    let gateway = gateway();
    let urls: Vec<String> = (1..=5)
        .map(|count| url(&gateway, &format!("/function/http1/bytes?n={count}")))
        .collect();
    let mut arguments = vec!["--no-dep", "--null-out", "--stat"];
    arguments.extend(urls.iter().map(String::as_str));
    let said = Program::run("nghttp", &arguments);
    for count in 1..=5 {
        let line = said
            .lines()
            .find(|line| line.ends_with(&format!("?n={count}")));
        assert!(line.is_some_and(|line| line.contains(" 200 ")), "{said}");
    }
}

#[test]
fn problems_are_told_over_http2_too() {
    let gateway = gateway();
    let said = curl(&[
        "--http2-prior-knowledge",
        "--write-out",
        "%{http_code} %{content_type}\\n",
        "--header",
        "X-Request-Id: own",
        &url(&gateway, "/nowhere"),
    ]);
    assert!(said.contains("urn:stoker:problem:not-found"), "{said}");
    assert!(said.ends_with("404 application/problem+json\n"), "{said}");
}
