//! The gateway's state: what is routed now, and how that changes.

mod changes;
mod entries;
mod snapshot;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use http::header::HeaderValue;
use stoker_config::{Config, Deployment, FunctionSpec, GatewaySpec};

use crate::access::keys::KeyStore;
use crate::access::{Access, Guardian, Issuers};
use crate::budget::{BudgetStatus, Budgets};
use crate::launch::{launch_spec, record_settings, start_settings};
use crate::load::{Commons, FunctionLoad, Limits};
use crate::metrics::{Account, FunctionStats, Now, Registered};
use crate::mirror::Mirrors;
use crate::overload::{self, Pressure, Room};
use crate::schedule;
use crate::shadow::Shadows;
use crate::split::Split;
use crate::upstream::fresh;
use crate::{Function, Metrics, Scaler, Telemetry};
pub use changes::Applied;
use changes::{needs_restart, new_certificates};
use entries::Succession;
pub use snapshot::Snapshot;

/// The data plane's shared state.
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    scaler: Arc<Scaler>,
    metrics: Arc<Metrics>,
    telemetry: Arc<Telemetry>,
    guardian: Guardian,
    commons: Commons,
    pressure: Pressure,
    /// What there are descriptors for, once that was looked at.
    room: OnceLock<Room>,
    /// How policies fare that are tried.
    shadows: ArcSwap<Shadows>,
    mirrors: Mirrors,
    pub(crate) budgets: Budgets,
}

/// A function as it is now, or one revision of it.
pub struct Entry {
    /// Its manifest.
    pub spec: Arc<FunctionSpec>,
    /// Its pool and instances.
    pub function: Arc<Function>,
    /// Where its requests are counted; made with the first one.
    account: Arc<OnceLock<Arc<Account>>>,
    /// `None` if anybody may call it.
    pub(crate) access: Option<Arc<Access>>,
    /// Made with the first request.
    load: Arc<OnceLock<Box<FunctionLoad>>>,
    /// What callers are told of the revision, if it is one of the registry.
    pub(crate) told: Option<HeaderValue>,
    /// Under a function's name: how one of its revisions is chosen. Then the rest of this is its
    /// primary one. `None` for functions of files, and for each revision by itself.
    pub(crate) split: Option<Arc<Split>>,
}

impl Gateway {
    /// A gateway with the functions of `config`, without access log and traces.
    pub fn new(config: Config, scaler: Arc<Scaler>, metrics: Arc<Metrics>) -> Self {
        Gateway::with_telemetry(config, scaler, metrics, Telemetry::off())
    }

    /// A gateway with the functions of `config`, which tells `telemetry` of its requests.
    pub fn with_telemetry(
        config: Config,
        scaler: Arc<Scaler>,
        metrics: Arc<Metrics>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        metrics.set_functions(config.gateway.metrics.functions);
        // Before there is anything to start.
        scaler.set_starts(start_settings(&config.gateway.starts));
        scaler.remember_starts(config.gateway.metrics.starts);
        scaler.set_record(record_settings(&config.gateway));
        scaler.renew_connections(fresh::renewal());
        let gateway = Arc::new(config.gateway);
        let commons = Commons::new(shared(&gateway, None), config.functions.len());
        let mut succession = Succession {
            scaler: &scaler,
            commons: &commons,
            old: None,
            applied: Applied::default(),
            retired: Vec::new(),
        };
        let entries = succession.entries(config.functions, &config.deployments);
        let guardian = Guardian::new(&gateway);
        let issuers = Issuers::new(&gateway, None);
        let snapshot = Snapshot::new(gateway, entries, issuers, None);
        scaler.stop_unclaimed();
        Gateway {
            snapshot: ArcSwap::from_pointee(snapshot),
            scaler,
            metrics,
            telemetry,
            guardian,
            commons,
            pressure: Pressure::default(),
            room: OnceLock::new(),
            shadows: ArcSwap::default(),
            mirrors: Mirrors::default(),
            budgets: Budgets::default(),
        }
    }

