//! Credentials for the fuzz targets.

use std::sync::Arc;

use http::header;
use http::request::Parts;
use serde_json::{Map, Value};
use stoker_config::{AccessLevel, AccessSpec, GatewaySpec};

use super::credentials::{self, KEY_HEADER, Presented};
use super::jwt::{KeySet, TokenCache, TokenRule};
use super::{Access, Admission, Issuers};

pub use super::keys::fuzzing::KeyFile;

/// What a request presents, with keys or without: where it was, and what it is.
pub fn credentials(parts: &Parts, keys: bool) -> (&'static str, Option<String>) {
    let (kind, text) = match credentials::find(parts, keys) {
        Presented::KeyInHeader(key) => ("header", Some(key)),
        Presented::KeyInQuery(key) => ("query", Some(key)),
        Presented::KeyAsBearer(key) => ("bearer", Some(key)),
        Presented::Token(token) => ("token", Some(token)),
        Presented::Nothing => ("nothing", None),
        Presented::Malformed => ("malformed", None),
    };
    (kind, text.map(str::to_owned))
}

/// A query without keys; `None` if nothing is left.
pub fn without_keys(query: &str) -> Option<String> {
    credentials::without_keys(query)
}

/// What a function is told.
#[derive(Debug)]
pub struct PassedOn {
    /// The query.
    pub query: Option<String>,
    /// It sees `Authorization`.
    pub authorization: bool,
    /// It sees `X-Functions-Key`.
    pub key: bool,
}

/// What a function is told of a request that was let in: one that asks for keys, or one that
/// asks for something else.
pub fn passed_on(parts: &Parts, keys: bool) -> Option<PassedOn> {
    let spec = AccessSpec {
        level: match keys {
            true => AccessLevel::Function,
            false => AccessLevel::Anonymous,
        },
        methods: vec!["GET".to_owned()],
        ..AccessSpec::default()
    };
    let access = Access::new(&Arc::from("function"), &spec, None)?;
    let presented = match keys {
        true => credentials::find(parts, keys),
        false => Presented::Nothing,
    };
    let admission = Admission::new(access, presented, parts, None);
    Some(PassedOn {
        query: admission.query(parts.uri.query()).map(str::to_owned),
        authorization: admission.passes(&header::AUTHORIZATION),
        key: admission.passes(&header::HeaderName::from_static(KEY_HEADER)),
    })
}

/// Reads a JSON Web Key Set.
///
/// # Errors
/// What is wrong with it.
pub fn key_set(text: &[u8]) -> Result<(), String> {
    KeySet::parse(text, 1).map(drop)
}

/// Whose tokens are taken.
pub struct Tokens {
    issuers: Issuers,
    names: Vec<String>,
    cache: TokenCache,
    limit_bytes: usize,
}

/// A token that was taken.
#[derive(Debug, PartialEq)]
pub struct Token {
    /// All that it says.
    pub claims: Map<String, Value>,
    /// The same as a function's headers say it.
    pub headers: Vec<String>,
}

impl Tokens {
    /// Those of all issuers of `gateway`.
    pub fn new(gateway: &GatewaySpec) -> Self {
        Tokens {
            issuers: Issuers::new(gateway, None),
            names: gateway.jwt.iter().map(|spec| spec.name.clone()).collect(),
            cache: TokenCache::new(16),
            limit_bytes: gateway.access.jwt_bytes,
        }
    }

    /// Checks a token at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn verify(&self, token: &str, now: u64) -> Result<Token, String> {
        let rule = TokenRule {
            issuers: &self.issuers.named(&self.names),
            scopes: &[],
            limit_bytes: self.limit_bytes,
        };
        let found = self.cache.verify(token, &rule, now);
        let verified = found.map_err(|fault| format!("{fault:?}"))?;
        let names = verified.claims.keys();
        Ok(Token {
            claims: verified.claims.clone(),
            headers: names
                .filter_map(|name| verified.header_value(name))
                .collect(),
        })
    }
}
