//! The gateway's state: what is routed now, and how that changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use stoker_config::{Config, FunctionSpec, GatewaySpec};

use crate::launch::launch_spec;
use crate::load::{Commons, FunctionLoad, Limits};
use crate::metrics::FunctionMetrics;
use crate::overload::{self, Pressure, Room};
use crate::router::Router;
use crate::{Function, Metrics, Scaler};

/// The data plane's shared state.
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    scaler: Arc<Scaler>,
    metrics: Arc<Metrics>,
    commons: Commons,
    pressure: Pressure,
    /// What there are descriptors for, once that was looked at.
    room: OnceLock<Room>,
}

/// Routes and functions that belong together; replaced as a whole, so that they never disagree.
pub struct Snapshot {
    pub(crate) router: Router<Entry>,
    /// The gateway's settings.
    pub gateway: Arc<GatewaySpec>,
    /// By name.
    pub functions: BTreeMap<Arc<str>, Arc<Entry>>,
}

/// A function as it is now.
pub struct Entry {
    /// Its manifest.
    pub spec: Arc<FunctionSpec>,
    /// Its pool and instances.
    pub function: Arc<Function>,
    pub(crate) metrics: Arc<OnceLock<FunctionMetrics>>,
    pub(crate) load: Arc<FunctionLoad>,
}

/// What a new configuration changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Functions that are new.
    pub added: Vec<Arc<str>>,
    /// Functions whose new revision takes over.
    pub replaced: Vec<Arc<str>>,
    /// Functions whose instances stay and whose settings changed.
    pub changed: Vec<Arc<str>>,
    /// Functions that are gone.
    pub removed: Vec<Arc<str>>,
    /// Settings of the gateway that take effect with the next start only.
    pub needs_restart: Vec<&'static str>,
}

impl Gateway {
    /// A gateway with the functions of `config`.
    pub fn new(config: Config, scaler: Arc<Scaler>, metrics: Arc<Metrics>) -> Self {
        let gateway = Arc::new(config.gateway);
        let commons = Commons::new(shared(&gateway, None), config.functions.len());
        let register = |spec: Arc<FunctionSpec>| {
            let function = scaler.register(launch_spec(&spec), spec.scaling.clone());
            Arc::new(Entry {
                spec,
                function,
                metrics: Arc::default(),
                load: commons.function(),
            })
        };
        let entries = config.functions.into_iter().map(register).collect();
        let snapshot = Snapshot::new(gateway, entries);
        scaler.stop_unclaimed();
        Gateway {
            snapshot: ArcSwap::from_pointee(snapshot),
            scaler,
            metrics,
            commons,
            pressure: Pressure::default(),
            room: OnceLock::new(),
        }
    }

    /// Takes a new configuration into effect. Requests under way finish where they are; a function
    /// whose program or environment changed gets new instances, others keep theirs.
    ///
    /// Must not run twice at once.
    pub fn apply(&self, config: Config) -> Applied {
        let old = self.snapshot.load_full();
        let mut applied = Applied {
            needs_restart: needs_restart(&old.gateway, &config.gateway),
            ..Applied::default()
        };
        let mut entries = Vec::with_capacity(config.functions.len());
        let mut retired = Vec::new();
        for spec in config.functions {
            let before = old.functions.get(&spec.name);
            entries.push(self.successor(before, spec, &mut applied, &mut retired));
        }
        let snapshot = Snapshot::new(Arc::new(config.gateway), entries);
        for (name, entry) in &old.functions {
            if !snapshot.functions.contains_key(name) {
                applied.removed.push(Arc::clone(name));
                retired.push(Arc::clone(&entry.function));
            }
        }
        let limits = shared(&snapshot.gateway, self.room.get());
        self.commons.set(limits, snapshot.functions.len());
        self.snapshot.store(Arc::new(snapshot));
        for function in retired {
            function.retire();
        }
        applied
    }

    /// What is routed now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The metrics as text, for Prometheus.
    ///
    /// # Errors
    /// If a metric cannot be encoded.
    pub fn encode_metrics(&self) -> Result<String, prometheus::Error> {
        let snapshot = self.snapshot.load();
        let used = snapshot.functions.iter().filter_map(|(name, entry)| {
            let view = entry.function.view();
            let used = entry.metrics.get().is_some() || !view.instances.is_empty();
            used.then_some((&**name, view))
        });
        self.metrics.encode(used)
    }

    /// The scaler behind it.
    pub fn scaler(&self) -> &Arc<Scaler> {
        &self.scaler
    }

    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
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

    fn successor(
        &self,
        before: Option<&Arc<Entry>>,
        spec: Arc<FunctionSpec>,
        applied: &mut Applied,
        retired: &mut Vec<Arc<Function>>,
    ) -> Arc<Entry> {
        let Some(before) = before else {
            applied.added.push(Arc::clone(&spec.name));
            let function = self
                .scaler
                .register(launch_spec(&spec), spec.scaling.clone());
            return Arc::new(Entry {
                spec,
                function,
                metrics: Arc::default(),
                load: self.commons.function(),
            });
        };
        if before.spec == spec {
            return Arc::clone(before);
        }
        let launch = launch_spec(&spec);
        let (metrics, load) = (Arc::clone(&before.metrics), Arc::clone(&before.load));
        if launch == **before.function.launch() {
            applied.changed.push(Arc::clone(&spec.name));
            if before.spec.scaling != spec.scaling {
                before.function.reconfigure(spec.scaling.clone());
            }
            return Arc::new(Entry {
                spec,
                function: Arc::clone(&before.function),
                metrics,
                load,
            });
        }
        applied.replaced.push(Arc::clone(&spec.name));
        retired.push(Arc::clone(&before.function));
        let function = self.scaler.register(launch, spec.scaling.clone());
        Arc::new(Entry {
            spec,
            function,
            metrics,
            load,
        })
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The function that answers a request to `host` and `path`, which has no dot segments.
    pub fn resolve<'a>(
        &'a self,
        host: &str,
        path: &'a str,
        method: &str,
    ) -> Option<&'a Arc<Entry>> {
        self.router
            .route(host, path, method)
            .ok()
            .map(|routed| routed.target)
    }

    fn new(gateway: Arc<GatewaySpec>, entries: Vec<Arc<Entry>>) -> Self {
        let mut router = Router::new(&gateway.function_prefix);
        let mut functions = BTreeMap::new();
        for entry in entries {
            router.add(&entry.spec.name, &entry.spec.routes, &entry);
            functions.insert(Arc::clone(&entry.spec.name), entry);
        }
        Snapshot {
            router,
            gateway,
            functions,
        }
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

/// The settings that are read once, when the process starts.
fn needs_restart(old: &GatewaySpec, new: &GatewaySpec) -> Vec<&'static str> {
    let fixed = [
        ("listen", old.listen != new.listen),
        ("threads", old.threads != new.threads),
        ("state-dir", old.state_dir != new.state_dir),
        ("ports", old.ports != new.ports),
        ("admin", old.admin != new.admin),
        ("adoption", old.adoption != new.adoption),
        ("logs", old.logs != new.logs),
        (
            "limits.connections",
            old.limits.connections != new.limits.connections,
        ),
    ];
    fixed
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}
