//! JSON Web Tokens (RFC 7519), checked as RFC 8725 advises.

mod cache;
#[cfg(test)]
pub(crate) mod forge;
mod key_set;
mod provider;

use std::collections::BTreeSet;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use stoker_config::IssuerSpec;

use super::jwks::{Issuer, KeysWait};
pub(crate) use cache::TokenCache;
pub(crate) use key_set::KeySet;

/// Keys that are tried for one token that does not say which one signed it.
const TRIES: usize = 8;

/// A token that was found good.
#[derive(Debug)]
pub(crate) struct Verified {
    issuer: Arc<Issuer>,
    generation: u64,
    /// All that it says.
    pub(crate) claims: Map<String, Value>,
    /// Of the issuer and its subject; the same for every token of one caller.
    pub(crate) subject: u128,
    scopes: BTreeSet<String>,
    not_before: u64,
    expires: u64,
    leeway: u64,
}

/// Why a token is not taken.
#[derive(Debug)]
pub(crate) enum TokenFault {
    /// It is not good, in a sentence.
    Invalid(String),
    /// Its issuer made it, for another time, in a sentence.
    Untimely(&'static str),
    /// It is good, but does not have this scope.
    Scope(String),
    /// Its key may be among those that are being fetched.
    Wait(KeysWait),
    /// The keys of this issuer could not be had so far.
    NoKeys(String),
}

/// Which tokens are taken.
pub(crate) struct TokenRule<'a> {
    /// Whose.
    pub(crate) issuers: &'a [Arc<Issuer>],
    pub(crate) scopes: &'a [String],
    /// A longer one is refused.
    pub(crate) limit_bytes: usize,
}

/// What is read of a token before it is known to be good: whom it claims to be from.
#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

impl TokenCache {
    /// Checks a token at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// If it is not good for this rule, or cannot be checked now.
    pub(crate) fn verify(
        &self,
        token: &str,
        rule: &TokenRule<'_>,
        now: u64,
    ) -> Result<Arc<Verified>, TokenFault> {
        if token.len() > rule.limit_bytes {
            let text = format!("the token is longer than {} bytes", rule.limit_bytes);
            return Err(TokenFault::Invalid(text));
        }
        let hash = cache::hash(token);
        let verified = match self.get(&hash) {
            Some(known) if known.is_current(rule.issuers) => known,
            known => {
                if known.is_some() {
                    self.remove(&hash);
                }
                // One that is over as well: presented again, it costs no signature either.
                let verified = Arc::new(check(token, rule.issuers)?);
                self.insert(hash, Arc::clone(&verified), now);
                verified
            }
        };
        verified.check_time(now)?;
        match rule
            .scopes
            .iter()
            .find(|scope| !verified.scopes.contains(*scope))
        {
            Some(missing) => Err(TokenFault::Scope(missing.clone())),
            None => Ok(verified),
        }
    }
}

impl Verified {
    /// The same issuers with the same keys would find the same.
    fn is_current(&self, issuers: &[Arc<Issuer>]) -> bool {
        self.generation == self.issuer.keys().generation
            && issuers
                .iter()
                .any(|issuer| Arc::ptr_eq(issuer, &self.issuer))
    }

    fn is_over(&self, now: u64) -> bool {
        now >= self.expires.saturating_add(self.leeway)
    }

    fn check_time(&self, now: u64) -> Result<(), TokenFault> {
        if self.is_over(now) {
            return Err(TokenFault::Untimely("the token has expired"));
        }
        if now.saturating_add(self.leeway) < self.not_before {
            return Err(TokenFault::Untimely("the token is not valid yet"));
        }
        Ok(())
    }

