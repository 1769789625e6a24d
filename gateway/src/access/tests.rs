use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use bytes::BytesMut;
use http::header::HeaderName;
use http::{Request, StatusCode};
use serde_json::json;
use stoker_config::{CorsSpec, IssuerKeys, IssuerSpec, JwtRuleSpec, RateLimitSpec};

use super::jwks::{FetchLimits, Issuer};
use super::jwt::TokenCache;
use super::jwt::forge::Forge;
use super::keys::KeyStore;
use super::rate::RateTable;
use super::*;
use crate::problem::Problem;

const ISS: &str = "https://i.example";

/// A gateway without anything but access.
struct World {
    guardian: Guardian,
    issuers: Issuers,
    settings: AccessSettings,
    directory: PathBuf,
    start: Instant,
}

impl World {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = format!("stoker-access-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        let start = Instant::now();
        let keys = KeyStore::new(&directory);
        keys.load().unwrap();
        World {
            guardian: Guardian {
                keys: Arc::new(keys),
                rates: RateTable::new(1000, start),
                failures: RateTable::new(1000, start),
                tokens: TokenCache::new(16),
            },
            issuers: Issuers::default(),
            settings: AccessSettings {
                keys: 10,
                rate_entries: 1000,
                failures: 3,
                failure_window: Duration::from_secs(60),
                jwt_bytes: 4096,
                jwt_cache: 16,
                jwks_bytes: 4096,
                jwks_timeout: Duration::from_secs(1),
                jwks_interval: Duration::from_secs(1),
            },
            directory,
            start,
        }
    }

    fn key(&self, scope: KeyScope, name: &str) -> String {
        self.guardian
            .keys
            .create(scope, name, None, 10)
            .unwrap()
            .secret
    }

    fn ask(&self, access: &Arc<Access>, parts: &Parts) -> Result<Box<Admission>, Refusal> {
        self.ask_from(access, parts, "192.0.2.1", 0)
    }

    fn ask_from(
        &self,
        access: &Arc<Access>,
        parts: &Parts,
        address: &str,
        second: u64,
    ) -> Result<Box<Admission>, Refusal> {
        let asking = Asking {
            parts,
            address: address.parse().ok(),
            now: self.start + Duration::from_secs(second),
            issuers: &self.issuers,
            settings: &self.settings,
            key: OnceCell::new(),
        };
        self.guardian.admit(access, &asking)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn access(change: impl FnOnce(&mut AccessSpec)) -> Arc<Access> {
    let mut spec = AccessSpec {
        jwt: JwtRuleSpec {
            forward: true,
            ..Default::default()
        },
        ..Default::default()
    };
    change(&mut spec);
    Access::new(&Arc::from("f"), &spec, None).expect("it asks for something")
}

fn parts(line: &str, headers: &[(&str, &str)]) -> Parts {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn get(headers: &[(&str, &str)]) -> Parts {
    parts("GET /", headers)
}

fn problem(result: Result<Box<Admission>, Refusal>) -> Problem {
    match result {
        Err(Refusal::Problem(problem)) => problem,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was let in"),
    }
}

fn status(result: Result<Box<Admission>, Refusal>) -> u16 {
    match result {
        Ok(_) => 200,
        Err(Refusal::Preflight(_)) => 204,
        Err(Refusal::Problem(problem)) => problem.kind.status().as_u16(),
        Err(Refusal::Wait(_)) => 0,
    }
}

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

fn issuers(forge: &Forge) -> Issuers {
    let keys = json!({"keys": [forge.jwk("one")]}).to_string();
    let spec = IssuerSpec {
        name: "staff".into(),
        issuer: ISS.into(),
        audience: vec!["a".into()],
        algorithms: vec!["ES256".into()],
        keys: IssuerKeys::File(PathBuf::from("keys.json"), keys.into()),
        refresh: Duration::from_secs(3600),
        leeway: Duration::ZERO,
    };
    Issuers::of(Issuer::new(spec, FetchLimits::for_tests()))
}

#[test]
fn tokens_and_what_the_function_is_told() {
    let mut world = World::new();
    let forge = Forge::ec();
    world.issuers = issuers(&forge);
    let rule = JwtRuleSpec {
        issuers: vec!["staff".into()],
        scopes: vec!["read".into()],
        claims: vec![
            ("sub".into(), "x-user-id".into()),
            ("mail".into(), "x-mail".into()),
        ],
        forward: false,
    };
    let access = access(|spec| spec.jwt = rule.clone());
    let claims = |scope| json!({"iss": ISS, "aud": "a", "sub": "anna", "scope": scope, "exp": 4_000_000_000_u64});
    let bearer = format!("Bearer {}", forge.token("one", &claims("read")));
    let admission = world
        .ask(&access, &get(&[("authorization", &bearer)]))
        .unwrap();
    let mut out = BytesMut::new();
    admission.encode(&mut out);
    assert_eq!(&out[..], b"x-user-id: anna\r\n");
    for hidden in ["x-user-id", "x_user-id", "x-mail", "authorization"] {
        assert!(
            !admission.passes(&HeaderName::from_static(hidden)),
            "{hidden}"
        );
    }
    assert!(admission.passes(&HeaderName::from_static("x-user")));

    let narrow = format!("Bearer {}", forge.token("one", &claims("write")));
    let refused = problem(world.ask(&access, &get(&[("authorization", &narrow)])));
    assert_eq!(refused.kind.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        refused.headers["www-authenticate"],
        "Bearer realm=\"f\", error=\"insufficient_scope\", scope=\"read\""
    );
    let refused = problem(world.ask(&access, &get(&[("authorization", "Bearer a.b.c")])));
    assert_eq!(
        refused.headers["www-authenticate"],
        "Bearer realm=\"f\", error=\"invalid_token\""
    );

    // A token that was good once is no guess, however often it comes.
    let mut over = claims("read");
    over["exp"] = json!(1_000_000_000);
    let over = format!("Bearer {}", forge.token("one", &over));
    for _ in 0..9 {
        assert_eq!(
            status(world.ask(&access, &get(&[("authorization", &over)]))),
            401
        );
    }

    // A key does where the level asks for one, and the claims' headers stay empty.
    let key = world.key(KeyScope::Host, "host");
    let with_key = get(&[("x-functions-key", &key), ("x-user-id", "root")]);
    assert_eq!(status(world.ask(&access, &with_key)), 401);
    let both = self::access(|spec| {
        spec.level = AccessLevel::Function;
        spec.jwt = rule;
    });
    let admission = world.ask(&both, &with_key).unwrap();
    assert!(!admission.passes(&HeaderName::from_static("x-user-id")));
    assert_eq!(
        status(world.ask(&both, &get(&[("authorization", &bearer)]))),
        200
    );
}
