//! Issuers of tokens and their keys, from a file or fetched again and again.

mod fetch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use stoker_config::{AccessSettings, GatewaySpec, IssuerKeys, IssuerSpec};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::jwt::KeySet;

/// The issuers of a configuration, by name.
#[derive(Debug, Default)]
pub(crate) struct Issuers(BTreeMap<String, Arc<Issuer>>);

/// Who makes tokens, and the keys that check them.
pub(crate) struct Issuer {
    spec: IssuerSpec,
    shared: Arc<Shared>,
    /// Fetches keys until the issuer is gone.
    task: Option<AbortHandle>,
}

struct Shared {
    keys: ArcSwap<KeySet>,
    limits: FetchLimits,
    wanted: Notify,
    attempts: watch::Sender<Attempts>,
}

/// Bounds on fetching a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FetchLimits {
    bytes: usize,
    timeout: Duration,
    interval: Duration,
}

/// How often keys were fetched, and when last.
#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    finished: u64,
    last: Option<Instant>,
    running: bool,
}

/// A fetch that is worth waiting for.
pub(crate) struct KeysWait {
    shared: Arc<Shared>,
    seen: u64,
}

impl Issuers {
    /// The issuers of `gateway`; those that `before` has just so go on with the keys they have.
    pub(crate) fn new(gateway: &GatewaySpec, before: Option<&Issuers>) -> Self {
        let limits = FetchLimits::new(&gateway.access);
        let issuer = |spec: &IssuerSpec| {
            let same = before
                .and_then(|before| before.0.get(&spec.name))
                .filter(|issuer| issuer.spec == *spec && issuer.shared.limits == limits);
            let issuer = same.map_or_else(|| Issuer::new(spec.clone(), limits), Arc::clone);
            (spec.name.clone(), issuer)
        };
        Issuers(gateway.jwt.iter().map(issuer).collect())
    }

    #[cfg(test)]
    pub(super) fn of(issuer: Arc<Issuer>) -> Self {
        Issuers(BTreeMap::from([(issuer.spec.name.clone(), issuer)]))
    }

    /// Those of these names; the configuration has no others.
    pub(crate) fn named(&self, names: &[String]) -> Vec<Arc<Issuer>> {
        names
            .iter()
            .filter_map(|name| self.0.get(name).cloned())
            .collect()
    }
}

impl Issuer {
    /// Begins to fetch the keys, unless they are at hand.
    pub(crate) fn new(spec: IssuerSpec, limits: FetchLimits) -> Arc<Self> {
        let shared = Arc::new(Shared {
            keys: ArcSwap::default(),
            limits,
            wanted: Notify::new(),
            attempts: watch::Sender::default(),
        });
        let mut task = None;
        match &spec.keys {
            IssuerKeys::File(path, text) => {
                if let Err(cause) = shared.take(text.as_bytes()) {
                    eprintln!(
                        "stoker: the keys of issuer {} in {} are not usable: {cause}",
                        spec.name,
                        path.display()
                    );
                }
            }
            IssuerKeys::Url(url) => match Handle::try_current() {
                Ok(runtime) => {
                    // It is worth waiting for from the start on.
                    shared
                        .attempts
                        .send_modify(|attempts| attempts.running = true);
                    let fetching = keep(
                        Arc::clone(&shared),
                        spec.name.clone(),
                        url.clone(),
                        spec.refresh,
                    );
                    task = Some(runtime.spawn(fetching).abort_handle());
                }
                Err(_) => eprintln!(
                    "stoker: the keys of issuer {} are not fetched: there is no runtime",
                    spec.name
                ),
            },
        }
        Arc::new(Issuer { spec, shared, task })
    }

    pub(crate) fn spec(&self) -> &IssuerSpec {
        &self.spec
    }

    pub(crate) fn keys(&self) -> Arc<KeySet> {
        self.shared.keys.load_full()
    }

    /// A fetch that may bring a key that is missing: one that is under way, or a new one if the
    /// last one is long enough ago.
    pub(crate) fn wait(&self) -> Option<KeysWait> {
        self.task.as_ref()?;
        let attempts = *self.shared.attempts.borrow();
        let due = attempts
            .last
            .is_none_or(|last| last.elapsed() >= self.shared.limits.interval);
        if !attempts.running && !due {
            return None;
        }
        Some(KeysWait {
            shared: Arc::clone(&self.shared),
            seen: attempts.finished,
        })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl KeysWait {
    /// Waits until the keys were fetched, well or not, at most as long as a fetch may take.
    pub(crate) async fn done(self) {
        let mut attempts = self.shared.attempts.subscribe();
        let now = *attempts.borrow();
        // Another request may have caused it already.
        if !now.running && now.finished == self.seen {
            self.shared.wanted.notify_one();
        }
        let finished = attempts.wait_for(|attempts| attempts.finished > self.seen);
        // Whatever came of it, the token is looked at again.
        drop(tokio::time::timeout(self.shared.limits.timeout, finished).await);
    }
}

impl FetchLimits {
    fn new(settings: &AccessSettings) -> Self {
        FetchLimits {
            bytes: settings.jwks_bytes,
            timeout: settings.jwks_timeout,
            interval: settings.jwks_interval,
        }
    }
}

impl Shared {
    fn take(&self, text: &[u8]) -> Result<(), String> {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        self.keys.store(Arc::new(KeySet::parse(text, generation)?));
        Ok(())
    }

    async fn fetch(&self, url: &str) -> Result<(), String> {
        self.attempts
            .send_modify(|attempts| attempts.running = true);
        let FetchLimits { bytes, timeout, .. } = self.limits;
        let result = match tokio::time::timeout(timeout, fetch::get(url, bytes)).await {
            Ok(Ok(text)) => self.take(&text),
            Ok(Err(cause)) => Err(cause),
            Err(_) => Err(format!("it took longer than {timeout:?}")),
        };
        self.attempts.send_modify(|attempts| {
            *attempts = Attempts {
                finished: attempts.finished + 1,
                last: Some(Instant::now()),
                running: false,
            };
        });
        result
    }
}

/// Fetches the keys when they are old, or when a token has one that is not known.
async fn keep(shared: Arc<Shared>, name: String, url: String, refresh: Duration) {
    let mut failing = false;
    loop {
        let result = shared.fetch(&url).await;
        if let Err(cause) = &result
            && !failing
        {
            eprintln!("stoker: the keys of issuer {name} cannot be fetched from {url}: {cause}");
        }
        if result.is_ok() && failing {
            eprintln!("stoker: the keys of issuer {name} are fetched again");
        }
        failing = result.is_err();
        let interval = shared.limits.interval;
        let pause = if failing {
            interval.min(refresh)
        } else {
            refresh
        };
        let rested = tokio::time::Instant::now() + interval;
        let wanted = async {
            shared.wanted.notified().await;
            // A call that came while this was fetching is no reason to do it again at once.
            tokio::time::sleep_until(rested).await;
        };
        // Early or late, it is time.
        drop(tokio::time::timeout(pause, wanted).await);
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.spec.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeysWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysWait")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
