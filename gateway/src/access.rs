//! Who may call: the step between routing and everything that costs something.
//!
//! A function that asks nothing of its callers has no [`Access`] and pays one branch. For others
//! the order is: addresses, preflights, methods, keys and tokens, rates, requests at once.

mod admission;
pub(crate) mod cors;
mod credentials;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod guardian;
mod jwks;
mod jwt;
pub(crate) mod keys;
mod networks;
mod rate;
mod refusal;

use std::cell::OnceCell;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http::header::HeaderMap;
use http::request::Parts;
use stoker_config::{AccessLevel, AccessSettings, AccessSpec, RateSubject};

pub(crate) use admission::{Admission, Place};
use cors::Cors;
pub(crate) use guardian::Guardian;
pub(crate) use jwks::Issuers;
use keys::KeyScope;
use networks::Networks;
use rate::Rate;
pub(crate) use refusal::Refusal;

/// What a function asks of its callers.
pub(crate) struct Access {
    spec: AccessSpec,
    function: Arc<str>,
    allow: Networks,
    deny: Networks,
    cors: Option<Cors>,
    rates: Vec<Limit>,
    running: Arc<AtomicU32>,
}

/// One rate limit of one function.
struct Limit {
    id: u64,
    by: RateSubject,
    rate: Rate,
    requests: u32,
    per: Duration,
}

/// A request that wants in.
pub(crate) struct Asking<'a> {
    pub(crate) parts: &'a Parts,
    /// The caller's, behind the proxies that are trusted; `None` over a Unix socket.
    pub(crate) address: Option<IpAddr>,
    pub(crate) now: Instant,
    /// The gateway's issuers and settings, of the same snapshot as the function.
    pub(crate) issuers: &'a Issuers,
    pub(crate) settings: &'a AccessSettings,
    /// The id of the valid key that it presents, once that is known: also of one that does not open
    /// the function.
    pub(crate) key: OnceCell<Arc<str>>,
}

impl Access {
    /// `None` if anybody may do anything. Requests under way are counted on from `before`.
    pub(crate) fn new(
        function: &Arc<str>,
        spec: &AccessSpec,
        before: Option<&Access>,
    ) -> Option<Arc<Self>> {
        static IDS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        if spec.is_open() {
            return None;
        }
        let limit = |(index, limit): (usize, &stoker_config::RateLimitSpec)| Limit {
            // The same before and after a reload, so that buckets stay as full as they are.
            id: IDS.hash_one((function, index)),
            by: limit.by,
            rate: Rate::new(limit.requests, limit.per, limit.burst),
            requests: limit.requests,
            per: limit.per,
        };
        Some(Arc::new(Access {
            allow: Networks::new(&spec.allow),
            deny: Networks::new(&spec.deny),
            cors: Cors::new(&spec.cors),
            rates: spec.rate_limits.iter().enumerate().map(limit).collect(),
            running: before.map_or_else(Arc::default, |before| Arc::clone(&before.running)),
            function: Arc::clone(function),
            spec: spec.clone(),
        }))
    }

    /// Whether it answers preflights.
    pub(crate) fn has_cors(&self) -> bool {
        self.cors.is_some()
    }

    /// Headers for any answer to this request.
    fn cors_headers(&self, request: &HeaderMap) -> HeaderMap {
        self.cors
            .as_ref()
            .map_or_else(HeaderMap::new, |cors| cors.answer(request))
    }

    fn check_address(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let named = address.is_some_and(|address| self.deny.contains(address));
        let allowed =
            self.allow.is_empty() || address.is_some_and(|address| self.allow.contains(address));
        if named || !allowed {
            return Err(Refusal::address(address));
        }
        Ok(())
    }

    fn check_method(&self, parts: &Parts) -> Result<(), Refusal> {
        let methods = &self.spec.methods;
        let method = parts.method.as_str();
        if methods.is_empty() || methods.iter().any(|known| known == method) {
            return Ok(());
        }
        Err(Refusal::method(method, methods))
    }

    /// Whether a key with this scope opens the function. The master key opens everything.
    fn opens(&self, scope: &KeyScope) -> bool {
        match (scope, self.spec.level) {
            (KeyScope::Master, _) | (_, AccessLevel::Anonymous) => true,
            (KeyScope::Host, level) => level < AccessLevel::Master,
            (KeyScope::Function(name), level) => {
                level == AccessLevel::Function && *name == self.function
            }
        }
    }

    /// A place among the function's requests, if that is bounded.
    fn enter(&self) -> Result<Option<Place>, Refusal> {
        let Some(limit) = self.spec.concurrent_requests else {
            return Ok(None);
        };
        if self.running.fetch_add(1, Ordering::Relaxed) >= limit {
            self.running.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::busy(limit));
        }
        Ok(Some(Place::new(Arc::clone(&self.running))))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("function", &self.function)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
