//! The admin API: what the gateway does and why, and the few things an operator may tell it.
//!
//! It listens on a Unix socket that only its owner may use, and on request on a TCP address where
//! callers present a token.

mod address;
mod audit;
mod evict;
mod explain;
mod functions;
mod gateway;
mod history;
mod invoke;
mod keys;
mod listen;
mod logs;
mod names;
mod openapi;
mod pieces;
mod policy;
mod portal;
mod prepared;
mod problem;
mod query;
mod readiness;
mod record;
mod registry;
mod route;
mod routes;
mod scale;
mod scaling;
mod server;
mod starts;
mod stats;
mod token;
mod upgrade;
mod usage;
mod zipdeploy;

use std::sync::Arc;

use stoker_config::ListenerSpec;
use stoker_gateway::Gateway;
use stoker_registry::Registry;
use stoker_scaler::logs::Logs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::canary::Canaries;
use crate::history::History;
use crate::metering::Metering;
use crate::publish::Publisher;
use crate::reload::Reloader;
use crate::takeover::Takeover;
use problem::{Kind, Problem};

pub use listen::{AdminListeners, BindError, SharedListeners};
pub use openapi::document as openapi_document;
pub use readiness::Readiness;
pub use server::serve;

/// Followers of logs at once; each holds a connection for as long as it likes.
const FOLLOWERS: usize = 32;

/// Exports and replays of the record at once.
const EXPORTS: usize = 2;

/// Requests to functions at once that the gateway makes itself.
const CALLS: usize = 16;

/// What the admin API works on.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// The data plane.
    pub gateway: Arc<Gateway>,
    /// The output of the functions.
    pub logs: Arc<Logs>,
    /// Takes new configurations into effect.
    pub reloader: Reloader,
    /// What `/readyz` answers.
    pub readiness: Readiness,
    /// Where callers connect, with the addresses as they were bound.
    pub listen: Vec<ListenerSpec>,
    /// Has another gateway take over; none if this one cannot.
    pub takeover: Option<Takeover>,
    /// Publishes functions, and has the registry.
    pub publisher: Arc<Publisher>,
    /// Revisions that prove themselves step by step; `None` without a registry.
    pub canaries: Option<Canaries>,
}

/// What every handler sees.
struct App {
    state: AdminState,
    followers: Arc<Semaphore>,
    /// Whoever reads the whole record, for that takes memory and time.
    exports: Arc<Semaphore>,
    /// Whoever has the gateway call a function.
    calls: Arc<Semaphore>,
    /// Whoever sends a package.
    uploads: Semaphore,
    /// Zip pushes of late.
    pushes: Arc<zipdeploy::Pushes>,
    /// What functions did of late.
    history: Arc<History>,
    /// The account of usage.
    metering: Arc<Metering>,
    /// Held by whoever changes what is remembered of policies.
    policies: tokio::sync::Mutex<()>,
    /// When the counters began, in milliseconds since 1970.
    since_ms: u64,
    /// True once the server ends.
    ending: watch::Receiver<bool>,
    /// Whatever accepts administrators has a receiver.
    accepting: watch::Sender<()>,
}

impl App {
    fn new(state: AdminState, ending: watch::Receiver<bool>) -> Arc<Self> {
        let followers = Arc::new(Semaphore::new(FOLLOWERS));
        let publishing = state.gateway.snapshot().gateway.registry.publishing;
        Arc::new(App {
            metering: Metering::open(&state.gateway),
            history: History::new(&state.gateway),
            state,
            followers,
            exports: Arc::new(Semaphore::new(EXPORTS)),
            calls: Arc::new(Semaphore::new(CALLS)),
            // While some are taken in, others are unpacked.
            uploads: Semaphore::new(2 * publishing),
            pushes: zipdeploy::Pushes::new(),
            policies: tokio::sync::Mutex::default(),
            since_ms: now_ms(),
            ending,
            accepting: watch::Sender::new(()),
        })
    }
}

impl App {
    /// What was published.
    fn registry(&self) -> Result<Arc<Registry>, Problem> {
        let registry = self.state.publisher.registry();
        let registry = registry.map_err(|error| Problem::new(Kind::Unavailable, error.to_string()));
        registry.map(Arc::clone)
    }

    /// The right to read the whole record.
    fn export_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = Arc::clone(&self.exports).try_acquire_owned();
        place.map_err(|_| {
            let detail = format!(
                "{EXPORTS} exports or replays of the record are under way, which is the most: try \
                 again after them"
            );
            Problem::new(Kind::Busy, detail)
        })
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// Does what takes long with ten thousand functions, away from the threads that drive the scaler.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(Kind::Internal, format!("the answer broke off: {error}")))
}
