//! Keys: what opens a function, and how operators handle it.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Function, Gateway, Response, Site};

/// What a command of the gateway prints, which must succeed.
pub(crate) fn stoker(gateway: &Gateway, line: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args(line.split_whitespace())
        .arg("--admin")
        .arg(gateway.site().directory().join("state/admin.sock"))
        .env_remove("STOKER_ADMIN")
        .output()
        .expect("the binary can be executed");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    assert!(output.status.success(), "{line}: {}", text(output.stderr));
    text(output.stdout).trim().to_owned()
}

/// A request with these header lines.
pub(crate) fn ask(gateway: &Gateway, line: &str, headers: &str) -> Response {
    let mut client = gateway.connect();
    client.request(line, headers, b"").expect("can be sent");
    client.receive().expect("there is an answer")
}

fn with_key(gateway: &Gateway, function: &str, key: &str) -> u16 {
    let headers = format!("X-Functions-Key: {key}\r\n");
    ask(gateway, &format!("GET /function/{function}/"), &headers).status
}

fn site() -> Site {
    let level =
        |level: &str| Function::fixture("inherit").with(&format!("[access]\nlevel = \"{level}\""));
    Site::new("")
        .function("open", &Function::fixture("inherit"))
        .function("one", &level("function"))
        .function("two", &level("function"))
        .function("inner", &level("host"))
        .function("admin", &level("master"))
}

#[test]
fn levels_are_opened_by_their_keys() {
    let gateway = site().start();
    let names = ["open", "one", "two", "inner", "admin"];
    for (options, expected) in [
        ("--function one", [200, 200, 403, 403, 403]),
        ("--host", [200, 200, 200, 200, 403]),
        ("--master", [200, 200, 200, 200, 200]),
    ] {
        let key = stoker(&gateway, &format!("keys create {options}"));
        assert_eq!(
            names.map(|name| with_key(&gateway, name, &key)),
            expected,
            "{options}"
        );
    }
    let refused = gateway.get("/function/one/");
    refused.problem(401, "unauthorized");
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"one\"")
    );
    assert_eq!(refused.json()["function"], "one");
    // Nothing was started for it.
    assert_eq!(
        names.map(|name| with_key(&gateway, name, "stk_0")),
        [200, 401, 401, 401, 401]
    );
}

#[test]
fn the_function_does_not_see_the_key() {
    let gateway = site().start();
    let key = stoker(&gateway, "keys create --function one");
    let target = format!("GET /function/one/headers?a=1&code={key}&b=2");
    for (line, headers) in [
        (target.as_str(), String::new()),
        (
            "GET /function/one/headers?a=1&b=2",
            format!("X-Functions-Key: {key}\r\n"),
        ),
        (
            "GET /function/one/headers?a=1&b=2",
            format!("Authorization: Bearer {key}\r\n"),
        ),
    ] {
        let seen = ask(&gateway, line, &headers).good();
        assert_eq!(seen.json()["target"], "/headers?a=1&b=2");
        assert!(!seen.text().contains("stk_"), "{seen}");
        assert!(
            !seen.text().to_lowercase().contains("authorization"),
            "{seen}"
        );
    }
    // What is no key of ours is the function's.
    let target = "GET /function/open/headers?code=stk_x";
    let seen = ask(
        &gateway,
        target,
        "X-Functions-Key: a\r\nAuthorization: Bearer b\r\n",
    )
    .good();
    assert_eq!(seen.json()["target"], "/headers?code=stk_x");
    assert!(seen.text().contains("Bearer b"), "{seen}");
}

#[test]
fn keys_are_rotated_and_revoked_while_requests_go_on() {
    let mut gateway = site().start();
    let old = stoker(
        &gateway,
        "keys create --function one --name ci --expires 90d",
    );
    let id = old[4..20].to_owned();
    let new = stoker(&gateway, &format!("keys rotate {id} --overlap 1h"));
    let both = |gateway: &Gateway| [&old, &new].map(|key| with_key(gateway, "one", key));
    assert_eq!(both(&gateway), [200, 200]);
    // They outlive the gateway, however it ends.
    gateway.kill();
    gateway.restart();
    assert_eq!(both(&gateway), [200, 200]);
    stoker(&gateway, &format!("keys revoke {id}"));
    assert_eq!(both(&gateway), [401, 200]);
    let list: Value = serde_json::from_str(&stoker(&gateway, "keys list --json")).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert_eq!(list[0]["name"], "ci");
}

#[test]
fn a_damaged_store_lets_no_gateway_start() {
    let site = site();
    let state = site.directory().join("state");
    std::fs::create_dir_all(&state).expect("can be made");
    std::fs::write(state.join("keys.json"), "{").expect("can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .arg("serve")
        .arg(site.file())
        .env("XDG_RUNTIME_DIR", site.directory())
        .output()
        .expect("the binary can be executed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("keys.json"),
        "{said}"
    );
}

#[test]
fn guessing_is_stopped() {
    let gateway = Site::new("[access]\nfailures = 3\nfailure-window = \"1h\"\n")
        .function(
            "f",
            &Function::fixture("inherit").with("[access]\nlevel = \"host\""),
        )
        .start();
    let key = stoker(&gateway, "keys create --host");
    for _ in 0..3 {
        assert_eq!(with_key(&gateway, "f", "stk_wrong"), 401);
    }
    let headers = format!("X-Functions-Key: {key}\r\n");
    let refused = ask(&gateway, "GET /function/f/", &headers);
    refused.problem(429, "too-many-requests");
    let after: u32 = refused
        .header("retry-after")
        .and_then(|text| text.parse().ok())
        .expect("a number");
    assert!((1000..=1200).contains(&after), "{refused}");
}
