//! Tokens, and the sets of keys that check them.

mod forge;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Map, Value, json};
use stoker_config::{IssuerKeys, IssuerSpec};
use stoker_gateway::fuzzing::{Tokens, key_set};

use forge::{Forge, decode};

/// When the tokens are checked, in seconds since 1970.
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 10;
const ISSUER: &str = "https://i.example";
const AUDIENCE: &str = "orders";

/// An issuer with a key of each kind, whom some token of each is good for.
static KNOWN: LazyLock<(Vec<Forge>, Tokens)> = LazyLock::new(|| {
    let forges = Forge::all(7);
    let set = json!({"keys": forges.iter().map(Forge::jwk).collect::<Vec<_>>()});
    let tokens = tokens(&set.to_string());
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60}).to_string();
    for forge in &forges {
        let header = json!({"alg": forge.algorithm(), "kid": forge.id()}).to_string();
        let token = forge.token(header.as_bytes(), claims.as_bytes());
        let found = tokens.verify(&token, NOW);
        assert!(found.is_ok(), "{}: {found:?}", forge.algorithm());
    }
    (forges, tokens)
});

/// The same kinds of keys, and the known public ones as shared secrets: the issuer's are others.
static STRANGERS: LazyLock<Vec<Forge>> = LazyLock::new(|| {
    let public = KNOWN.0.iter().filter_map(Forge::public);
    let mut strangers: Vec<Forge> = public.map(Forge::Shared).collect();
    // There is one pair of these only.
    let own = |forge: &Forge| !matches!(forge, Forge::Rsa(_) | Forge::Ec(_));
    strangers.extend(Forge::all(8).into_iter().filter(own));
    strangers
});

/// One line is a token; two are the header and the claims of one that is to be signed. None is
/// taken that the issuer did not sign, for us, for now.
pub(crate) fn token(data: &[u8]) {
    let (forges, tokens) = &*KNOWN;
    let mut lines = data.splitn(2, |&byte| byte == b'\n');
    let (header, claims) = (lines.next().unwrap_or_default(), lines.next());
    let Some(claims) = claims else {
        let token = String::from_utf8_lossy(header);
        genuine(&token, tokens);
        return;
    };
    for forge in forges.iter().filter(|forge| is_worth_it(forge, header)) {
        let token = forge.token(header, claims);
        if genuine(&token, tokens) {
            let edited = edit(&token, claims.len());
            assert!(tokens.verify(&edited, NOW).is_err(), "{edited} is edited");
        }
    }
    for stranger in STRANGERS.iter() {
        let token = stranger.token(header, claims);
        assert!(
            tokens.verify(&token, NOW).is_err(),
            "{token} is a stranger's"
        );
    }
}

/// A set of keys: it is taken or not, and a token is taken only if its key is in the set.
pub(crate) fn jwks(data: &[u8]) {
    let read = key_set(data);
    assert_eq!(read, key_set(data));
    if read.is_err() {
        return;
    }
    let value: Value = serde_json::from_slice(data).expect("a set that is taken is JSON");
    let keys = value["keys"].as_array().expect("it has keys");
    assert!((1..=256).contains(&keys.len()));
    let tokens = tokens(&String::from_utf8_lossy(data));
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60}).to_string();
    for forge in &KNOWN.0 {
        // Signing with RSA takes its time, and the key is no other one.
        if matches!(forge, Forge::Rsa(_)) {
            continue;
        }
        let header = json!({"alg": forge.algorithm()}).to_string();
        let token = forge.token(header.as_bytes(), claims.as_bytes());
        if tokens.verify(&token, NOW).is_ok() {
            let jwk = forge.jwk();
            let public = ["x", "y", "k"]
                .into_iter()
                .filter(|name| jwk.get(name).is_some());
            let same = |key: &Value| public.clone().all(|name| key[name] == jwk[name]);
            assert!(keys.iter().any(same), "{token} has no key in the set");
        }
    }
}

fn tokens(set: &str) -> Tokens {
    let mut gateway = stoker_config::fuzzing::gateway("").expect("an empty file is a file");
    gateway.jwt.push(IssuerSpec {
        name: "staff".into(),
        issuer: ISSUER.into(),
        audience: vec![AUDIENCE.into()],
        algorithms: ["ES256", "EdDSA", "HS256", "RS256"]
            .map(str::to_owned)
            .to_vec(),
        keys: IssuerKeys::File(PathBuf::from("keys.json"), set.into()),
        refresh: Duration::from_secs(3600),
        leeway: Duration::from_secs(LEEWAY),
    });
    Tokens::new(&gateway)
}

/// Whether it is verified; then it must be good.
fn genuine(token: &str, tokens: &Tokens) -> bool {
    let found = tokens.verify(token, NOW);
    // The second time it comes out of the cache.
    assert_eq!(found, tokens.verify(token, NOW));
    let Ok(found) = found else {
        return false;
    };
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token} has not three parts");
    };
    let message = &token[..header.len() + 1 + claims.len()];
    let header = object(header);
    let signature = decode(signature).expect("a signature that is taken is one");
    let forge = KNOWN
        .0
        .iter()
        .find(|forge| header["alg"] == forge.algorithm());
    let forge = forge.expect("its algorithm is one of the issuer's");
    assert!(
        forge.signed(message.as_bytes(), &signature),
        "{token} is forged"
    );
    assert!(!header.contains_key("crit"), "{header:?}");
    assert!(
        header
            .get("kid")
            .is_none_or(|id| id.is_null() || id == forge.id())
    );

    let claims = object(claims);
    assert_eq!(claims, found.claims);
    assert_eq!(claims["iss"], ISSUER);
    let audience = &claims["aud"];
    let ours = |value: &Value| value == AUDIENCE;
    assert!(ours(audience) || audience.as_array().is_some_and(|all| all.iter().any(ours)));
    let time = |name: &str| {
        claims
            .get(name)
            .map(|value| value.as_f64().expect("it is a time"))
    };
    assert!(time("exp").expect("it has an end") + LEEWAY as f64 > NOW as f64);
    assert!(time("nbf").is_none_or(|begin| begin < (NOW + LEEWAY + 1) as f64));
    for value in &found.headers {
        assert!(
            value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{value:?}"
        );
    }
    true
}

fn object(part: &str) -> Map<String, Value> {
    let bytes = decode(part).expect("a part that is taken is base64");
    serde_json::from_slice(&bytes).expect("a part that is taken is an object")
}

/// Keys of other kinds than the header's sign it too, but for the slow one.
fn is_worth_it(forge: &Forge, header: &[u8]) -> bool {
    let named = header.windows(5).any(|word| word == b"RS256");
    named || !matches!(forge, Forge::Rsa(_))
}

/// The token with another letter in one place.
fn edit(token: &str, place: usize) -> String {
    let mut bytes = token.as_bytes().to_vec();
    let at = place.wrapping_mul(31) % bytes.len();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("it was ASCII")
}
