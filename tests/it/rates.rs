//! Rate limits, as callers see them.

use crate::harness::{Function, Response, Site};
use crate::keys::{ask, stoker};

fn number(answer: &Response, name: &str) -> u64 {
    let text = answer.header(name);
    text.and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("there is no number {name} in {answer}"))
}

#[test]
fn a_bucket_for_each_key_and_one_for_all() {
    let limits = "[access]\nlevel = \"function\"\n\
        [[access.rate-limits]]\nby = \"key\"\nrequests = 2\nper = \"1h\"\n\
        [[access.rate-limits]]\nby = \"function\"\nrequests = 3\nper = \"1h\"\n";
    let gateway = Site::new("")
        .function("f", &Function::fixture("inherit").with(limits))
        .start();
    let keys = ["a", "b"].map(|name| {
        let key = stoker(&gateway, &format!("keys create --host --name {name}"));
        format!("X-Functions-Key: {key}\r\n")
    });
    let get = |key: usize| ask(&gateway, "GET /function/f/", &keys[key]);
    let first = get(0).good();
    assert_eq!(number(&first, "ratelimit-limit"), 2);
    assert_eq!(number(&first, "ratelimit-remaining"), 1);
    assert_eq!(first.header("ratelimit-policy"), Some("2;w=3600"));
    assert!(
        (1..=1800).contains(&number(&first, "ratelimit-reset")),
        "{first}"
    );
    assert_eq!(number(&get(0).good(), "ratelimit-remaining"), 0);

    let refused = get(0);
    assert_eq!(
        refused.problem(429, "too-many-requests"),
        "more than 2 requests in 1h for one key"
    );
    assert_eq!(number(&refused, "ratelimit-remaining"), 0);
    assert!(
        (1700..=1800).contains(&number(&refused, "retry-after")),
        "{refused}"
    );
    // The refused request took nothing of the function's own bucket.
    get(1).good();
    let refused = get(1);
    assert_eq!(
        refused.problem(429, "too-many-requests"),
        "more than 3 requests in 1h for the function"
    );
}

#[test]
fn a_bucket_for_each_address_which_a_reload_does_not_fill() {
    let limits = |burst: u32| {
        format!(
            "[[access.rate-limits]]\nby = \"address\"\nrequests = 1\nper = \"1h\"\nburst = {burst}\n"
        )
    };
    let function = |burst| Function::fixture("inherit").with(&limits(burst));
    let gateway = Site::new("trusted-proxies = [\"127.0.0.0/8\"]")
        .function("f", &function(1))
        .start();
    let get = |address: &str| {
        let headers = format!("X-Forwarded-For: 203.0.113.9, {address}\r\n");
        ask(&gateway, "GET /function/f/", &headers).status
    };
    assert_eq!(
        ["192.0.2.1", "192.0.2.1", "192.0.2.2"].map(get),
        [200, 429, 200]
    );
    std::fs::write(gateway.site().manifest("f"), function(2).manifest()).expect("can be written");
    stoker(&gateway, "reload");
    assert_eq!(
        ["192.0.2.1", "192.0.2.1", "192.0.2.3"].map(get),
        [200, 429, 200]
    );
}
