//! Tokens of issuers whose keys are fetched.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::harness::{Function, Gateway, Response, Site, wait_until};
use crate::keys::{ask, stoker};

const RULE: &str = "[access.jwt]\nissuers = [\"staff\"]\nscopes = [\"read\"]\n\
    [access.claims]\nsub = \"X-User-Id\"\nroles = \"X-Roles\"\n";

/// An issuer: makes tokens and serves its keys.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<(String, EcdsaKeyPair)>>>,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let issuer = Issuer {
            url: format!("http://{address}/keys"),
            keys: Arc::default(),
        };
        let keys = Arc::clone(&issuer.keys);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut head = [0; 1024];
                // One read has all of so short a request; a caller that left is no matter.
                if stream.read(&mut head).is_err() {
                    continue;
                }
                let set = set_of(&keys.lock().unwrap_or_else(PoisonError::into_inner));
                let body = set.to_string();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).ok();
            }
        });
        issuer.set_key("one");
        issuer
    }

    /// Has this key and no other from now on.
    fn set_key(&self, id: &str) {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key can be made");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = vec![(id.to_owned(), key)];
    }

    fn set(&self) -> Value {
        set_of(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let mut claims = json!({
            "iss": "https://i.example", "aud": ["api"], "sub": "anna", "roles": ["a", "b"],
            "scope": "read write", "exp": now + 600,
        });
        change(&mut claims);
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, key) = &keys[0];
        let header = json!({"alg": "ES256", "kid": id});
        let encode = |value: &Value| BASE64.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = key
            .sign(&SystemRandom::new(), message.as_bytes())
            .expect("can be signed");
        format!("{message}.{}", BASE64.encode(signature.as_ref()))
    }
}

fn set_of(keys: &[(String, EcdsaKeyPair)]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|(id, key)| jwk(id, key)).collect();
    json!({"keys": keys})
}

fn jwk(id: &str, key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    json!({"kty": "EC", "crv": "P-256", "kid": id,
           "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])})
}

fn site(url: &str) -> Site {
    Site::new(&format!(
        "[access]\njwks-interval = \"1s\"\nfailures = 1000\n[[jwt]]\nname = \"staff\"\n\
         issuer = \"https://i.example\"\naudience = [\"api\"]\njwks-url = \"{url}\"\n"
    ))
}

fn with_token(gateway: &Gateway, token: &str, more: &str) -> Response {
    let headers = format!("Authorization: Bearer {token}\r\n{more}");
    ask(gateway, "GET /function/f/headers", &headers)
}

/// All values of a header that the function saw.
fn seen(answer: &Response, name: &str) -> Vec<String> {
    let json = answer.json();
    let pairs = json["headers"]
        .as_array()
        .expect("a list of headers")
        .iter();
    pairs
        .filter(|pair| {
            pair[0]
                .as_str()
                .is_some_and(|other| other.eq_ignore_ascii_case(name))
        })
        .filter_map(|pair| pair[1].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_token_opens_and_its_claims_are_told() {
    let issuer = Issuer::start();
    let gateway = site(&issuer.url)
        .function("f", &Function::fixture("inherit").with(RULE))
        .start();
    // Also the very first one, which may come before the keys.
    let token = issuer.token(|_| {});
    let forged = "X-User-Id: root\r\nX_User_Id: root\r\nX-Roles: admin\r\n";
    let answer = with_token(&gateway, &token, forged).good();
    assert_eq!(seen(&answer, "x-user-id"), ["anna"]);
    assert_eq!(seen(&answer, "x_user_id"), Vec::<String>::new());
    assert_eq!(seen(&answer, "x-roles"), ["a,b"]);
    assert_eq!(seen(&answer, "authorization"), [format!("Bearer {token}")]);

    let refused = gateway.get("/function/f/");
    refused.problem(401, "unauthorized");
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"f\"")
    );
    let wrong = |change: fn(&mut Value)| with_token(&gateway, &issuer.token(change), "");
    wrong(|claims| claims["exp"] = json!(1)).problem(401, "unauthorized");
    wrong(|claims| claims["aud"] = json!("other")).problem(401, "unauthorized");
    wrong(|claims| claims["iss"] = json!("https://evil.example")).problem(401, "unauthorized");
    let narrow = wrong(|claims| claims["scope"] = json!("write"));
    narrow.problem(403, "forbidden");
    assert!(
        narrow
            .header("www-authenticate")
            .is_some_and(|text| text.contains("insufficient_scope"))
    );
    let (message, _) = token.rsplit_once('.').expect("a token has parts");
    with_token(&gateway, &format!("{message}.AAAA"), "").problem(401, "unauthorized");
    let key = stoker(&gateway, "keys create --master");
    let with_key = ask(
        &gateway,
        "GET /function/f/",
        &format!("X-Functions-Key: {key}\r\n"),
    );
    with_key.problem(401, "unauthorized");
}

#[test]
fn new_keys_of_an_issuer_are_found_and_old_ones_forgotten() {
    let issuer = Issuer::start();
    let gateway = site(&issuer.url)
        .function("f", &Function::fixture("inherit").with(RULE))
        .start();
    let old = issuer.token(|_| {});
    with_token(&gateway, &old, "").good();
    issuer.set_key("two");
    let new = issuer.token(|_| {});
    // Within the interval since the last fetch the token is refused.
    wait_until("the new key is known", || {
        with_token(&gateway, &new, "").is_good()
    });
    with_token(&gateway, &old, "").problem(401, "unauthorized");
}

#[test]
fn a_file_of_keys_is_read_again() {
    let issuer = Issuer::start();
    let site = Site::new(
        "[[jwt]]\nname = \"staff\"\nissuer = \"https://i.example\"\naudience = [\"api\"]\n\
         keys-file = \"keys.json\"\n",
    );
    let path = site.directory().join("keys.json");
    let write = || std::fs::write(&path, issuer.set().to_string()).expect("can be written");
    write();
    let function = Function::fixture("inherit").with(RULE);
    let gateway = site.function("f", &function).start();
    let old = issuer.token(|_| {});
    with_token(&gateway, &old, "").good();
    issuer.set_key("one");
    write();
    stoker(&gateway, "reload");
    with_token(&gateway, &old, "").problem(401, "unauthorized");
    with_token(&gateway, &issuer.token(|_| {}), "").good();
}

#[test]
fn without_keys_nobody_is_blamed() {
    let unused = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/keys", unused.local_addr().expect("it is bound"));
    drop(unused);
    let level = "[access]\nlevel = \"function\"\n";
    let gateway = site(&url)
        .function(
            "f",
            &Function::fixture("inherit").with(&format!("{level}{RULE}")),
        )
        .start();
    gateway.wait_for_error(0, &["the keys of issuer staff cannot be fetched"]);
    let token = Issuer::start().token(|_| {});
    let refused = with_token(&gateway, &token, "");
    refused.problem(503, "keys-unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    // A key still does, and then there are no claims.
    let key = stoker(&gateway, "keys create --host");
    let headers = format!("X-Functions-Key: {key}\r\nX-User-Id: root\r\n");
    let answer = ask(&gateway, "GET /function/f/headers", &headers).good();
    assert_eq!(seen(&answer, "x-user-id"), Vec::<String>::new());
}
