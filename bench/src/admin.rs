//! The gateway that is measured, over its admin API.

use std::io;
use std::time::Duration;

use stoker_control::cli::{Connection, listener};
use stoker_control::client::{Client, ClientError, segment};
use stoker_control::wire::{
    Evicted, FunctionDetail, FunctionSummary, GatewayInfo, Stats, Upgraded,
};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::stop::Stop;

/// How long an instance may take to go.
const EVICTION: Duration = Duration::from_secs(30);
/// How long an upgrade may take.
const UPGRADE: Duration = Duration::from_secs(120);
/// Evictions at once: more are no faster on a few cores.
const AT_ONCE: usize = 16;
/// What the gateway calls its memory among its metrics.
const RESIDENT: &str = "process_resident_memory_bytes";

/// How long an answer is waited for once the run is stopped.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// The gateway that is measured. Its own runtime is only run while it is asked.
pub(crate) struct Admin {
    runtime: Runtime,
    client: Client,
    stop: Stop,
}

impl Admin {
    /// The gateway that is meant, as all commands find it.
    ///
    /// # Errors
    /// If none answers.
    pub(crate) fn connect(connection: &Connection, stop: &Stop) -> io::Result<Admin> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(connection.connect())?;
        let stop = stop.clone();
        Ok(Admin {
            runtime,
            client,
            stop,
        })
    }

    /// For another thread.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where it takes requests: a socket's path, or `http://HOST:PORT`.
    pub(crate) fn listener(&self) -> Result<String, String> {
        let gateway: GatewayInfo = self.get("/v1/gateway")?;
        listener(&gateway, &self.client)
    }

    /// All of its addresses for callers, as it tells them.
    pub(crate) fn listeners(&self) -> Result<Vec<String>, String> {
        let gateway: GatewayInfo = self.get("/v1/gateway")?;
        Ok(gateway.listen)
    }

    /// Each function with the path of its default route.
    pub(crate) fn default_routes(&self) -> Result<Vec<(String, String)>, String> {
        let all: Vec<FunctionSummary> = self.get("/v1/functions")?;
        Ok(all.into_iter().map(|it| (it.name, it.url)).collect())
    }

    /// All about a function.
    pub(crate) fn function(&self, name: &str) -> Result<FunctionDetail, String> {
        self.get(&format!("/v1/functions/{}", segment(name)))
    }

    /// Evicts all instances of these functions and waits until they are gone, or not for long once
    /// the run is stopped.
    ///
    /// # Errors
    /// If one stays, or the gateway does not answer.
    pub(crate) fn evict(&self, functions: &[String]) -> Result<(), String> {
        self.ask(async {
            for some in functions.chunks(AT_ONCE) {
                let mut evictions = JoinSet::new();
                for name in some {
                    evictions.spawn(evict(self.client.clone(), name.clone(), EVICTION));
                }
                while let Some(evicted) = evictions.join_next().await {
                    evicted.map_err(|error| error.to_string())??;
                }
            }
            Ok(())
        })
    }

    /// Tells the instances of a function to go, and does not wait for it.
    pub(crate) fn evict_soon(&self, function: &str) -> Result<(), String> {
        let asked = ask_to_go(&self.client, function, Duration::ZERO);
        self.ask(told(asked)).map(drop)
    }

    /// Holds a function at a number of instances, or hands it back to its policy.
    pub(crate) fn scale(&self, function: &str, instances: Option<u32>) -> Result<(), String> {
        let path = format!("/v1/functions/{}/scale", segment(function));
        let body = serde_json::json!({ "desired": instances }).to_string();
        let asked = self.client.post(&path, body.into(), Duration::ZERO);
        self.ask(told(asked)).map(drop)
    }

    /// Has a new process of the gateway take over; its process.
    pub(crate) fn upgrade(&self) -> Result<u32, String> {
        let asked = self.client.post("/v1/upgrade", "{}".into(), UPGRADE);
        let upgraded = self.ask(told(async { asked.await?.json::<Upgraded>() }))?;
        Ok(upgraded.pid)
    }

    /// Instances of these functions that came up since the gateway's start.
    pub(crate) fn starts(&self, functions: &[String]) -> Result<u64, String> {
        let stats: Stats = self.get("/v1/stats")?;
        let own = stats.functions.iter();
        let own = own.filter(|stats| functions.contains(&stats.function));
        Ok(own.map(|stats| stats.started).sum())
    }

    /// The gateway's resident memory, if it tells.
    pub(crate) fn resident_bytes(&self) -> Option<f64> {
        let answer = self.ask(told(self.client.get("/metrics"))).ok()?;
        let text = String::from_utf8_lossy(&answer.body);
        let line = text.lines().find(|line| line.starts_with(RESIDENT))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        self.ask(told(async { self.client.get(path).await?.json() }))
    }

    /// Waits for an answer.
    fn ask<T>(&self, answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let stopped = async {
            self.stop.wait().await;
            tokio::time::sleep(LAST_ANSWER).await;
        };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                answer = answer => answer,
                () = stopped => Err("the gateway was not waited for".into()),
            }
        })
    }
}

/// The error in words.
async fn told<T>(answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, String> {
    answer.await.map_err(|error| error.to_string())
}

async fn evict(client: Client, function: String, wait: Duration) -> Result<(), String> {
    let evicted = ask_to_go(&client, &function, wait).await;
    let left = evicted.map_err(|error| error.to_string())?.left.len();
    match left {
        0 => Ok(()),
        left => Err(format!(
            "{left} instances of {function} are not gone {} s after their eviction",
            wait.as_secs()
        )),
    }
}

async fn ask_to_go(
    client: &Client,
    function: &str,
    wait: Duration,
) -> Result<Evicted, ClientError> {
    let path = format!(
        "/v1/functions/{}/evict?wait={}us",
        segment(function),
        wait.as_micros()
    );
    client.post(&path, String::new().into(), wait).await?.json()
}
