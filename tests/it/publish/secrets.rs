//! Settings and secrets reach instances, and secrets nobody else.

use std::fs;

use serde_json::json;

use super::{ask, fixture, publish, published, socket, variable};
use crate::harness::{Gateway, Site, wait_until};
use crate::overload::admin;

const VALUE: &str = "correct horse battery staple";

fn set(gateway: &Gateway, key: &str, body: &serde_json::Value) {
    let line = format!("PUT /v1/functions/f/secrets/{key}");
    let answer = ask(&socket(gateway), &line, body).expect("an answer");
    assert!(matches!(answer.status, 200 | 201 | 204), "{answer}");
    assert!(!answer.text().contains("horse"), "{answer}");
}

#[test]
fn secrets_reach_instances_and_nobody_else() {
    let mut gateway = Site::new("").start();
    published(&gateway, &fixture("one"));
    set(&gateway, "TOKEN", &json!({ "value": VALUE }));
    set(&gateway, "CERT", &json!({ "value": VALUE, "as": "file" }));
    wait_until("instances have both", || {
        variable(&gateway, "f", "TOKEN") == VALUE
            && variable(&gateway, "f", "CERT_FILE").is_string()
    });
    let file = variable(&gateway, "f", "CERT_FILE");
    let file = file.as_str().expect("a path").to_owned();
    assert_eq!(fs::read_to_string(&file).expect("it is there"), VALUE);
    for path in ["", "/secrets", "/revisions", "/revisions/1", "/settings"] {
        let shown = admin(&gateway, &format!("/v1/functions/f{path}")).text();
        assert!(!shown.contains("horse"), "{path}: {shown}");
    }
    assert!(!admin(&gateway, "/v1/audit").text().contains("horse"));
    // In the whole state directory it is nowhere in clear.
    let state = gateway.site().directory().join("state");
    let registry = state.join("registry");
    for directory in [state, registry] {
        for entry in fs::read_dir(directory).expect("is there").flatten() {
            let bytes = fs::read(entry.path()).unwrap_or_default();
            let found = bytes.windows(5).any(|window| window == b"horse");
            assert!(!found, "{}", entry.path().display());
        }
    }
    gateway.kill();
    gateway.restart();
    assert_eq!(variable(&gateway, "f", "TOKEN"), VALUE);
}

#[test]
fn a_wrong_key_leaves_out_what_has_secrets_only() {
    let mut gateway = Site::new("").start();
    published(&gateway, &fixture("one"));
    set(&gateway, "TOKEN", &json!({ "value": VALUE }));
    let body = json!({ "manifest": fixture("other").manifest(), "files": {} });
    let answer = ask(&socket(&gateway), "PUT /v1/functions/plain", &body);
    assert_eq!(answer.expect("an answer").status, 201);
    gateway.kill();
    let key = gateway
        .site()
        .directory()
        .join("state/registry/secrets.key");
    let right = fs::read(&key).expect("there is a key");
    fs::write(&key, [7; 32]).expect("can be written");
    gateway.restart();
    gateway.wait_for_error(0, &["function f is not served", "TOKEN", "secrets.key"]);
    assert_eq!(gateway.get("/function/f/env").status, 404);
    assert_eq!(variable(&gateway, "plain", "VERSION"), "other");
    gateway.kill();
    fs::write(&key, right).expect("can be written");
    gateway.restart();
    assert_eq!(variable(&gateway, "f", "TOKEN"), VALUE);
    let again = publish(&socket(&gateway), &fixture("two").manifest(), &json!({}));
    assert_eq!(again.expect("an answer").status, 201);
    assert_eq!(variable(&gateway, "f", "VERSION"), "two");
}
