//! What all functions share, and the decision itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::HeaderMap;
use stoker_config::{AccessLevel, GatewaySpec, RateSubject};

use super::admission::Admission;
use super::cors;
use super::credentials::{self, Presented};
use super::jwt::{TokenCache, TokenFault, TokenRule, Verified};
use super::keys::{self, KeyMatch, KeyStore};
use super::rate::{Allowance, Bucket, Rate, RateTable, Subject};
use super::refusal::Refusal;
use super::{Access, Asking, Limit};

/// What all functions share: keys, buckets and verified tokens.
pub(crate) struct Guardian {
    pub(crate) keys: Arc<KeyStore>,
    pub(super) rates: RateTable,
    /// Wrong keys and tokens, by address.
    pub(super) failures: RateTable,
    pub(super) tokens: TokenCache,
}

/// Who asks, as far as the function wants to know.
enum Identity {
    Nobody,
    Key(u64),
    Token(Arc<Verified>),
}

/// Why nobody is identified.
enum Fault {
    /// Somebody may be guessing, which is counted.
    Guess(String),
    /// Whoever it is had something good once, or for something else.
    Refused(Refusal),
}

impl Guardian {
    /// With the keys in the state directory, which are not read yet.
    pub(crate) fn new(gateway: &GatewaySpec) -> Self {
        let settings = &gateway.access;
        let origin = Instant::now();
        Guardian {
            keys: Arc::new(KeyStore::new(&gateway.state_dir)),
            rates: RateTable::new(settings.rate_entries, origin),
            failures: RateTable::new(settings.rate_entries, origin),
            tokens: TokenCache::new(settings.jwt_cache),
        }
    }

    /// Decides whether a request may go on to the function. Whatever the answer is, it carries
    /// what pages of other origins need to read it.
    pub(crate) fn admit(
        &self,
        access: &Arc<Access>,
        asking: &Asking<'_>,
    ) -> Result<Box<Admission>, Refusal> {
        let mut response = access.cors_headers(&asking.parts.headers);
        match self.decide(access, asking, &mut response) {
            Ok(mut admission) => {
                admission.response = response;
                Ok(admission)
            }
            Err(refusal) => Err(refusal.with_headers(response)),
        }
    }

    fn decide(
        &self,
        access: &Arc<Access>,
        asking: &Asking<'_>,
        response: &mut HeaderMap,
    ) -> Result<Box<Admission>, Refusal> {
        let parts = asking.parts;
        access.check_address(asking.address)?;
        if let (Some(cors), Some(_)) = (&access.cors, cors::preflight_method(parts)) {
            return Err(Refusal::Preflight(cors.preflight(&parts.headers)));
        }
        access.check_method(parts)?;
        let keys = access.spec.level != AccessLevel::Anonymous;
        let tokens = !access.spec.jwt.issuers.is_empty();
        let (presented, identity) = if keys || tokens {
            let presented = credentials::find(parts, keys);
            let identity = self.identify(access, presented, asking)?;
            (presented, identity)
        } else {
            (Presented::Nothing, Identity::Nobody)
        };
        self.check_rates(access, &identity, asking, response)?;
        let place = access.enter()?;
        let mut admission = Admission::new(Arc::clone(access), presented, parts, place);
        if let Identity::Token(token) = &identity {
            admission.tell(token);
        }
        Ok(Box::new(admission))
    }

    /// Whoever presented too many wrong keys or tokens is not heard; a right one among the next
    /// guesses would not help.
    fn identify(
        &self,
        access: &Access,
        presented: Presented<'_>,
        asking: &Asking<'_>,
    ) -> Result<Identity, Refusal> {
        let settings = asking.settings;
        let rate = || {
            Rate::new(
                settings.failures,
                settings.failure_window,
                settings.failures,
            )
        };
        let bucket = || Bucket {
            limit: 0,
            subject: Subject::of(asking.address),
        };
        let tokens = !access.spec.jwt.issuers.is_empty();
        // Where no token is asked for, one is the function's own business.
        if matches!(presented, Presented::Token(_) if !tokens) || presented == Presented::Nothing {
            return Err(Refusal::unauthorized(access, None));
        }
        // Mostly nobody has failed: then nobody is looked for.
        if self.failures.is_touched() {
            let peek = self.failures.peek(bucket(), rate(), asking.now);
            if !peek.allowed {
                return Err(Refusal::too_many_failures(peek.retry_after));
            }
        }
        let result = match presented {
            Presented::KeyInHeader(key)
            | Presented::KeyInQuery(key)
            | Presented::KeyAsBearer(key) => self.key(access, key, asking),
            Presented::Token(token) => self.token(access, token, asking),
            _ => Err(Fault::Guess("the credentials are malformed".to_owned())),
        };
        result.map_err(|fault| match fault {
            Fault::Refused(refusal) => refusal,
            Fault::Guess(why) => {
                self.failures.take(bucket(), rate(), asking.now);
                Refusal::unauthorized(access, Some(&why))
            }
        })
    }

