use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use stoker_config::{IssuerKeys, IssuerSpec};

use super::forge::Forge;
use super::*;
use crate::access::jwks::FetchLimits;

const NOW: u64 = 1_800_000_000;
const ISS: &str = "https://i.example";

fn issuer(keys: &Value, algorithms: &[&str]) -> Arc<Issuer> {
    let spec = IssuerSpec {
        name: "staff".into(),
        issuer: ISS.into(),
        audience: vec!["orders".into(), "other".into()],
        algorithms: algorithms.iter().map(|&name| name.to_owned()).collect(),
        keys: IssuerKeys::File(PathBuf::from("keys.json"), keys.to_string().into()),
        refresh: Duration::from_secs(3600),
        leeway: Duration::from_secs(10),
    };
    Issuer::new(spec, FetchLimits::for_tests())
}

fn claims() -> Value {
    json!({"iss": ISS, "aud": "orders", "sub": "anna", "exp": NOW + 60, "scope": "read write"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn verify_at(
    cache: &TokenCache,
    token: &str,
    issuer: &Arc<Issuer>,
    now: u64,
) -> Result<Arc<Verified>, String> {
    let rule = TokenRule {
        issuers: std::slice::from_ref(issuer),
        scopes: &[],
        limit_bytes: 4096,
    };
    cache
        .verify(token, &rule, now)
        .map_err(|fault| match fault {
            TokenFault::Invalid(why) => why,
            TokenFault::Untimely(why) => why.to_owned(),
            other => format!("{other:?}"),
        })
}

fn verify(token: &str, issuer: &Arc<Issuer>) -> Result<Arc<Verified>, String> {
    verify_at(&TokenCache::new(16), token, issuer, NOW)
}

#[test]
fn every_kind_of_signature() {
    for forge in [
        Forge::ec(),
        Forge::ed(),
        Forge::rsa("RS256"),
        Forge::rsa("PS256"),
    ] {
        let set = json!({"keys": [forge.jwk("one")]});
        let staff = issuer(&set, &["RS256", "PS256", "ES256", "EdDSA"]);
        let token = forge.token("one", &claims());
        let verified = verify(&token, &staff).unwrap();
        assert_eq!(verified.claims["sub"], "anna");
        // One bit of the message, one of the signature.
        let (message, signature) = token.rsplit_once('.').unwrap();
        let other = forge.token("one", &with("sub", json!("bert")));
        let forged = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
        assert_eq!(
            verify(&forged, &staff).unwrap_err(),
            "the token's signature is not its issuer's"
        );
        assert!(verify(&format!("{message}."), &staff).is_err());
        assert!(verify(message, &staff).is_err());
    }
    let forge = Forge::Shared(vec![7; 32]);
    let staff = issuer(&json!({"keys": [forge.jwk("one")]}), &["HS256"]);
    verify(&forge.token("one", &claims()), &staff).unwrap();
}

#[test]
fn algorithms_cannot_be_chosen_by_the_caller() {
    let ec = Forge::ec();
    let staff = issuer(&json!({"keys": [ec.jwk("one")]}), &["ES256", "HS256"]);
    for algorithm in ["none", "None", "HS512", "ES384", "RS256"] {
        let header = json!({"alg": algorithm, "kid": "one"});
        assert!(
            verify(&ec.token_with(&header, &claims()), &staff).is_err(),
            "{algorithm}"
        );
    }
    // The public key as a shared secret: the oldest trick.
    let jwk = ec.jwk("one");
    for public in [jwk.to_string(), jwk["x"].as_str().unwrap().to_owned()] {
        let forge = Forge::Shared(public.into_bytes());
        let why = verify(&forge.token("one", &claims()), &staff).unwrap_err();
        assert_eq!(why, "the token's key is not one of its issuer's");
    }
    let ed = Forge::ed();
    let narrow = issuer(&json!({"keys": [ed.jwk("one")]}), &["ES256"]);
    let why = verify(&ed.token("one", &claims()), &narrow).unwrap_err();
    assert_eq!(why, "the token's algorithm EdDSA is not allowed");
    // A key that says what it is for is for nothing else.
    let rsa = Forge::rsa("PS256");
    let staff = issuer(
        &json!({"keys": [Forge::rsa("RS256").jwk("one")]}),
        &["RS256", "PS256"],
    );
    assert!(verify(&rsa.token("one", &claims()), &staff).is_err());
    // A key in the token itself is nobody's.
    let own = Forge::ec();
    let header = json!({"alg": "ES256", "kid": "one", "jwk": own.jwk("one")});
    let staff = issuer(&json!({"keys": [ec.jwk("one")]}), &["ES256"]);
    assert!(verify(&own.token_with(&header, &claims()), &staff).is_err());
    let header = json!({"alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false});
    let why = verify(&ec.token_with(&header, &claims()), &staff).unwrap_err();
    assert_eq!(why, "the token has extensions that are not known here");
}

#[test]
fn claims_are_checked() {
    let forge = Forge::ec();
    let staff = issuer(&json!({"keys": [forge.jwk("one")]}), &["ES256"]);
    let check = |claims: &Value| verify(&forge.token("one", claims), &staff).map(drop);
    check(&claims()).unwrap();
    check(&with("aud", json!(["x", "other"]))).unwrap();
    check(&with("nbf", json!(NOW + 10))).unwrap();
    check(&with("exp", json!(NOW - 9))).unwrap();
    check(&with("exp", json!(f64::from(NOW as u32) + 5.5))).unwrap();
    for (claims, why) in [
        (with("exp", json!(NOW - 10)), "the token has expired"),
        (with("nbf", json!(NOW + 11)), "the token is not valid yet"),
        (
            with("aud", json!("else")),
            "the token is for another audience",
        ),
        (with("aud", json!([])), "the token is for another audience"),
        (
            with("iss", json!("https://evil.example")),
            "the token's issuer is not trusted here",
        ),
        (with("iss", json!([ISS])), "the token has no issuer"),
        (
            with("nbf", json!("soon")),
            "the token's exp or nbf is not a time",
        ),
    ] {
        assert_eq!(check(&claims).unwrap_err(), why);
    }
    for missing in ["exp", "aud", "iss"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        assert!(check(&claims).is_err(), "{missing}");
    }
    for wrong in [json!(null), json!("1"), json!(-1), json!(1e300)] {
        assert!(check(&with("exp", wrong.clone())).is_err(), "{wrong}");
    }
    for garbage in ["", ".", "..", "a.b.c", "....", &"x".repeat(5000)] {
        assert!(verify(garbage, &staff).is_err());
    }
}

#[test]
fn keys_are_found_by_their_ids() {
    let (one, two) = (Forge::ec(), Forge::ec());
    let set = json!({"keys": [one.jwk("one"), two.jwk("two"), {"kty": "new"}, 5]});
    let staff = issuer(&set, &["ES256"]);
    verify(&two.token("two", &claims()), &staff).unwrap();
    let why = verify(&two.token("one", &claims()), &staff).unwrap_err();
    assert_eq!(why, "the token's signature is not its issuer's");
    let why = verify(&two.token("three", &claims()), &staff).unwrap_err();
    assert_eq!(why, "the token's key is not one of its issuer's");
    // Without an id, all of them are tried.
    let header = json!({"alg": "ES256"});
    verify(&two.token_with(&header, &claims()), &staff).unwrap();
}

#[test]
fn sets_of_keys() {
    let good = Forge::ec().jwk("one");
    assert!(KeySet::parse(json!({"keys": [good]}).to_string().as_bytes(), 1).is_ok());
    let encryption = {
        let mut key = good.clone();
        key["use"] = json!("enc");
        key
    };
    let weak = Forge::Shared(vec![1; 31]).jwk("weak");
    for bad in [
        json!({"keys": []}),
        json!({"keys": [encryption]}),
        json!({"keys": [weak]}),
        json!({"keys": vec![good.clone(); 257]}),
        json!([good]),
    ] {
        assert!(
            KeySet::parse(bad.to_string().as_bytes(), 1).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn a_known_token_costs_no_signature_and_ends_in_time() {
    let forge = Forge::ec();
    let staff = issuer(&json!({"keys": [forge.jwk("one")]}), &["ES256"]);
    let cache = TokenCache::new(16);
    let token = forge.token("one", &claims());
    let first = verify_at(&cache, &token, &staff, NOW).unwrap();
    let again = verify_at(&cache, &token, &staff, NOW + 69).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let over = verify_at(&cache, &token, &staff, NOW + 70).unwrap_err();
    assert_eq!(over, "the token has expired");
    // Other keys, other answers: also for tokens that were good once.
    let other = issuer(&json!({"keys": [Forge::ec().jwk("one")]}), &["ES256"]);
    assert!(verify_at(&cache, &token, &other, NOW).is_err());
}

#[test]
fn the_cache_is_bounded() {
    let forge = Forge::ed();
    let staff = issuer(&json!({"keys": [forge.jwk("one")]}), &["EdDSA"]);
    let cache = TokenCache::new(16);
    for number in 0..200 {
        let token = forge.token("one", &with("sub", json!(number.to_string())));
        verify_at(&cache, &token, &staff, NOW).unwrap();
    }
    let kept = cache.len();
    assert!((1..=16).contains(&kept), "{kept}");
}

#[test]
fn scopes_and_subjects() {
    let forge = Forge::ec();
    let staff = issuer(&json!({"keys": [forge.jwk("one")]}), &["ES256"]);
    let cache = TokenCache::new(16);
    let check = |claims: &Value, scopes: &[&str]| {
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let rule = TokenRule {
            issuers: std::slice::from_ref(&staff),
            scopes: &scopes,
            limit_bytes: 4096,
        };
        cache.verify(&forge.token("one", claims), &rule, NOW)
    };
    check(&claims(), &["read", "write"]).unwrap();
    check(&with("scp", json!(["admin"])), &["read", "admin"]).unwrap();
    let missing = check(&claims(), &["read", "rea"]).unwrap_err();
    assert!(matches!(missing, TokenFault::Scope(scope) if scope == "rea"));
    let subject = |claims: &Value| check(claims, &[]).unwrap().subject;
    assert_eq!(subject(&claims()), subject(&with("scope", json!("read"))));
    assert_ne!(subject(&claims()), subject(&with("sub", json!("bert"))));
}

#[test]
fn claims_as_headers() {
    let forge = Forge::ec();
    let staff = issuer(&json!({"keys": [forge.jwk("one")]}), &["ES256"]);
    let mut claims = claims();
    claims["name"] = json!("Zoë\r\nX-Admin: 1, 50%");
    claims["roles"] = json!(["a", "b", 3]);
    claims["age"] = json!(7);
    claims["nothing"] = json!(null);
    let verified = verify(&forge.token("one", &claims), &staff).unwrap();
    let value = |claim| verified.header_value(claim);
    assert_eq!(value("sub").unwrap(), "anna");
    assert_eq!(value("name").unwrap(), "Zo%C3%AB%0D%0AX-Admin: 1, 50%25");
    assert_eq!(value("roles").unwrap(), "a,b,3");
    assert_eq!(value("age").unwrap(), "7");
    assert_eq!((value("nothing"), value("missing")), (None, None));
}
