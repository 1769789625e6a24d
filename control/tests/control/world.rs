//! A gateway with its admin API, without processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use stoker_config::{Address, AdminSpec, ListenerSpec, load};
use stoker_control::admin::{self, AdminListeners, AdminState, Readiness};
use stoker_control::canary::Canaries;
use stoker_control::client::{Client, ClientError};
use stoker_control::deployments::Deployments;
use stoker_control::publish::Publisher;
use stoker_control::reload::{Reloader, Status};
use stoker_control::wire::ProblemDocument;
use stoker_gateway::{Function, Gateway, Listeners, Metrics, Scaler, Server};
use stoker_scaler::logs::{LogSettings, Logs};
use stoker_scaler::{Notice, ScalerSettings};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::driver::FakeDriver;
pub(crate) use crate::tree::TOKEN;
use crate::tree::Tree;

/// Waiting longer than this is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct World {
    pub(crate) driver: Arc<FakeDriver>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) reloader: Reloader,
    pub(crate) readiness: Readiness,
    pub(crate) client: Client,
    /// Of the TCP listener: `http://HOST:PORT`.
    pub(crate) url: String,
    /// Starts and failed starts so far.
    starts: watch::Receiver<(u32, u32)>,
    status: watch::Receiver<Status>,
    end: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    _server: Server,
    /// Goes last, lest its end be seen as a change.
    pub(crate) tree: Tree,
}

/// A scaler, and how many starts succeeded and failed.
async fn scaler(driver: Arc<FakeDriver>) -> (Arc<Scaler>, watch::Receiver<(u32, u32)>) {
    let (count, starts) = watch::channel((0, 0));
    let notices = move |_: &stoker_scaler::driver::LaunchSpec, notice: Notice<'_>| {
        count.send_modify(|(started, failed)| match notice {
            Notice::Started { .. } => *started += 1,
            Notice::StartFailed { .. } => *failed += 1,
            _ => {}
        });
    };
    let scaler = Scaler::new(ScalerSettings {
        driver,
        runtime: tokio::runtime::Handle::current(),
        notices: Arc::new(notices),
        stop_grace: Duration::from_secs(1),
        ledger: None,
    });
    (scaler.await, starts)
}

fn plain(listeners: &Listeners) -> Vec<ListenerSpec> {
    let addresses = listeners.addresses().cloned();
    addresses.map(ListenerSpec::plain).collect()
}

impl World {
    /// A running gateway with what is in the tree.
    pub(crate) async fn start(tree: Tree) -> World {
        let file = tree.path("stoker.toml");
        let mut config = load(&file).unwrap();
        let deployments = Deployments::open(&mut config);
        deployments.apply(&mut config);
        let (watched, read_at) = (config.watched.clone(), config.read_at);
        let driver = FakeDriver::new(tree.path("f.sock"));
        let metrics = Arc::new(Metrics::new().unwrap());
        let (scaler, starts) = scaler(driver.clone()).await;
        let gateway = Arc::new(Gateway::new(config, scaler, metrics));
        let logs = Logs::new(LogSettings::new(tree.path("logs"))).unwrap();
        let reloader = Reloader::spawn(
            file,
            watched,
            read_at,
            (Arc::clone(&gateway), Arc::clone(&deployments)),
        );
        let listeners = Listeners::bind(&gateway.snapshot().gateway.addresses()).unwrap();
        let registry = deployments.registry().ok().map(Arc::clone);
        let canaries = registry.map(|registry| Canaries::new(registry, Arc::clone(&gateway)));
        if let Some(canaries) = &canaries {
            canaries.watch(reloader.clone());
        }
        let state = AdminState {
            gateway: Arc::clone(&gateway),
            logs: Arc::clone(&logs),
            reloader: reloader.clone(),
            readiness: Readiness::new(),
            listen: plain(&listeners),
            takeover: None,
            publisher: Publisher::spawn(
                deployments,
                Arc::clone(&gateway),
                reloader.clone(),
                Arc::clone(&logs),
            ),
            canaries,
        };
        let readiness = state.readiness.clone();
        let admin = AdminListeners::bind(&spec(&tree)).unwrap();
        let url = url(&admin);
        let (end, ended) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let shutdown = async { drop(ended.await) };
            admin::serve(state, admin, shutdown).await.unwrap();
        });
        let mut world = World {
            client: Client::new(tree.path("a.sock").to_str().unwrap(), None).unwrap(),
            _server: Server::start(
                listeners,
                &gateway.snapshot().gateway.listeners,
                Arc::clone(&gateway),
            )
            .unwrap(),
            status: reloader.status(),
            end: Some(end),
            serving: Some(serving),
            tree,
            driver,
            gateway,
            logs,
            reloader,
            readiness,
            url,
            starts,
        };
        // The first time, watches are being set.
        world.read_again().await;
        world
    }

    /// With functions of no special kind.
    pub(crate) async fn with(names: &[&str]) -> World {
        let tree = Tree::new();
        for name in names {
            tree.function(name, "");
        }
        Self::start(tree).await
    }

    pub(crate) fn function(&self, name: &str) -> Arc<Function> {
        Arc::clone(&self.gateway.snapshot().functions[name].function)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.client.get(path).await.unwrap().json().unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Result<Value, ClientError> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.client.post(path, body, Duration::ZERO).await?.json()
    }

    /// The problem that the answer to a GET is.
    pub(crate) async fn problem(&self, path: &str) -> ProblemDocument {
        problem(self.client.get(path).await.map(|_| ()))
    }

    /// Waits until so many starts have succeeded.
    pub(crate) async fn started(&mut self, count: u32) {
        let waiting = self.starts.wait_for(|(started, _)| *started >= count);
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("starts")
            .unwrap();
    }

    /// Waits until so many starts have failed.
    pub(crate) async fn failed(&mut self, count: u32) {
        let waiting = self.starts.wait_for(|(_, failed)| *failed >= count);
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("failed starts")
            .unwrap();
    }

    /// Waits until the configuration was read once more than when this was called last.
    pub(crate) async fn read_again(&mut self) {
        let status = &mut self.status;
        tokio::time::timeout(PATIENCE, status.changed())
            .await
            .expect("a reload")
            .unwrap();
        status.mark_unchanged();
    }

    /// Waits until what was read satisfies.
    pub(crate) async fn until(&mut self, satisfied: impl Fn(&World) -> bool) {
        while !satisfied(self) {
            self.read_again().await;
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.gateway
            .snapshot()
            .functions
            .keys()
            .map(|name| name.to_string())
            .collect()
    }

    /// Ends the admin API.
    pub(crate) async fn end(&mut self) {
        drop(self.end.take());
        let serving = self.serving.take().unwrap();
        tokio::time::timeout(PATIENCE, serving)
            .await
            .expect("an end")
            .unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.tree.path("a.sock")
    }
}

pub(crate) fn spec(tree: &Tree) -> AdminSpec {
    let config = load(&tree.path("stoker.toml")).unwrap();
    AdminSpec {
        socket: tree.path("a.sock"),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..config.gateway.admin
    }
}

pub(crate) fn problem(result: Result<(), ClientError>) -> ProblemDocument {
    match result {
        Err(ClientError::Problem(document)) => *document,
        other => panic!("{other:?} is no problem"),
    }
}

fn url(listeners: &AdminListeners) -> String {
    let addresses = listeners.addresses();
    let tcp = addresses
        .iter()
        .find(|address| matches!(address, Address::Tcp(_)));
    format!("http://{}", tcp.unwrap())
}