    fn key(&self, access: &Access, key: &str, asking: &Asking<'_>) -> Result<Identity, Fault> {
        match self.keys.check(key) {
            KeyMatch::Valid { id, scope, owner } => {
                asking.key.get_or_init(|| id);
                if access.opens(&scope) {
                    return Ok(Identity::Key(owner));
                }
                let refusal = Refusal::forbidden("the key does not open this function");
                Err(Fault::Refused(refusal))
            }
            KeyMatch::None => Err(Fault::Guess("the key is not valid".to_owned())),
        }
    }

    fn token(&self, access: &Access, token: &str, asking: &Asking<'_>) -> Result<Identity, Fault> {
        let rule = TokenRule {
            issuers: &asking.issuers.named(&access.spec.jwt.issuers),
            scopes: &access.spec.jwt.scopes,
            limit_bytes: asking.settings.jwt_bytes,
        };
        match self.tokens.verify(token, &rule, keys::unix_now()) {
            Ok(verified) => Ok(Identity::Token(verified)),
            Err(fault) => Err(Fault::Refused(match fault {
                TokenFault::Invalid(why) => return Err(Fault::Guess(why)),
                TokenFault::Untimely(why) => Refusal::unauthorized(access, Some(why)),
                TokenFault::Scope(missing) => Refusal::scope(access, &missing),
                TokenFault::Wait(wait) => Refusal::Wait(wait),
                TokenFault::NoKeys(issuer) => Refusal::no_keys(&issuer),
            })),
        }
    }

    /// Takes a token of every bucket, or of none, and tells how the tightest one stands.
    fn check_rates(
        &self,
        access: &Access,
        identity: &Identity,
        asking: &Asking<'_>,
        response: &mut HeaderMap,
    ) -> Result<(), Refusal> {
        let mut tightest: Option<(Allowance, &Limit)> = None;
        for (index, limit) in access.rates.iter().enumerate() {
            let allowance = self
                .rates
                .take(limit.bucket(identity, asking), limit.rate, asking.now);
            if !allowance.allowed {
                for earlier in &access.rates[..index] {
                    self.rates
                        .give_back(earlier.bucket(identity, asking), earlier.rate);
                }
                limit.tell(allowance, response);
                return Err(Refusal::rate(
                    limit.by,
                    limit.requests,
                    limit.per,
                    allowance,
                ));
            }
            if tightest.is_none_or(|(other, _)| allowance.remaining < other.remaining) {
                tightest = Some((allowance, limit));
            }
        }
        if let Some((allowance, limit)) = tightest {
            limit.tell(allowance, response);
        }
        Ok(())
    }
}

impl Limit {
    fn bucket(&self, identity: &Identity, asking: &Asking<'_>) -> Bucket {
        let subject = match (self.by, identity) {
            (RateSubject::Function, _) => Subject::Everybody,
            (RateSubject::Key, Identity::Key(owner)) => Subject::Name((*owner).into()),
            (RateSubject::Key, Identity::Token(token)) => Subject::Name(token.subject),
            (RateSubject::Address, _) | (RateSubject::Key, Identity::Nobody) => {
                Subject::of(asking.address)
            }
        };
        Bucket {
            limit: self.id,
            subject,
        }
    }

    /// The fields of draft-ietf-httpapi-ratelimit-headers-06, which is the last one with a header
    /// for each of them: what most clients read.
    fn tell(&self, allowance: Allowance, headers: &mut HeaderMap) {
        let window = ceil_seconds(self.per).max(1);
        let policy = format!("{};w={window}", self.requests);
        if let Ok(policy) = policy.try_into() {
            headers.insert("ratelimit-policy", policy);
        }
        headers.insert("ratelimit-limit", allowance.limit.into());
        headers.insert("ratelimit-remaining", allowance.remaining.into());
        headers.insert("ratelimit-reset", ceil_seconds(allowance.reset).into());
    }
}

fn ceil_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
