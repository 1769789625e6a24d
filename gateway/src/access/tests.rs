mod callers;
mod keys;
mod limits;
mod tokens;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use bytes::BytesMut;
use http::header::HeaderName;
use http::{Request, StatusCode};
use serde_json::json;
use stoker_config::{CorsSpec, IssuerKeys, IssuerSpec, JwtRuleSpec, RateLimitSpec};

use super::jwks::{FetchLimits, Issuer};
use super::jwt::TokenCache;
use super::jwt::forge::Forge;
use super::keys::KeyStore;
use super::rate::RateTable;
use super::*;
use crate::problem::Problem;

const ISS: &str = "https://i.example";

/// A gateway without anything but access.
struct World {
    guardian: Guardian,
    issuers: Issuers,
    settings: AccessSettings,
    directory: PathBuf,
    start: Instant,
}

impl World {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = format!("stoker-access-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        let start = Instant::now();
        let keys = KeyStore::new(&directory);
        keys.load().unwrap();
        World {
            guardian: Guardian {
                keys: Arc::new(keys),
                rates: RateTable::new(1000, start),
                failures: RateTable::new(1000, start),
                tokens: TokenCache::new(16),
            },
            issuers: Issuers::default(),
            settings: AccessSettings {
                keys: 10,
                rate_entries: 1000,
                failures: 3,
                failure_window: Duration::from_secs(60),
                jwt_bytes: 4096,
                jwt_cache: 16,
                jwks_bytes: 4096,
                jwks_timeout: Duration::from_secs(1),
                jwks_interval: Duration::from_secs(1),
            },
            directory,
            start,
        }
    }

    fn key(&self, scope: KeyScope, name: &str) -> String {
        self.guardian
            .keys
            .create(scope, name, None, 10)
            .unwrap()
            .secret
    }

    fn ask(&self, access: &Arc<Access>, parts: &Parts) -> Result<Box<Admission>, Refusal> {
        self.ask_from(access, parts, "192.0.2.1", 0)
    }

    fn ask_from(
        &self,
        access: &Arc<Access>,
        parts: &Parts,
        address: &str,
        second: u64,
    ) -> Result<Box<Admission>, Refusal> {
        let asking = Asking {
            parts,
            address: address.parse().ok(),
            now: self.start + Duration::from_secs(second),
            issuers: &self.issuers,
            settings: &self.settings,
            key: OnceCell::new(),
        };
        self.guardian.admit(access, &asking)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn access(change: impl FnOnce(&mut AccessSpec)) -> Arc<Access> {
    let mut spec = AccessSpec {
        jwt: JwtRuleSpec {
            forward: true,
            ..Default::default()
        },
        ..Default::default()
    };
    change(&mut spec);
    Access::new(&Arc::from("f"), &spec, None).expect("it asks for something")
}

fn parts(line: &str, headers: &[(&str, &str)]) -> Parts {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn get(headers: &[(&str, &str)]) -> Parts {
    parts("GET /", headers)
}

fn problem(result: Result<Box<Admission>, Refusal>) -> Problem {
    match result {
        Err(Refusal::Problem(problem)) => problem,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was let in"),
    }
}

fn status(result: Result<Box<Admission>, Refusal>) -> u16 {
    match result {
        Ok(_) => 200,
        Err(Refusal::Preflight(_)) => 204,
        Err(Refusal::Problem(problem)) => problem.kind.status().as_u16(),
        Err(Refusal::Wait(_)) => 0,
    }
}