    /// Takes a new configuration into effect. Requests under way finish where they are; a function
    /// whose program or environment changed gets new instances, others keep theirs.
    ///
    /// Must not run twice at once.
    pub fn apply(&self, config: Config) -> Applied {
        let old = self.snapshot.load_full();
        self.scaler
            .set_starts(start_settings(&config.gateway.starts));
        self.scaler.set_record(record_settings(&config.gateway));
        let mut succession = Succession {
            scaler: &self.scaler,
            commons: &self.commons,
            old: Some(&old),
            applied: Applied {
                certificates: new_certificates(&old.gateway, &config.gateway),
                needs_restart: needs_restart(&old.gateway, &config.gateway),
                ..Applied::default()
            },
            retired: Vec::new(),
        };
        let entries = succession.entries(config.functions, &config.deployments);
        let Succession {
            mut applied,
            mut retired,
            ..
        } = succession;
        let issuers = Issuers::new(&config.gateway, Some(&old.issuers));
        let gateway = Arc::new(config.gateway);
        let snapshot = Snapshot::new(gateway, entries, issuers, old.tls.as_ref());
        for (name, entry) in &old.functions {
            if !snapshot.functions.contains_key(name) {
                applied.removed.push(Arc::clone(name));
                let revisions = entry.revisions().iter();
                retired.extend(revisions.map(|it| Arc::clone(&it.function)));
            }
        }
        self.metrics
            .set_functions(snapshot.gateway.metrics.functions);
        self.scaler.remember_starts(snapshot.gateway.metrics.starts);
        let limits = shared(&snapshot.gateway, self.room.get());
        self.commons.set(limits, snapshot.functions.len());
        self.snapshot.store(Arc::new(snapshot));
        // Before the revisions that go now: their last counts are for the next scrape.
        let alive = self.revisions().into_iter();
        self.metrics
            .prune(&alive.map(|revision| revision.name).collect());
        for function in retired {
            function.retire();
        }
        self.telemetry.reopen();
        applied
    }

    /// A function beside those of the snapshot, which nobody is routed to: to try it. It must be
    /// retired.
    pub fn try_out(&self, spec: &FunctionSpec) -> Arc<Function> {
        let scaling = Arc::clone(&spec.scaling);
        self.scaler.register(launch_spec(spec), scaling)
    }

    /// What is routed now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The keys that open functions. They must be read before any is valid.
    pub fn keys(&self) -> &Arc<KeyStore> {
        &self.guardian.keys
    }

    /// The metrics as text, for Prometheus.
    ///
    /// # Errors
    /// If a metric cannot be encoded.
    pub fn encode_metrics(&self) -> Result<String, prometheus::Error> {
        let snapshot = self.snapshot.load();
        self.metrics.encode(Now {
            prepared: self.scaler.prepared(),
            revisions: self.revisions(),
            functions: &snapshot.functions,
            waiting: self.commons.waiters.level().0,
            wait_buffer: self.commons.buffer.level(),
            shadows: &self.shadows.load(),
            budgets: self.budgets.get(),
            certificates: &snapshot.gateway.tls.certificates,
        })
    }

    /// How policies fare that are tried beside those in force.
    pub fn shadows(&self) -> Arc<Shadows> {
        self.shadows.load_full()
    }

    /// Has the metrics show these.
    pub fn set_shadows(&self, shadows: Shadows) {
        self.shadows.store(Arc::new(shadows));
    }

    /// The budgets of the functions that have one, by name.
    pub fn budgets(&self) -> Arc<HashMap<Arc<str>, BudgetStatus>> {
        self.budgets.get()
    }

    /// These hold from now on, and the metrics show them.
    pub fn set_budgets(&self, budgets: HashMap<Arc<str>, BudgetStatus>) {
        self.budgets.set(budgets);
    }

    /// What every revision with requests or instances has counted so far.
    pub fn stats(&self) -> Vec<FunctionStats> {
        self.metrics.stats()
    }