    /// A claim as a header's value: texts as they are, lists joined by commas, the rest as JSON;
    /// what a header cannot hold is percent-encoded. `None` if the token does not have it.
    pub(crate) fn header_value(&self, claim: &str) -> Option<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let value = match self.claims.get(claim)? {
            Value::Null => return None,
            Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(","),
            other => text(other),
        };
        Some(encode(&value))
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        // A percent sign too, or nobody could tell what was encoded.
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Everything but the time and the scopes.
fn check(token: &str, issuers: &[Arc<Issuer>]) -> Result<Verified, TokenFault> {
    provider::install();
    let header = jsonwebtoken::decode_header(token)
        .map_err(|_| invalid("the token is not one, or has an algorithm that is not taken"))?;
    // RFC 7515 section 4.1.11: what must be understood is not.
    if header.crit.is_some() || header.enc.is_some() {
        return Err(invalid("the token has extensions that are not known here"));
    }
    let claimed: Claimed = jsonwebtoken::dangerous::insecure_decode_claims(token)
        .map_err(|_| invalid("the token has no issuer"))?;
    let mut fault = invalid("the token's issuer is not trusted here");
    for issuer in issuers {
        if issuer.spec().issuer != claimed.iss {
            continue;
        }
        match check_with(token, &header, issuer) {
            Ok(verified) => return Ok(verified),
            Err(found) => fault = found,
        }
    }
    Err(fault)
}

fn check_with(token: &str, header: &Header, issuer: &Arc<Issuer>) -> Result<Verified, TokenFault> {
    let spec = issuer.spec();
    let name = format!("{:?}", header.alg);
    if !spec.algorithms.contains(&name) {
        return Err(TokenFault::Invalid(format!(
            "the token's algorithm {name} is not allowed"
        )));
    }
    let keys = issuer.keys();
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[&spec.issuer]);
    validation.set_audience(&spec.audience);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    // The time is checked at every request, not only at the first one.
    validation.validate_exp = false;
    let mut fault = None;
    for key in keys
        .candidates(header.kid.as_deref(), header.alg)
        .take(TRIES)
    {
        match jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation) {
            Ok(data) => return Verified::new(issuer, keys.generation, data.claims),
            Err(error) => fault = Some(error),
        }
    }
    match fault {
        Some(error) => Err(TokenFault::Invalid(describe(error.kind()).to_owned())),
        None => match issuer.wait() {
            Some(wait) => Err(TokenFault::Wait(wait)),
            None if keys.generation == 0 => Err(TokenFault::NoKeys(spec.name.clone())),
            None => Err(invalid("the token's key is not one of its issuer's")),
        },
    }
}

impl Verified {
    fn new(
        issuer: &Arc<Issuer>,
        generation: u64,
        claims: Map<String, Value>,
    ) -> Result<Self, TokenFault> {
        let IssuerSpec {
            leeway,
            issuer: iss,
            ..
        } = issuer.spec();
        // One issuer, not a list with one among others.
        if claims.get("iss").and_then(Value::as_str) != Some(iss) {
            return Err(invalid("the token's issuer is not one text"));
        }
        let expires = claims.get("exp").and_then(seconds);
        let not_before = claims.get("nbf").map_or(Some(0), seconds);
        let (Some(expires), Some(not_before)) = (expires, not_before) else {
            return Err(invalid("the token's exp or nbf is not a time"));
        };
        let who = ["sub", "client_id", "azp"]
            .iter()
            .find_map(|name| claims.get(*name)?.as_str());
        Ok(Verified {
            subject: subject(iss, who.unwrap_or_default()),
            scopes: scopes(&claims),
            issuer: Arc::clone(issuer),
            generation,
            claims,
            not_before,
            expires,
            leeway: leeway.as_secs(),
        })
    }
}

/// The scopes as one text (RFC 8693 section 4.2) or, as some issuers have it, a list.
fn scopes(claims: &Map<String, Value>) -> BTreeSet<String> {
    let mut scopes = BTreeSet::new();
    for name in ["scope", "scp"] {
        match claims.get(name) {
            Some(Value::String(text)) => {
                scopes.extend(text.split_ascii_whitespace().map(str::to_owned));
            }
            Some(Value::Array(list)) => {
                scopes.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }
    scopes
}

/// A NumericDate (RFC 7519 section 2), whose fraction does not matter here.
fn seconds(value: &Value) -> Option<u64> {
    let fraction = || value.as_f64().filter(|time| (0.0..1e15).contains(time));
    value
        .as_u64()
        .or_else(|| fraction().map(|time| time as u64))
}

fn subject(issuer: &str, who: &str) -> u128 {
    let hash = cache::hash(&format!("{issuer}\0{who}"));
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    u128::from_le_bytes(half)
}

fn describe(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::InvalidKeyFormat => {
            "the token's signature is not its issuer's"
        }
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::InvalidIssuer => "the token's issuer is not trusted here",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks one of exp, iss and aud",
        _ => "the token is malformed",
    }
}

fn invalid(text: &str) -> TokenFault {
    TokenFault::Invalid(text.to_owned())
}

#[cfg(test)]
mod tests;
