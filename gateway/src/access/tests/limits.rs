//! How often, and how many at once.

use super::*;

fn limit(by: RateSubject, requests: u32) -> RateLimitSpec {
    RateLimitSpec {
        by,
        requests,
        per: Duration::from_secs(10),
        burst: requests,
    }
}

#[test]
fn rates_by_key_by_address_and_of_all() {
    let world = World::new();
    let keys = ["one", "two"].map(|name| world.key(KeyScope::Host, name));
    let access = access(|spec| {
        spec.level = AccessLevel::Function;
        spec.rate_limits = vec![limit(RateSubject::Function, 3), limit(RateSubject::Key, 2)];
    });
    let ask = |key: &str, second| {
        world.ask_from(
            &access,
            &get(&[("x-functions-key", key)]),
            "192.0.2.1",
            second,
        )
    };
    let mut headers = HeaderMap::new();
    ask(&keys[0], 0).unwrap().decorate(&mut headers);
    assert_eq!(headers["ratelimit-limit"], "2");
    assert_eq!(headers["ratelimit-remaining"], "1");
    assert_eq!(headers["ratelimit-reset"], "5");
    assert_eq!(headers["ratelimit-policy"], "2;w=10");
    ask(&keys[0], 0).unwrap();
    let refused = problem(ask(&keys[0], 0));
    assert_eq!(refused.kind.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(5)));
    assert_eq!(refused.headers["ratelimit-remaining"], "0");
    assert_eq!(refused.detail, "more than 2 requests in 10s for one key");
    // That refusal cost the function nothing, so there is one left, and then none.
    assert_eq!(status(ask(&keys[1], 0)), 200);
    assert_eq!(
        problem(ask(&keys[1], 0)).detail,
        "more than 3 requests in 10s for the function"
    );

    let by_address = self::access(|spec| spec.rate_limits = vec![limit(RateSubject::Address, 1)]);
    let ask = |address| status(world.ask_from(&by_address, &get(&[]), address, 0));
    let asked = [
        "192.0.2.1",
        "192.0.2.1",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:0:1::1",
    ]
    .map(ask);
    assert_eq!(asked, [200, 429, 200, 429, 200]);
}

#[test]
fn requests_at_once() {
    let world = World::new();
    let access = access(|spec| spec.concurrent_requests = Some(2));
    let mut first = world.ask(&access, &get(&[])).unwrap();
    let place = first.take_place().unwrap();
    let second = world.ask(&access, &get(&[])).unwrap();
    let refused = problem(world.ask(&access, &get(&[])));
    assert_eq!(refused.kind.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(1)));
    // The place outlives the admission.
    drop(first);
    assert_eq!(status(world.ask(&access, &get(&[]))), 429);
    // A reload forgets nobody.
    let mut spec = access.spec.clone();
    spec.concurrent_requests = Some(1);
    let after = Access::new(&Arc::from("f"), &spec, Some(&access)).unwrap();
    drop(second);
    assert_eq!(status(world.ask(&after, &get(&[]))), 429);
    drop(place);
    assert_eq!(status(world.ask(&after, &get(&[]))), 200);
}
