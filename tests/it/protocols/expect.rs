//! `Expect: 100-continue` and HEAD, with curl.

use super::{VERSIONS, curl, url};
use crate::harness::{Function, Gateway, Site};

fn gateway() -> Gateway {
    let function = Function::fixture("inherit").with("[limits]\nbody-bytes = \"1KB\"");
    Site::new("").function("f", &function).start()
}

/// Sends a file of so many bytes once the gateway asks for them, and for nothing else: what curl
/// said, and how many bytes it sent.
fn upload(gateway: &Gateway, path: &str, bytes: usize) -> (String, usize) {
    let file = gateway.site().directory().join("upload");
    std::fs::write(&file, vec![b'u'; bytes]).expect("can be written");
    let said = gateway.site().directory().join("said");
    let sent = curl(&[
        "--http1.1",
        "--expect100-timeout",
        "30",
        "--header",
        "Expect: 100-continue",
        "--request",
        "POST",
        "--upload-file",
        &file.display().to_string(),
        "--verbose",
        "--stderr",
        &said.display().to_string(),
        "--output",
        "/dev/null",
        "--write-out",
        "%{size_upload}\\n",
        &url(gateway, path),
    ]);
    let said = std::fs::read_to_string(said).expect("curl said something");
    (said, sent.trim().parse().expect("curl counts bytes"))
}

#[test]
fn a_body_is_sent_when_it_is_asked_for() {
    let gateway = gateway();
    let (said, sent) = upload(&gateway, "/function/f/echo", 1000);
    assert_eq!(sent, 1000, "{said}");
    let asked = said.find("< HTTP/1.1 100").expect("it was asked for");
    let answered = said.find("< HTTP/1.1 200").expect("it was answered");
    assert!(asked < answered, "{said}");
}

#[test]
fn a_body_that_nobody_takes_is_not_sent() {
    let gateway = gateway();
    for (path, status) in [("/function/f/echo", 413), ("/nowhere", 404)] {
        let (said, sent) = upload(&gateway, path, 1001);
        assert_eq!(sent, 0, "{said}");
        assert!(!said.contains("< HTTP/1.1 100"), "{said}");
        assert!(said.contains(&format!("< HTTP/1.1 {status}")), "{said}");
    }
}

#[test]
fn a_head_is_all_that_head_gets() {
    let http2 = Function::script("unix", "http2_server.mjs").h2c();
    let gateway = Site::new("")
        .function("f", &Function::fixture("inherit"))
        .function("http2", &http2)
        .start();
    for version in VERSIONS {
        for function in ["f", "http2"] {
            let url = url(&gateway, &format!("/function/{function}/bytes?n=1000"));
            // Over HTTP/1.1 twice on one connection: nothing may be left on it. This curl cannot
            // do that over HTTP/2.
            let urls = [url.as_str(), url.as_str()];
            let count = if version == VERSIONS[0] { 2 } else { 1 };
            let heads = curl(&[&[version, "--head"], &urls[..count]].concat());
            let lengths = heads.matches("content-length: 1000\n").count();
            let good = heads.matches(" 200").count();
            let seen = (lengths, good);
            assert_eq!(seen, (count, count), "{version} {function}: {heads}");
            let missing = url.replace("bytes", "missing");
            let head = curl(&[version, "--head", &missing]);
            assert!(head.contains(" 404"), "{version} {function}: {head}");
        }
    }
}
