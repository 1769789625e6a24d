//! Much at once, and much of it: constant memory over HTTP/2, and loads of requests.

use std::fs::File;

use super::{curl, url};
use crate::harness::{Function, Gateway, Program, Site};

const ALL: u64 = 200_000_000;
/// More than the windows and buffers of one request on both sides, and far less than its body.
const BOUND: u64 = 24 << 20;

fn gateway() -> Gateway {
    let limits = "[limits]\nbody-bytes = \"1GB\"";
    let http2 = Function::script("unix", "http2_server.mjs").h2c();
    Site::new("")
        .function("http1", &Function::fixture("inherit").with(limits))
        .function("http2", &http2.with(limits))
        .start()
}

/// Sends `up` bytes, receives `down`, and asserts that the gateway did not grow by much.
fn transfers(gateway: &Gateway, arguments: &[&str], path: &str, (up, down): (u64, u64)) {
    let url = url(gateway, path);
    let before = gateway.memory().resident;
    let count = [
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code} %{http_version} %{size_upload} %{size_download}\\n",
        &url,
    ];
    let said = curl(&[&["--http2-prior-knowledge"], arguments, &count].concat());
    assert_eq!(said, format!("200 2 {up} {down}\n"), "{path}");
    let grown = gateway.memory().peak.saturating_sub(before);
    println!("{path}: at most {} KiB more", grown >> 10);
    assert!(grown < BOUND, "{grown} bytes more for {path}");
}

#[test]
fn large_answers_over_http2() {
    let gateway = gateway();
    for function in ["http1", "http2"] {
        curl(&[&url(&gateway, &format!("/function/{function}/bytes?n=1"))]);
        let path = format!("/function/{function}/bytes?n={ALL}");
        transfers(&gateway, &[], &path, (0, ALL));
    }
}

#[test]
fn large_bodies_over_http2() {
    let gateway = gateway();
    // Node takes its time for frames.
    for (function, bytes) in [("http1", ALL), ("http2", ALL / 4)] {
        let file = gateway.site().directory().join(function);
        let large = File::create(&file).expect("can be made");
        large.set_len(bytes).expect("holes take no room");
        let file = file.display().to_string();
        let path = format!("/function/{function}/echo");
        curl(&["--data", "x", &url(&gateway, &path)]);
        let arguments = ["--request", "POST", "--upload-file", &file];
        transfers(&gateway, &arguments, &path, (bytes, bytes));
    }
}

#[test]
fn wrk_finds_no_fault() {
    let function = Function::fixture("inherit").scaling(64, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    let url = url(&gateway, "/function/f/bytes?n=1000");
    gateway.get("/function/f/bytes?n=1000").good();
    let said = Program::run("wrk", &["-t2", "-c64", "-d2s", &url]);
    assert!(said.contains("requests in"), "{said}");
    for fault in ["Non-2xx", "Socket errors"] {
        assert!(!said.contains(fault), "{said}");
    }
}

#[test]
fn h2load_finds_no_fault() {
    let http2 = Function::script("unix", "http2_server.mjs").h2c();
    let gateway = Site::new("")
        .function("http1", &Function::fixture("inherit").scaling(64, 1, ""))
        .function("http2", &http2.scaling(64, 1, ""))
        .start();
    for function in ["http1", "http2"] {
        let url = url(&gateway, &format!("/function/{function}/bytes?n=1000"));
        let said = Program::run("h2load", &["-n2000", "-c8", "-m16", "-t1", &url]);
        let all = "2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored";
        assert!(said.contains(all), "{said}");
        assert!(
            said.contains("status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"),
            "{said}"
        );
    }
}
