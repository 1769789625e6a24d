//! What Prometheus sees.

mod account;
mod board;
mod budget;
mod families;
mod frost;
mod gauges;
mod process;
mod record;
mod series;
mod shadow;
mod stats;
#[cfg(test)]
mod tests;
mod traffic;
mod wide;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{Encoder, Registry, TextEncoder};
use stoker_config::CertificateSpec;
use stoker_scaler::driver::{LaunchSpec, Prepared};
use stoker_scaler::{FunctionView, Notice};

use crate::budget::BudgetStatus;
use crate::gateway::Entry;
use crate::overload::Shed;
use crate::problem::ProblemKind;
use crate::shadow::Shadows;
use board::Board;
use budget::BudgetGauges;
use families::{Families, PerRevision};
use gauges::Gauges;
use process::Process;
use shadow::ShadowGauges;
use traffic::TrafficMetrics;
use wide::Wide;

pub(crate) use account::Account;
use board::Name;
pub(crate) use record::Record;
pub(crate) use series::Series;
pub use stats::{FunctionStats, Latencies};
pub(crate) use wide::{ListenerMetrics, OpenConnection, TelemetryCounters};

/// Functions with series of their own until the configuration says how many.
const FUNCTIONS: usize = 1000;

/// Every metric of the gateway. Revisions appear with their first request or instance, so that the
/// number of series follows what is used, not what is registered; they go when the last instance of
/// a retired one has gone.
pub struct Metrics {
    registry: Registry,
    board: Board,
    shed: Shed,
    gauges: Gauges,
    shadows: ShadowGauges,
    traffic: TrafficMetrics,
    budgets: BudgetGauges,
    wide: Wide,
    process: Process,
    /// One exposition at a time, for gauges are set anew for each.
    encoding: Mutex<()>,
}

/// A revision that is registered.
pub(crate) struct Registered {
    /// What its series are under. Several may share it for a while: one whose secrets are new, and
    /// the same one with the old ones until its last request has ended.
    pub(crate) name: Name,
    pub(crate) launch: Arc<LaunchSpec>,
    pub(crate) view: FunctionView,
}

