//! What functions did of late: every few seconds their counters are looked at, and what came since
//! the last look is remembered, within bounds.
//!
//! It outlives its gateway in a file: the one that ends, or departs in an upgrade, leaves what it
//! remembers, and whichever runs next takes it in when it looks the next time.

mod counted;
mod looks;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use stoker_config::HistorySpec;
use stoker_gateway::Gateway;
use tokio::sync::watch;

use crate::takeover::Takeover;
use crate::wire;
use counted::Counters;
use looks::{Look, Looks, Point};

/// What the functions of a gateway did of late.
pub(crate) struct History {
    gateway: Arc<Gateway>,
    state: Mutex<State>,
}

struct State {
    counters: Counters,
    looks: Looks,
    /// When it was looked last, or this began.
    looked: Instant,
}

impl History {
    /// Of nothing so far.
    pub(crate) fn new(gateway: &Arc<Gateway>) -> Arc<History> {
        Arc::new(History {
            gateway: Arc::clone(gateway),
            state: Mutex::new(State {
                counters: Counters::default(),
                looks: Looks::default(),
                looked: Instant::now(),
            }),
        })
    }

    /// Looks until `ending` says true, or another gateway has taken over; then leaves what it has.
    pub(crate) async fn watch(
        self: Arc<Self>,
        takeover: Option<Takeover>,
        mut ending: watch::Receiver<bool>,
    ) {
        loop {
            let spec = self.spec();
            let over = tokio::select! {
                () = tokio::time::sleep(spec.interval) => false,
                () = departed(takeover.as_ref()) => true,
                _ = ending.wait_for(|ending| *ending) => true,
            };
            let this = Arc::clone(&self);
            // Whatever panics there says so.
            drop(tokio::task::spawn_blocking(move || this.step(over)).await);
            if over {
                return;
            }
        }
    }

    /// What is remembered of some functions since a time in milliseconds since 1970, of so many looks
    /// at most. It blocks.
    pub(crate) fn read(
        &self,
        has: impl Fn(&str) -> bool,
        (since_ms, last): (u64, usize),
    ) -> wire::History {
        self.inherit();
        let spec = self.spec();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(0);
        let (looks_ms, functions) = self.lock().looks.read(has, (since_ms, last));
        wire::History {
            enabled: spec.enabled,
            interval_ms: millis(spec.interval),
            keep_ms: millis(spec.keep),
            looks_ms,
            functions,
        }
    }

    fn step(&self, is_last: bool) {
        let spec = self.spec();
        if !spec.enabled {
            self.lock().looks = Looks::default();
            return;
        }
        self.inherit();
        self.look(&spec);
        if is_last && let Err(error) = self.leave() {
            let file = self.gateway.snapshot().gateway.history_file();
            let file = file.display();
            eprintln!("stoker: what functions did of late cannot be left in {file}: {error}");
        }
    }

    /// Remembers what came since the last look.
    fn look(&self, spec: &HistorySpec) {
        let snapshot = self.gateway.snapshot();
        let mut guard = self.lock();
        let state = &mut *guard;
        let seconds = state.looked.elapsed().as_secs_f64();
        state.looked = Instant::now();
        let mut points: BTreeMap<Arc<str>, Point> = BTreeMap::new();
        for (function, did) in state.counters.look(&self.gateway) {
            // There are counters that several share, which are no function's.
            if let Some((name, _)) = snapshot.functions.get_key_value(&*function) {
                points.insert(Arc::clone(name), did.point(seconds));
            }
        }
        for function in self.gateway.scaler().functions() {
            let now = function.occupancy();
            if now != stoker_core::Occupancy::default()
                && let Some((name, _)) = snapshot.functions.get_key_value(function.name())
            {
                points.entry(Arc::clone(name)).or_default().add(now);
            }
        }
        let look = Look {
            at_ms: now_ms(),
            points: points.into_iter().collect(),
        };
        state.looks.push(look, spec);
    }

    /// Takes in what another gateway left, if it did.
    fn inherit(&self) {
        let file = self.gateway.snapshot().gateway.history_file();
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                let file = file.display();
                eprintln!("stoker: what functions did of late cannot be read in {file}: {error}");
                return;
            }
        };
        // Whoever is second finds it gone.
        let removed = fs::remove_file(&file);
        // What cannot be read was written by another version, and is not worth more than this.
        if let (Ok(()), Ok(left)) = (removed, serde_json::from_slice::<Vec<Look>>(&text)) {
            self.lock().looks.precede(left, &self.spec());
        }
    }

    fn leave(&self) -> io::Result<()> {
        let file = self.gateway.snapshot().gateway.history_file();
        let text = serde_json::to_vec(self.lock().looks.all())?;
        replace(&file, &text)
    }

    fn spec(&self) -> HistorySpec {
        self.gateway.snapshot().gateway.history.clone()
    }

    /// Every change under this lock may be half done without harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When another gateway has taken over.
async fn departed(takeover: Option<&Takeover>) {
    match takeover {
        Some(takeover) => takeover.departed().await,
        None => std::future::pending().await,
    }
}

/// Writes a file whole or not at all; it has the names of functions, which are not for everybody.
fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut options = fs::File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&new)?.write_all(text)?;
    fs::rename(&new, file)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
