//! Where callers come from and what they may do.

use super::*;

#[test]
fn addresses_and_methods() {
    let world = World::new();
    let inside = access(|spec| {
        spec.allow = vec!["192.0.2.0/24".parse().unwrap()];
        spec.deny = vec!["192.0.2.7".parse().unwrap()];
    });
    let ask = |address| status(world.ask_from(&inside, &get(&[]), address, 0));
    let asked = [
        "192.0.2.1",
        "192.0.2.7",
        "198.51.100.1",
        "::ffff:192.0.2.9",
        "no address",
    ]
    .map(ask);
    assert_eq!(asked, [200, 403, 403, 200, 403]);
    let outside = access(|spec| spec.deny = vec!["192.0.2.7".parse().unwrap()]);
    assert_eq!(
        status(world.ask_from(&outside, &get(&[]), "no address", 0)),
        200
    );

    let methods = access(|spec| spec.methods = vec!["GET".into(), "PUT".into()]);
    assert_eq!(status(world.ask(&methods, &parts("PUT /", &[]))), 200);
    let refused = problem(world.ask(&methods, &parts("POST /", &[])));
    assert_eq!(refused.kind.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.allow.as_deref(), Some("GET, PUT"));
}

#[test]
fn other_origins() {
    let world = World::new();
    let access = access(|spec| {
        spec.level = AccessLevel::Function;
        spec.methods = vec!["GET".into()];
        spec.cors = CorsSpec {
            origins: vec!["https://a.example".into()],
            ..Default::default()
        };
    });
    let origin = ("origin", "https://a.example");
    let question = parts(
        "OPTIONS /",
        &[origin, ("access-control-request-method", "GET")],
    );
    let Err(Refusal::Preflight(headers)) = world.ask(&access, &question) else {
        panic!("the gateway answers itself")
    };
    assert_eq!(headers["access-control-allow-origin"], "https://a.example");
    // An OPTIONS that is no preflight is a method like any other.
    assert_eq!(
        status(world.ask(&access, &parts("OPTIONS /", &[origin]))),
        405
    );
    // A page can read why it is refused.
    let refused = problem(world.ask(&access, &get(&[origin])));
    assert_eq!(
        refused.headers["access-control-allow-origin"],
        "https://a.example"
    );
    // What the function says itself is not believed.
    let key = world.key(KeyScope::Host, "host");
    let admission = world
        .ask(&access, &get(&[("x-functions-key", &key)]))
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("access-control-allow-origin", "*".parse().unwrap());
    headers.insert("vary", "accept".parse().unwrap());
    admission.decorate(&mut headers);
    assert!(!headers.contains_key("access-control-allow-origin"));
    let vary: Vec<_> = headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["accept", "origin"]);
}