    /// The same of those revisions that `wanted` chooses by function, revision, and a number that
    /// rises with everything that is counted of them.
    pub fn stats_of(
        &self,
        wanted: impl FnMut(&Arc<str>, &Arc<str>, u64) -> bool,
    ) -> Vec<FunctionStats> {
        self.metrics.stats_of(wanted)
    }

    /// What Prometheus sees.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The access log and the traces.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// The scaler behind it.
    pub fn scaler(&self) -> &Arc<Scaler> {
        &self.scaler
    }

    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    pub(crate) fn guardian(&self) -> &Guardian {
        &self.guardian
    }

    /// The function's parts of what all share.
    pub(crate) fn share<'a>(&self, entry: &'a Entry) -> &'a FunctionLoad {
        entry.load.get_or_init(|| Box::new(self.commons.function()))
    }

    /// Where the requests of a function are counted.
    pub(crate) fn account<'a>(&self, entry: &'a Entry) -> &'a Arc<Account> {
        entry.account.get_or_init(|| {
            let launch = entry.function.launch();
            let series = self.metrics.series(&launch.function, &launch.label());
            Arc::new(Account::new(series, Arc::clone(&entry.function)))
        })
    }

    /// Every revision that is registered, as it is now; retired ones until they are gone.
    fn revisions(&self) -> Vec<Registered> {
        let functions = self.scaler.functions();
        let with_view = |function: &Arc<Function>| Registered {
            name: (
                Arc::clone(&function.launch().function),
                function.launch().label(),
            ),
            launch: Arc::clone(function.launch()),
            view: function.view(),
        };
        functions.iter().map(with_view).collect()
    }

    pub(crate) fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    pub(crate) fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    /// Sees that there are descriptors for the limits, and lowers these if there are not.
    pub(crate) fn make_room(&self) -> Room {
        let snapshot = self.snapshot();
        let limits = &snapshot.gateway.limits;
        let room = overload::make_room(Room {
            callers: limits.connections,
            instances: limits.instance_connections,
        });
        let room = *self.room.get_or_init(|| room);
        let limits = shared(&snapshot.gateway, Some(&room));
        self.commons.set(limits, snapshot.functions.len());
        room
    }
}

impl Entry {
    /// What is counted of a revision goes on where `before` was.
    fn new(spec: Arc<FunctionSpec>, function: Arc<Function>, before: Option<&Arc<Entry>>) -> Self {
        let access = before.and_then(|before| before.access.as_deref());
        if !spec.schedule.is_empty() || before.is_some_and(|it| !it.spec.schedule.is_empty()) {
            schedule::tell(&spec.schedule, &function);
        }
        Entry {
            access: Access::new(&spec.name, &spec.access, access),
            // Another revision is counted apart.
            account: before
                .filter(|before| Arc::ptr_eq(&before.function, &function))
                .map_or_else(Arc::default, |before| Arc::clone(&before.account)),
            told: told(&spec),
            spec,
            function,
            load: before.map_or_else(Arc::default, |before| Arc::clone(&before.load)),
            split: None,
        }
    }

    /// Every revision that is live: this one, if there are no others.
    pub fn revisions(self: &Arc<Self>) -> &[Arc<Entry>] {
        match &self.split {
            Some(split) => split.revisions(),
            None => std::slice::from_ref(self),
        }
    }

    /// Which revisions are live and who gets which, if the function is one of the registry.
    pub fn deployment(&self) -> Option<&Deployment> {
        self.split.as_deref().map(Split::deployment)
    }
}

/// For `Server-Timing`.
fn told(spec: &FunctionSpec) -> Option<HeaderValue> {
    let number = spec.number?;
    HeaderValue::try_from(format!("revision;desc=\"{number}\"")).ok()
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// What the functions share under these settings.
fn shared(gateway: &GatewaySpec, room: Option<&Room>) -> Limits {
    let limits = &gateway.limits;
    let most = room.map_or(u32::MAX, |room| room.instances);
    Limits {
        waiters: limits.waiters as usize,
        buffer_bytes: limits.wait_buffer_bytes,
        connections: limits.instance_connections.min(most) as usize,
    }
}
