//! What follows from letting a request in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use stoker_config::AccessLevel;

use super::Access;
use super::cors;
use super::credentials::{KEY_HEADER, Presented, has_bearer_key, has_key, without_keys};
use super::jwt::Verified;
use crate::upstream::FieldSink;

/// A request that may go on, what the function is told and not told, and what its answer gets.
pub(crate) struct Admission {
    access: Arc<Access>,
    /// The query instead of the caller's.
    query: Option<Option<String>>,
    hides_authorization: bool,
    /// Header fields for the function.
    fields: Vec<(String, String)>,
    /// For the answer, whoever gives it.
    pub(super) response: HeaderMap,
    place: Option<Place>,
    /// The id of the key that was presented.
    pub(crate) key: Option<Arc<str>>,
}

/// A place among a function's requests, left when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicU32>);

impl Admission {
    pub(super) fn new(
        access: Arc<Access>,
        presented: Presented<'_>,
        parts: &Parts,
        place: Option<Place>,
    ) -> Self {
        // A key is nobody's business behind the gateway, also one that another one made needless.
        let keys = access.spec.level != AccessLevel::Anonymous;
        let query = parts.uri.query().filter(|query| keys && has_key(query));
        let hides_authorization = match presented {
            Presented::Token(_) => !access.spec.jwt.forward,
            _ => keys && has_bearer_key(&parts.headers),
        };
        Admission {
            access,
            query: query.map(without_keys),
            hides_authorization,
            fields: Vec::new(),
            response: HeaderMap::new(),
            place,
            key: None,
        }
    }

    /// Tells the function what the token says.
    pub(super) fn tell(&mut self, token: &Verified) {
        for (claim, name) in &self.access.spec.jwt.claims {
            if let Some(value) = token.header_value(claim) {
                self.fields.push((name.clone(), value));
            }
        }
    }

    /// False for headers that the function must not see: the key, and what callers send in the
    /// place of a claim.
    pub(crate) fn passes(&self, name: &HeaderName) -> bool {
        if self.hides_authorization && *name == header::AUTHORIZATION {
            return false;
        }
        // Where no key is asked for, it is the function's own business.
        let keys = self.access.spec.level != AccessLevel::Anonymous;
        if keys && name.as_str() == KEY_HEADER {
            return false;
        }
        let claims = &self.access.spec.jwt.claims;
        !claims.iter().any(|(_, own)| is_same(own, name.as_str()))
    }

    /// The query as the function is to see it.
    pub(crate) fn query<'a>(&'a self, query: Option<&'a str>) -> Option<&'a str> {
        match &self.query {
            Some(query) => query.as_deref(),
            None => query,
        }
    }

    /// Appends the header fields for the function.
    pub(crate) fn encode(&self, out: &mut impl FieldSink) {
        for (name, value) in &self.fields {
            out.field(name, value.as_bytes());
        }
    }

    /// Its place, to be held until the answer is over.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// Adds what the answer gets, also to one of the gateway's own.
    pub(crate) fn decorate(&self, headers: &mut HeaderMap) {
        if self.access.has_cors() {
            cors::strip(headers);
        }
        decorate(headers, &self.response);
    }
}

/// Puts `more` in place of what is there, but for `Vary`, which says the same of both.
pub(super) fn decorate(headers: &mut HeaderMap, more: &HeaderMap) {
    for (name, value) in more {
        if *name == header::VARY {
            headers.append(name, value.clone());
        } else {
            headers.insert(name, value.clone());
        }
    }
}

/// The same header to a function, too: many read `X_User` as they read `X-User` (RFC 3875 section
/// 4.1.18 makes one variable of both).
fn is_same(own: &str, sent: &str) -> bool {
    own.len() == sent.len()
        && own.bytes().zip(sent.bytes()).all(|(own, sent)| {
            own == sent || (matches!(own, b'-' | b'_') && matches!(sent, b'-' | b'_'))
        })
}

impl Place {
    pub(super) fn new(running: Arc<AtomicU32>) -> Self {
        Place(running)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
