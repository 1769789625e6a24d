//! Keys, and what becomes of them.

use super::*;

#[test]
fn which_key_opens_what() {
    let world = World::new();
    let own = world.key(KeyScope::Function("f".into()), "own");
    let foreign = world.key(KeyScope::Function("g".into()), "foreign");
    let host = world.key(KeyScope::Host, "host");
    let master = world.key(KeyScope::Master, "master");
    let table = [
        (AccessLevel::Function, [200, 403, 200, 200]),
        (AccessLevel::Host, [403, 403, 200, 200]),
        (AccessLevel::Master, [403, 403, 403, 200]),
    ];
    for (level, expected) in table {
        let access = access(|spec| spec.level = level);
        for (key, expected) in [&own, &foreign, &host, &master].into_iter().zip(expected) {
            let bearer = format!("Bearer {key}");
            for parts in [
                get(&[("x-functions-key", key)]),
                get(&[("authorization", &bearer)]),
                parts(&format!("GET /?a=1&code={key}"), &[]),
            ] {
                assert_eq!(
                    status(world.ask(&access, &parts)),
                    expected,
                    "{level:?} {parts:?}"
                );
            }
        }
        let nothing = problem(world.ask(&access, &get(&[])));
        assert_eq!(nothing.kind.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(nothing.headers["www-authenticate"], "Bearer realm=\"f\"");
    }
    let id = &world.guardian.keys.list().unwrap()[0].id;
    world.guardian.keys.revoke(id).unwrap();
    let access = access(|spec| spec.level = AccessLevel::Function);
    let revoked = problem(world.ask(&access, &get(&[("x-functions-key", &own)])));
    assert_eq!(revoked.detail, "the key is not valid");
}

#[test]
fn keys_are_not_passed_on() {
    let world = World::new();
    let key = world.key(KeyScope::Host, "host");
    let access = access(|spec| spec.level = AccessLevel::Function);
    let authorization = HeaderName::from_static("authorization");
    let bearer = format!("Bearer {key}");
    let request = get(&[("authorization", &bearer)]);
    assert!(!world.ask(&access, &request).unwrap().passes(&authorization));
    let request = parts(
        &format!("GET /?code={key}&a=1"),
        &[("authorization", "Basic x")],
    );
    let admission = world.ask(&access, &request).unwrap();
    assert_eq!(admission.query(request.uri.query()), Some("a=1"));
    assert!(admission.passes(&authorization));
    assert!(!admission.passes(&HeaderName::from_static("x-functions-key")));
    let request = parts("GET /?code=oauth", &[("x-functions-key", &key)]);
    let admission = world.ask(&access, &request).unwrap();
    assert_eq!(admission.query(request.uri.query()), Some("code=oauth"));
}

#[test]
fn keys_that_were_not_needed_are_not_passed_on_either() {
    let world = World::new();
    let key = world.key(KeyScope::Host, "host");
    let access = access(|spec| spec.level = AccessLevel::Function);
    let authorization = HeaderName::from_static("authorization");
    let bearer = format!("bearer  {key}");
    let request = parts(
        &format!("GET /?a=1&code={key}"),
        &[
            ("x-functions-key", &key),
            ("authorization", "Basic x"),
            ("authorization", &bearer),
        ],
    );
    let admission = world.ask(&access, &request).unwrap();
    assert_eq!(admission.query(request.uri.query()), Some("a=1"));
    assert!(!admission.passes(&authorization));
}

#[test]
fn guessing_is_slow() {
    let world = World::new();
    let key = world.key(KeyScope::Host, "host");
    let access = access(|spec| spec.level = AccessLevel::Host);
    let (wrong, right) = (
        get(&[("x-functions-key", "stk_wrong")]),
        get(&[("x-functions-key", &key)]),
    );
    let ask = |parts: &Parts, address: &str, second| {
        status(world.ask_from(&access, parts, address, second))
    };
    for _ in 0..3 {
        assert_eq!(ask(&wrong, "192.0.2.1", 0), 401);
    }
    // Also a right key: whoever guesses must not learn that it is one.
    assert_eq!(ask(&wrong, "192.0.2.1", 1), 429);
    assert_eq!(ask(&right, "192.0.2.1", 1), 429);
    assert_eq!(ask(&right, "192.0.2.2", 1), 200);
    let other = get(&[("authorization", "Bearer a.b.c")]);
    for no_guess in [get(&[]), other] {
        assert_eq!(ask(&no_guess, "192.0.2.1", 1), 401);
    }
    let told = problem(world.ask_from(&access, &right, "192.0.2.1", 1));
    assert_eq!(told.retry_after, Some(Duration::from_secs(19)));
    assert_eq!(ask(&right, "192.0.2.1", 20), 200);
}
