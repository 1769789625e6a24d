//! Who may call: addresses, methods, other origins, requests at once.

use crate::harness::{Function, Gateway, Site, wait_until};
use crate::keys::{ask, stoker};

fn gateway(lines: &str, access: &str) -> Gateway {
    Site::new(lines)
        .function(
            "f",
            &Function::fixture("inherit").scaling(8, 1, "").with(access),
        )
        .start()
}

#[test]
fn addresses_behind_trusted_proxies() {
    let lists = "[access]\nallow = [\"192.0.2.0/24\", \"2001:db8::/32\"]\ndeny = [\"192.0.2.7\"]\n";
    let gateway = gateway("trusted-proxies = [\"127.0.0.1\"]", lists);
    let get = |forwarded: &str| {
        let headers = format!("X-Forwarded-For: {forwarded}\r\n");
        ask(&gateway, "GET /function/f/", &headers).status
    };
    assert_eq!(
        ["192.0.2.1", "2001:db8::5", "1.1.1.1, 192.0.2.1"].map(get),
        [200; 3]
    );
    assert_eq!(
        ["192.0.2.7", "198.51.100.1", "192.0.2.1, 1.1.1.1", "x"].map(get),
        [403; 4]
    );
    gateway.get("/function/f/").problem(403, "forbidden");
}

#[test]
fn a_stranger_cannot_choose_its_address() {
    let gateway = gateway("", "[access]\nallow = [\"192.0.2.0/24\"]\n");
    let refused = ask(
        &gateway,
        "GET /function/f/",
        "X-Forwarded-For: 192.0.2.1\r\n",
    );
    let detail = refused.problem(403, "forbidden");
    assert_eq!(
        detail,
        "the address of the caller is not allowed: 127.0.0.1"
    );
}

#[test]
fn methods_hold_on_all_routes() {
    let gateway = gateway(
        "",
        "[access]\nmethods = [\"GET\"]\n[[routes]]\npath = \"/own\"\n",
    );
    for path in ["/own", "/function/f/"] {
        let refused = ask(&gateway, &format!("DELETE {path}"), "");
        refused.problem(405, "method-not-allowed");
        assert_eq!(refused.header("allow"), Some("GET"));
        assert_eq!(
            ask(&gateway, &format!("GET {path}"), "").header("stoker-origin"),
            Some("function")
        );
    }
}

#[test]
fn pages_of_other_origins() {
    let access = "[access]\nlevel = \"function\"\n\
        [access.cors]\norigins = [\"https://a.example\"]\ncredentials = true\nexpose = [\"x-own\"]\n\
        [[routes]]\npath = \"/own\"\nmethods = [\"PUT\"]\n";
    let gateway = gateway("", access);
    let origin = "Origin: https://a.example\r\n";
    let question = format!(
        "{origin}Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x\r\n"
    );
    // The route takes PUT only, and no key can be sent with a preflight.
    for path in ["/own", "/function/f/"] {
        let answer = ask(&gateway, &format!("OPTIONS {path}"), &question);
        assert_eq!(
            (answer.status, answer.header("stoker-origin")),
            (204, Some("gateway")),
            "{answer}"
        );
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://a.example")
        );
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert!(
            answer
                .header("access-control-allow-methods")
                .is_some_and(|text| text.contains("PUT"))
        );
    }
    assert_eq!(
        stoker(&gateway, "ps").lines().count(),
        1,
        "nothing was started for it"
    );
    ask(&gateway, "OPTIONS /own", origin).problem(405, "method-not-allowed");

    // A page can read why it is refused, and by whom.
    let refused = ask(&gateway, "GET /function/f/", origin);
    refused.problem(401, "unauthorized");
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    let key = stoker(&gateway, "keys create --host");
    let with_key = format!("{origin}X-Functions-Key: {key}\r\n");
    let answer = ask(&gateway, "GET /function/f/", &with_key).good();
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("x-own")
    );
    assert_eq!(answer.header("vary"), Some("origin"));
    let broken = ask(&gateway, "GET /function/f/close", &with_key);
    broken.problem(502, "instance-lost");
    assert_eq!(
        broken.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    let long = format!("{with_key}Content-Length: 999999999999\r\n");
    let long = ask(&gateway, "POST /function/f/", &long);
    long.problem(413, "body-too-large");
    assert_eq!(
        long.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    let stranger = format!("Origin: https://b.example\r\nX-Functions-Key: {key}\r\n");
    let answer = ask(&gateway, "GET /function/f/", &stranger).good();
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn requests_at_once_are_bounded_until_their_answers_end() {
    let gateway = gateway("", "[access]\nconcurrent-requests = 2\n");
    let mut clients = [gateway.connect(), gateway.connect()];
    for client in &mut clients {
        client
            .request("GET /function/f/stall-body", "", b"")
            .expect("can be sent");
        client.receive_head().expect("there is a head");
    }
    let refused = gateway.get("/function/f/");
    refused.problem(429, "too-many-requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // A caller that leaves frees its place.
    drop(clients);
    wait_until("there are places again", || {
        gateway.get("/function/f/").is_good()
    });
    for _ in 0..10 {
        gateway.get("/function/f/").good();
    }
}
