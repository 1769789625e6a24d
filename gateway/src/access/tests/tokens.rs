//! JSON Web Tokens.

use super::*;

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