/// What is read when Prometheus asks.
pub(crate) struct Now<'a> {
    /// Every revision that is registered, retired ones too.
    pub(crate) revisions: Vec<Registered>,
    /// What is kept ready for starts.
    pub(crate) prepared: Vec<Prepared>,
    /// Functions of the configuration.
    pub(crate) functions: &'a BTreeMap<Arc<str>, Arc<Entry>>,
    /// Requests that wait in the whole gateway.
    pub(crate) waiting: usize,
    /// Bytes in the wait buffer, and how many there may be.
    pub(crate) wait_buffer: (usize, usize),
    /// Policies that are tried.
    pub(crate) shadows: &'a Shadows,
    /// How much of their budgets functions have used.
    pub(crate) budgets: Arc<HashMap<Arc<str>, BudgetStatus>>,
    /// The certificates that are in force.
    pub(crate) certificates: &'a [CertificateSpec],
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// If two metrics have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let families = Families::default();
        Ok(Metrics {
            board: Board::new(PerRevision::new(&families)?, FUNCTIONS),
            shed: Shed::default(),
            gauges: Gauges::new(&families)?,
            shadows: ShadowGauges::new(&families)?,
            traffic: TrafficMetrics::new(&families)?,
            budgets: BudgetGauges::new(&families)?,
            wide: Wide::new(&families)?,
            process: Process::new(&families)?,
            encoding: Mutex::new(()),
            registry: families.registry,
        })
    }

    /// Counts what the scaler tells of a revision.
    pub fn note(&self, launch: &LaunchSpec, notice: &Notice<'_>) {
        if let Notice::Held { by, .. } = notice {
            let labels = [by.name()];
            self.wide.held_starts.with_label_values(&labels).inc();
        }
        self.series(&launch.function, &launch.label()).note(notice);
    }

    /// Counts instances of a revision that an operator told to go.
    pub fn evicted(&self, launch: &LaunchSpec, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.series(&launch.function, &launch.label())
            .evicted(count);
    }

    /// The text exposition. Series of revisions that are gone are shown a last time.
    pub(crate) fn encode(&self, now: Now<'_>) -> Result<String, prometheus::Error> {
        let _one = self.encoding.lock();
        self.gauges.reset();
        let mut alive = HashSet::new();
        for Registered { name, launch, view } in now.revisions {
            if self.board.has(&name) || !view.instances.is_empty() {
                // Its own, or those of all that there was no room for.
                let series = self.board.series(&name.0, &name.1);
                self.gauges
                    .add(&[&series.function, &series.revision], &view);
                let launched = (Arc::clone(&launch.function), Arc::clone(&launch.revision));
                let of_it = |prepared: &&Prepared| prepared.functions.contains(&launched);
                for prepared in now.prepared.iter().filter(of_it) {
                    self.gauges
                        .add_prepared(&[&series.function, &series.revision], prepared);
                }
            }
            alive.insert(name);
        }
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.wide.functions.set(count(now.functions.len()));
        let shown = now.functions.values().take(self.board.limit());
        self.traffic.set(shown.map(|entry| &**entry));
        self.wide.waiting.set(count(now.waiting));
        self.wide.wait_buffer.set(count(now.wait_buffer.0));
        self.wide.wait_buffer_limit.set(count(now.wait_buffer.1));
        self.shadows.set(now.shadows);
        self.budgets.set(&now.budgets);
        self.wide.note_certificates(now.certificates);
        self.wide.shed.reset();
        for (reason, count) in self.shed.read() {
            self.wide.shed.with_label_values(&[reason]).inc_by(count);
        }
        self.process.read();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        self.board.prune(|name| !alive.contains(name));
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Forgets the series of revisions other than these: what no scrape has come for.
    pub(crate) fn prune(&self, alive: &HashSet<Name>) {
        self.board.prune(|name| !alive.contains(name));
    }

    /// From now on so many functions have series of their own.
    pub(crate) fn set_functions(&self, limit: usize) {
        self.board.set_limit(limit);
    }

    /// What every revision with requests or instances has counted so far.
    pub(crate) fn stats(&self) -> Vec<FunctionStats> {
        let all = self.board.all();
        let mut stats: Vec<_> = all.iter().map(|series| stats::of(series)).collect();
        stats.sort_by(|a, b| (&a.function, &a.revision).cmp(&(&b.function, &b.revision)));
        stats
    }

    /// The same of those that `wanted` chooses by function, revision, and a number that rises with
    /// everything that is counted of them; in no order.
    pub(crate) fn stats_of(
        &self,
        mut wanted: impl FnMut(&Arc<str>, &Arc<str>, u64) -> bool,
    ) -> Vec<FunctionStats> {
        let all = self.board.all().into_iter();
        all.filter(|it| wanted(&it.function, &it.revision, it.activity()))
            .map(|it| stats::of(&it))
            .collect()
    }

    /// Counts a TLS handshake.
    pub(crate) fn handshake(&self, result: &str) {
        self.wide.handshakes.with_label_values(&[result]).inc();
    }

    /// Counts a request that was sent to HTTPS.
    pub(crate) fn redirected(&self) {
        let labels = ["308", "redirected"];
        self.wide.unrouted.with_label_values(&labels).inc();
    }

    /// What was turned away.
    pub(crate) fn shed(&self) -> &Shed {
        &self.shed
    }

    /// Counts an answer given before a function was found.
    pub(crate) fn unrouted(&self, kind: ProblemKind) {
        let labels = [kind.status().as_str().to_owned(), kind.name().to_owned()];
        self.wide.unrouted.with_label_values(&labels).inc();
    }

    /// The series of a revision.
    pub(crate) fn series(&self, function: &Arc<str>, revision: &Arc<str>) -> Arc<Series> {
        self.board.series(function, revision)
    }

    /// The connections of the listener of this name.
    pub(crate) fn listener(&self, name: &str) -> Arc<ListenerMetrics> {
        self.wide.listener(name)
    }

    /// How the access log and the traces fare.
    pub(crate) fn telemetry(&self) -> &TelemetryCounters {
        &self.wide.telemetry
    }
}
