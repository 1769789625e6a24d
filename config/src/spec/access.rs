//! Who may call a function, and what the gateway needs to know that.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Network;

/// Who may call a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessSpec {
    /// What kind of key opens it.
    pub level: AccessLevel,
    /// Upper case; empty for all.
    pub methods: Vec<String>,
    /// Whose addresses may call; empty for all.
    pub allow: Vec<Network>,
    /// Whose may not, also if they are in `allow`.
    pub deny: Vec<Network>,
    /// Requests at once, those that wait included; at least 1.
    pub concurrent_requests: Option<u32>,
    /// Tokens; off without issuers.
    pub jwt: JwtRuleSpec,
    /// Other origins; off without any.
    pub cors: CorsSpec,
    /// Each of them holds.
    pub rate_limits: Vec<RateLimitSpec>,
}

/// What kind of key opens a function, the weakest first. The master key opens all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// None is needed.
    #[default]
    Anonymous,
    /// One of its own keys, a host key or the master key.
    Function,
    /// A host key or the master key.
    Host,
    /// The master key.
    Master,
}

/// Which tokens open a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JwtRuleSpec {
    /// Names of [`IssuerSpec`]s; none turns tokens off.
    pub issuers: Vec<String>,
    /// All of these must be in the token's `scope` or `scp`.
    pub scopes: Vec<String>,
    /// A claim and the header that tells the function its value; lower case.
    pub claims: Vec<(String, String)>,
    /// The function sees the token itself too.
    pub forward: bool,
}

/// Which pages of other origins may read the answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CorsSpec {
    /// As browsers send them, in lower case, or `*`; none turns CORS off.
    pub origins: Vec<String>,
    /// Upper case.
    pub methods: Vec<String>,
    /// Lower case, or `*`.
    pub headers: Vec<String>,
    /// Lower case.
    pub expose: Vec<String>,
    /// With cookies and the like.
    pub credentials: bool,
    /// How long a browser may remember the answer; whole seconds.
    pub max_age: Duration,
}

/// A token bucket for every caller.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimitSpec {
    /// Who has a bucket.
    pub by: RateSubject,
    /// So many requests in `per`, at least 1.
    pub requests: u32,
    /// More than zero.
    pub per: Duration,
    /// Requests at once after a pause: the bucket's size, at least 1.
    pub burst: u32,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateSubject {
    /// Those with the same key or token's subject.
    Key,
    /// Those from the same address; of IPv6, the same /64.
    Address,
    /// All of the function.
    Function,
}

/// What the whole gateway holds and takes for access.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessSettings {
    /// Keys in the store.
    pub keys: usize,
    /// Buckets of rate limits, all functions together.
    pub rate_entries: usize,
    /// So many wrong keys or tokens of one address within `failure_window`.
    pub failures: u32,
    /// More than zero.
    pub failure_window: Duration,
    /// A longer token is refused.
    pub jwt_bytes: usize,
    /// Verified tokens that are remembered.
    pub jwt_cache: usize,
    /// A longer set of keys is refused.
    pub jwks_bytes: usize,
    /// For fetching one.
    pub jwks_timeout: Duration,
    /// Between two fetches that unknown keys cause.
    pub jwks_interval: Duration,
}

/// Who makes tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuerSpec {
    /// What manifests call it.
    pub name: String,
    /// The tokens' `iss`.
    pub issuer: String,
    /// One of these must be in the tokens' `aud`; at least one.
    pub audience: Vec<String>,
    /// As in JWA (RFC 7518), at least one; HMAC only beside a file.
    pub algorithms: Vec<String>,
    /// Where its keys are.
    pub keys: IssuerKeys,
    /// How often they are fetched.
    pub refresh: Duration,
    /// By how much clocks may differ.
    pub leeway: Duration,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq)]
pub enum IssuerKeys {
    /// A JSON Web Key Set (RFC 7517) in a file, and its text when it was read.
    File(PathBuf, Arc<str>),
    /// One behind an address, `http` or `https`.
    Url(String),
}

impl AccessSpec {
    /// Whether anybody may do anything: then there is nothing to check.
    pub fn is_open(&self) -> bool {
        // Taken apart by name, so that a new field cannot be forgotten here.
        let Self {
            level,
            methods,
            allow,
            deny,
            concurrent_requests,
            jwt,
            cors,
            rate_limits,
        } = self;
        *level == AccessLevel::Anonymous
            && methods.is_empty()
            && allow.is_empty()
            && deny.is_empty()
            && concurrent_requests.is_none()
            && jwt.issuers.is_empty()
            && cors.origins.is_empty()
            && rate_limits.is_empty()
    }
}

impl RateSubject {
    /// As in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Address => "address",
            Self::Function => "function",
        }
    }
}

impl Network {
    /// The first and the last address, IPv4 ones mapped to IPv6, as numbers.
    pub fn range(&self) -> (u128, u128) {
        let (bits, prefix) = match self.address.to_canonical() {
            IpAddr::V4(address) => {
                let mapped = self.address.is_ipv6();
                let prefix = u32::from(self.prefix_len) + if mapped { 0 } else { 96 };
                (address.to_ipv6_mapped().to_bits(), prefix.clamp(96, 128))
            }
            IpAddr::V6(address) => (address.to_bits(), u32::from(self.prefix_len).min(128)),
        };
        // Shifting by the full width would overflow: then no bit is free, or all are.
        let free = u128::MAX.checked_shr(prefix).unwrap_or(0);
        (bits & !free, bits | free)
    }
}
