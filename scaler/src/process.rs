//! The driver that runs instances as processes of this machine.
//!
//! It makes what an instance needs before its program runs (a port, a directory, a listening
//! socket), has the spawner execute it, and learns by events that it listens or has ended. Nothing
//! is asked again and again, except where the kernel cannot tell.

#![deny(unsafe_code)]

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stoker_core::{InstanceId, StartFailure};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::Unheard;
use crate::driver::{
    BoxFuture, Driver, Endpoint, Exit, LaunchSpec, Measured, Observed, Prepared, Spent, StartEnd,
    Started, Stop,
};
use crate::spawner::Connection;
use crate::spawner::lock::StateLock;
use crate::spawner::protocol::Request;
use crate::spawner::unheard;

mod accept;
mod accounts;
#[allow(
    unsafe_code,
    reason = "tokio's registration of descriptors, behind a safe function"
)]
pub mod async_fd;
mod begin;
mod client;
mod dispatch;
mod environment;
mod frost;
mod handover;
mod place;
mod ports;
mod prepare;
mod probe;
mod reclaim;
mod sockets;
mod start;
mod supervise;
mod table;
mod words;

use accounts::Accounts;
use client::Client;
use ports::Ports;
use prepare::Preparations;
use sockets::Sockets;
use table::Table;

/// How long an answer of the spawner to a list may take.
const LIST_WAIT: Duration = Duration::from_secs(10);

/// Beyond the grace, how long the spawner may take to end.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);

/// Takes the output of instances: called once for each pipe, when an instance starts and when it is
/// adopted. It must not block.
pub type OutputHook = Arc<dyn Fn(Output) + Send + Sync>;

/// One of the two output pipes of an instance.
#[derive(Debug)]
pub struct Output {
    /// The function's name.
    pub function: Arc<str>,
    /// The instance.
    pub instance: InstanceId,
    /// Which of the two.
    pub stream: OutputStream,
    /// The end to read from; it does not block. It ends when no process of the instance is left.
    pub pipe: OwnedFd,
}

/// Where a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What the driver may use.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// The ports of instances that bind `$PORT`. Outside of the kernel's ephemeral ports
    /// (`net.ipv4.ip_local_port_range`), or connections of others take them.
    pub ports: RangeInclusive<u16>,
    /// How many connections the kernel keeps for an instance that inherits its socket and did not
    /// accept them yet. The kernel's `net.core.somaxconn` is the upper limit.
    pub backlog: u16,
    /// Observe calls of `listen` through seccomp instead of probing. Programs that install a
    /// seccomp listener of their own (container runtimes) cannot run observed.
    pub observe: bool,
    /// Listening sockets that are made ahead for instances that inherit theirs.
    pub spare_sockets: usize,
}

impl Default for ProcessSettings {
    /// Ports 20000 to 29999, 1024 waiting connections, observed, 8 sockets ahead.
    fn default() -> ProcessSettings {
        ProcessSettings {
            ports: 20_000..=29_999,
            backlog: 1024,
            observe: true,
            spare_sockets: 8,
        }
    }
}

/// Runs instances as children of a spawner.
///
/// Dropping it closes the connection: the spawner then keeps the instances for the next gateway, or
/// stops them, as its settings say.
pub struct ProcessDriver {
    shared: Arc<Shared>,
    exits: Mutex<mpsc::UnboundedReceiver<Exit>>,
    late: Mutex<mpsc::UnboundedReceiver<Observed>>,
    supervisor: JoinHandle<()>,
}

/// What the driver, its starts and its supervisor have in common.
struct Shared {
    settings: ProcessSettings,
    /// The real path of the state directory.
    state_dir: PathBuf,
    grace: Duration,
    ports: Arc<Ports>,
    sockets: Sockets,
    table: Table,
    client: Client,
    preparations: Preparations,
    accounts: Accounts,
    output: OutputHook,
    /// One message for each instance that ended: as many as instances, so bounded by them.
    exits: mpsc::UnboundedSender<Exit>,
    /// One message for each instance that a former gateway still started, so bounded by those.
    late: mpsc::UnboundedSender<Observed>,
    /// Memory that is to be given back.
    reclaims: Arc<frost::Reclaims>,
    /// The right to the state directory, while this gateway has to do with it.
    lock: std::sync::Mutex<Option<StateLock>>,
    /// The spawner and the state directory are this gateway's to care for.
    leads: AtomicBool,
}

impl ProcessDriver {
    /// Takes over a connection. To be called in a tokio runtime.
    pub fn new(
        settings: ProcessSettings,
        connection: Connection,
        output: OutputHook,
    ) -> io::Result<ProcessDriver> {
        let (exits, receiver) = mpsc::unbounded_channel();
        let (late, late_receiver) = mpsc::unbounded_channel();
        let Connection {
            spawner,
            settings: spawner_settings,
            lock,
            heir,
            ..
        } = connection;
        let shared = Arc::new(Shared {
            ports: Arc::new(Ports::new(settings.ports.clone())),
            sockets: Sockets::new(
                spawner_settings.state_dir.join("run"),
                settings.backlog,
                settings.spare_sockets,
            ),
            settings,
            state_dir: spawner_settings.state_dir.clone(),
            grace: spawner_settings.grace,
            table: Table::default(),
            client: Client::default(),
            preparations: Preparations::default(),
            accounts: Accounts::default(),
            output,
            exits,
            late,
            reclaims: Arc::default(),
            lock: std::sync::Mutex::new(Some(lock)),
            leads: AtomicBool::new(!heir),
        });
        let supervisor = supervise::begin(shared.clone(), spawner, spawner_settings)?;
        Ok(ProcessDriver {
            shared,
            exits: Mutex::new(receiver),
            late: Mutex::new(late_receiver),
            supervisor,
        })
    }

