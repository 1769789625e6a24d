//! The portal in a browser: a script does what a person would.

use std::net::SocketAddr;

use crate::dashboards::free_port;
use crate::harness::{Client, Function, Gateway, Program, Site, python};

const TOKEN: &str = "correct-horse-battery-staple";

/// A gateway whose admin API listens on TCP.
fn gateway() -> (Gateway, SocketAddr) {
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let lines = format!(
        "[admin]\nlisten = \"{admin}\"\ntoken = \"{TOKEN}\"\n[history]\ninterval = \"1s\"\n\
         [metering]\ninterval = \"1s\"\n"
    );
    let gateway = Site::new(&lines)
        .function("here", &Function::fixture("inherit"))
        .start();
    (gateway, admin)
}

#[test]
fn a_person_publishes_calls_reads_tries_and_rolls_back() {
    let (_gateway, admin) = gateway();
    let root = env!("CARGO_MANIFEST_DIR");
    let pictures = format!("{root}/target/portal");
    let said = Program::run(
        &python(),
        &[
            &format!("{root}/tests/portal/portal.py"),
            &format!("http://{admin}"),
            TOKEN,
            &pictures,
        ],
    );
    assert!(said.ends_with("done\n"), "{said}");
}

/// Whoever has no token may have the page, but nothing that it would show.
#[test]
fn the_page_is_for_everybody_and_what_it_shows_is_not() {
    let (_gateway, admin) = gateway();
    let get = |path: &str| {
        let mut client = Client::connect(admin).expect("it listens");
        client.get(path).expect("an answer")
    };
    let page = get("/");
    assert_eq!(page.status, 200, "{page}");
    let policy = page.header("content-security-policy").expect("it has one");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(page.header("set-cookie").is_none());
    assert_eq!(get("/portal/main.js").status, 200);
    for (path, status) in [("/portal/..%2fadmin.rs", 404), ("/v1/functions", 401)] {
        let refusal = get(path);
        assert_eq!(refusal.status, status, "{refusal}");
        let content = refusal.header("content-type");
        assert_eq!(content, Some("application/problem+json"), "{refusal}");
    }
}
