//! Who may call: defaults and rules between keys.

use std::time::Duration;

use stoker_config::{AccessLevel, IssuerKeys, RateSubject};

use crate::tree::{Tree, one, wrong};

const ISSUER: &str =
    "[[jwt]]\nname = \"staff\"\nissuer = \"https://i.example\"\naudience = [\"a\"]\n";

fn wrong_with(more: &str) -> Vec<String> {
    wrong(&format!("command = [\"x\"]\n{more}"))
}

#[test]
fn anybody_may_by_default() {
    let access = one("command = [\"x\"]").access;
    assert!(access.is_open());
    assert_eq!(access.level, AccessLevel::Anonymous);
    assert!(access.jwt.forward);
    for more in [
        "[access]\nlevel = \"host\"",
        "[access]\nmethods = [\"GET\"]",
        "[access]\ndeny = [\"10.0.0.1\"]",
        "[access]\nconcurrent-requests = 1",
        "[access.cors]\norigins = [\"*\"]",
        "[[access.rate-limits]]\nby = \"address\"\nrequests = 1",
    ] {
        assert!(
            !one(&format!("command = [\"x\"]\n{more}")).access.is_open(),
            "{more}"
        );
    }
}

#[test]
fn all_of_it_is_read() {
    let access = one(
        "command = [\"x\"]\n[access]\nlevel = \"function\"\nmethods = [\"get\", \"GET\"]\n\
         [access.cors]\norigins = [\"HTTPS://Example.org\"]\nheaders = [\"X-Own\"]\n\
         [[access.rate-limits]]\nby = \"key\"\nrequests = 5\n\
         [[access.rate-limits]]\nby = \"function\"\nrequests = 5\nper = \"1m\"\nburst = 2\n",
    )
    .access;
    assert_eq!(access.methods, ["GET"]);
    assert_eq!(access.cors.origins, ["https://example.org"]);
    assert_eq!(access.cors.headers, ["x-own"]);
    assert_eq!(access.cors.max_age, Duration::from_secs(600));
    let [key, function] = &access.rate_limits[..] else {
        panic!("{access:?}")
    };
    assert_eq!((key.by, key.burst), (RateSubject::Key, 5));
    assert_eq!(key.per, Duration::from_secs(1));
    assert_eq!((function.by, function.burst), (RateSubject::Function, 2));
}

#[test]
fn rules_of_a_manifest() {
    let cases = [
        (
            "[access]\nlevel = \"admin\"",
            "3: access.level: got \"admin\", expected \"anonymous\"",
        ),
        (
            "[access]\nallow = [\"10.0.0.0/33\"]",
            "3: access.allow[0]: got \"10.0.0.0/33\"",
        ),
        (
            "[access]\nconcurrent-requests = 0",
            "3: access.concurrent-requests: got 0",
        ),
        ("[access]\nlevle = \"host\"", "did you mean \"level\"?"),
        (
            "[access.jwt]\nscopes = [\"a\"]",
            "3: access.jwt.scopes: got [\"a\"], expected access.jwt.issuers",
        ),
        ("[access.claims]\nsub = \"X-User\"", "access.claims: got"),
        (
            "[access.jwt]\nissuers = [\"a\"]\n[access.claims]\nsub = \"Host\"",
            "5: access.claims.sub: got \"Host\", expected a header's name that neither",
        ),
        (
            "[access.cors]\norigins = [\"example.org\"]",
            "3: access.cors.origins[0]: got",
        ),
        (
            "[access.cors]\nmax-age = \"1m\"",
            "3: access.cors.max-age: got \"1m\", expected access.cors.origins with it",
        ),
        (
            "[access.cors]\norigins = [\"*\"]\ncredentials = true",
            "4: access.cors.credentials: got true, expected false",
        ),
        (
            "[[access.rate-limits]]\nby = \"function\"",
            "2: access.rate-limits[0].requests: got nothing",
        ),
        (
            "[[access.rate-limits]]\nby = \"key\"\nrequests = 1",
            "3: access.rate-limits[0].by: got \"key\", expected \"address\" or \"function\"",
        ),
        (
            "access = 5",
            "access: got 5, expected a table that begins with [access]",
        ),
        (
            "[access]\njwt = 5",
            "3: access.jwt: got 5, expected a table that begins with [access.jwt]",
        ),
        (
            "[access]\nrate-limits = [1]",
            "3: access.rate-limits[0]: got 1, expected tables that begin",
        ),
    ];
    for (text, expected) in cases {
        let errors = wrong_with(text);
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        assert!(errors[0].contains(expected), "{}\n{expected}", errors[0]);
    }
}

#[test]
fn issuers_are_named_by_manifests() {
    let tree = Tree::new();
    tree.write("keys.json", "{\"keys\": [{}]}");
    tree.function(
        "a",
        "command = [\"x\"]\n[access.jwt]\nissuers = [\"staff\"]",
    );
    let gateway = format!("{ISSUER}keys-file = \"keys.json\"");
    let config = tree.load(&gateway).unwrap();
    let issuer = &config.gateway.jwt[0];
    assert_eq!(issuer.algorithms, ["RS256", "PS256", "ES256", "EdDSA"]);
    assert!(matches!(&issuer.keys, IssuerKeys::File(_, text) if text.contains("keys")));
    assert!(config.watched.contains(&tree.path("keys.json")));
    assert_eq!(
        tree.errors(""),
        [
            "functions/a/function.toml:3: access.jwt.issuers: got \"staff\", expected the name of a \
          [[jwt]] of the gateway file; it has none"
        ]
    );
}

#[test]
fn rules_of_issuers() {
    let tree = Tree::new();
    tree.write("keys.json", "{\"keys\": [{}]}");
    tree.write("none.json", "{\"keys\": []}");
    let cases = [
        (
            "",
            "jwt[0].keys-file: got nothing, expected either keys-file or jwks-url",
        ),
        (
            "keys-file = \"keys.json\"\njwks-url = \"https://i.example/\"",
            "jwt[0].jwks-url",
        ),
        (
            "keys-file = \"none.json\"",
            "jwt[0].keys-file: got \"none.json\", expected a file that holds",
        ),
        (
            "keys-file = \"gone.json\"",
            "jwt[0].keys-file: got \"gone.json\", expected a file that can",
        ),
        (
            "jwks-url = \"ftp://i.example/\"",
            "jwt[0].jwks-url: got \"ftp://i.example/\"",
        ),
        (
            "jwks-url = \"https://i.example/\"\nalgorithms = [\"none\"]",
            "jwt[0].algorithms[0]: got \"none\"",
        ),
        (
            "jwks-url = \"https://i.example/\"\nalgorithms = [\"HS256\"]",
            "expected no HS* beside jwks-url",
        ),
        (
            "jwks-url = \"https://i.example/\"\nleeway = \"1h\"",
            "jwt[0].leeway: got \"1h\"",
        ),
    ];
    for (text, expected) in cases {
        let errors = tree.errors(&format!("{ISSUER}{text}"));
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        assert!(errors[0].contains(expected), "{}\n{expected}", errors[0]);
    }
    let twice = format!("{ISSUER}keys-file = \"keys.json\"\n").repeat(2);
    assert!(tree.errors(&twice)[0].contains("jwt[1].name: got \"staff\""));
}