    /// Stops every instance (SIGTERM, the spawner's grace, SIGKILL) and the spawner itself, and
    /// answers when both are gone. Nothing can be started any more.
    pub async fn shutdown(&self) -> io::Result<()> {
        self.shared.sockets.clear();
        let client = &self.shared.client;
        client.close();
        let patience = self.shared.grace + SHUTDOWN_WAIT;
        if tokio::time::timeout(patience, client.wait_closed())
            .await
            .is_ok()
        {
            return Ok(());
        }
        client.kill();
        if tokio::time::timeout(SHUTDOWN_WAIT, client.wait_closed())
            .await
            .is_ok()
        {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the spawner did not end, even when killed",
        ))
    }

    /// Leaves the spawner and the state directory to the next gateway, and answers when it may take
    /// them over. What happens to the instances is for the spawner's settings to say.
    pub async fn detach(mut self) {
        self.shared.client.detach();
        self.supervisor.abort();
        // The error is the abortion.
        (&mut self.supervisor).await.ok();
        self.shared.release();
    }

    /// The process of the spawner; none while there is none.
    pub fn spawner_pid(&self) -> Option<u32> {
        self.shared.client.pid()
    }
}

impl Driver for ProcessDriver {
    fn start<'a>(
        &'a self,
        id: InstanceId,
        spec: &'a Arc<LaunchSpec>,
    ) -> BoxFuture<'a, Result<Started, StartFailure>> {
        Box::pin(start::start(self.shared.clone(), id, spec))
    }

    fn begin(
        &self,
        id: InstanceId,
        spec: &Arc<LaunchSpec>,
        end: StartEnd,
    ) -> Result<Endpoint, StartEnd> {
        begin::begin(&self.shared, id, spec, end)
    }

    fn stop(&self, id: InstanceId, how: Stop) {
        if self.shared.table.note_stop(id) {
            self.shared.signal(id, how == Stop::Kill);
        }
    }

    fn prepare_freeze(&self, id: InstanceId) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(frost::prepare(&self.shared, id))
    }

    fn set_frozen(&self, id: InstanceId, frozen: bool) -> io::Result<()> {
        frost::set(&self.shared, id, frozen)
    }

    fn has_frozen(&self, id: InstanceId) -> BoxFuture<'_, bool> {
        Box::pin(frost::has_frozen(&self.shared, id))
    }

    fn reclaim(&self, id: InstanceId) {
        frost::reclaim(&self.shared, id);
    }

    fn adopt(&self) -> BoxFuture<'_, Vec<Observed>> {
        Box::pin(async {
            let listed = self.shared.table.begin_list();
            if self.shared.client.send(&Request::List, Vec::new()).is_err() {
                return Vec::new();
            }
            // A spawner that dies meanwhile has nothing to be adopted.
            match tokio::time::timeout(LIST_WAIT, listed).await {
                Ok(Ok(observed)) => observed,
                _ => Vec::new(),
            }
        })
    }

    fn observed(&self) -> BoxFuture<'_, Observed> {
        Box::pin(async {
            match self.late.lock().await.recv().await {
                Some(observed) => observed,
                // `shared` holds a sender.
                None => std::future::pending().await,
            }
        })
    }

    fn forget(&self, id: InstanceId) {
        if let Some(entry) = self.shared.table.remove(id) {
            entry.leave();
            self.shared.signal(id, true);
        }
    }

    fn prepare(&self, spec: &Arc<LaunchSpec>, spares: Option<u32>) {
        self.shared.prepare(spec, spares);
    }

    fn prepared(&self) -> Vec<Prepared> {
        self.shared.preparations.kept()
    }

    fn measure(&self) -> BoxFuture<'_, Vec<Measured>> {
        Box::pin(accounts::measure(&self.shared))
    }

    fn spent_by_start(&self, id: InstanceId) -> Option<Spent> {
        self.shared.accounts.take_failed(id)
    }

    fn ended_unheard(&self) -> Vec<Unheard> {
        unheard::take(&self.shared.state_dir)
    }

    fn give(&self, id: InstanceId) {
        self.shared.table.hand_over(&[id]);
        let request = Request::Give { id: id.as_raw() };
        // If the spawner is gone its workers are too, and whoever leads knows.
        self.shared.client.send(&request, Vec::new()).ok();
    }

    fn exited(&self) -> BoxFuture<'_, Exit> {
        Box::pin(async {
            match self.exits.lock().await.recv().await {
                Some(exit) => exit,
                // `shared` holds a sender.
                None => std::future::pending().await,
            }
        })
    }
}

impl Drop for ProcessDriver {
    fn drop(&mut self) {
        self.shared.client.detach();
        self.supervisor.abort();
        self.shared.release();
    }
}

impl Shared {
    fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    /// This gateway has nothing more to do with the state directory.
    fn release(&self) {
        self.sockets.clear();
        drop(self.locked().take());
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<StateLock>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signals an instance, which may be gone.
    fn signal(&self, id: InstanceId, kill: bool) {
        let request = Request::Signal {
            id: id.as_raw(),
            kill,
        };
        // Fails only if the spawner is gone, and its workers with it.
        self.client.send(&request, Vec::new()).ok();
    }
}
