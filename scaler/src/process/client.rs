//! The gateway's end of the connection to the spawner: sends without waiting.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, watch};

use super::async_fd;
use crate::spawner::packet::Packet;
use crate::spawner::protocol::Request;
use crate::spawner::{Spawner, is_full};

/// Requests that wait for the spawner. Starts are bounded by the pools, so more of them mean that
/// the spawner hangs.
const MAX_WAITING: usize = 16_384;

/// The connection, which may be replaced by another when a spawner died.
#[derive(Debug)]
pub(super) struct Client {
    state: Mutex<State>,
    /// Something waits to be sent.
    pub(super) behind: Notify,
    closing: Notify,
    closed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    up: Option<Up>,
    outbox: VecDeque<Packet>,
    closing: bool,
    /// Why there is no spawner and none is about to come.
    broken: Option<String>,
}

#[derive(Debug)]
struct Up {
    socket: Arc<AsyncFd<OwnedFd>>,
    pid: u32,
    process: Option<OwnedFd>,
}

impl Default for Client {
    fn default() -> Client {
        let state = Mutex::new(State::default());
        let (behind, closing) = (Notify::new(), Notify::new());
        Client {
            state,
            behind,
            closing,
            closed: watch::Sender::new(false),
        }
    }
}

impl Client {
    /// Sends now, or as soon as the spawner reads, or as soon as there is one again.
    pub(super) fn send(&self, request: &Request, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let packet = Packet::new(request, descriptors)?;
        let mut state = self.lock();
        if state.closing {
            return Err(io::Error::other("the gateway is shutting down"));
        }
        if let Some(why) = &state.broken {
            return Err(io::Error::other(why.clone()));
        }
        if state.outbox.len() >= MAX_WAITING {
            let detail = format!("{MAX_WAITING} requests wait for the spawner, which is the limit");
            return Err(io::Error::other(detail));
        }
        state.outbox.push_back(packet);
        if !state.flush() {
            self.behind.notify_one();
        }
        Ok(())
    }

    /// Sends now or not at all; false if the spawner is not there or behind.
    pub(super) fn send_now(
        &self,
        request: &Request,
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<bool> {
        let packet = Packet::new(request, descriptors)?;
        let state = self.lock();
        let Some(up) = state.up.as_ref().filter(|_| state.outbox.is_empty()) else {
            return Ok(false);
        };
        Ok(!state.closing && packet.send(up.socket.get_ref()).is_ok())
    }

    /// Sends what waits; false if not all could be sent.
    pub(super) fn flush(&self) -> bool {
        self.lock().flush()
    }

    /// There is a spawner.
    pub(super) fn connect(&self, spawner: Spawner) -> io::Result<Arc<AsyncFd<OwnedFd>>> {
        // Of room only when it is short of it: else the spawner would wake this process with every
        // request that it reads, just when it is to execute a program.
        let socket = Arc::new(async_fd::register(spawner.socket, Interest::READABLE)?);
        let mut state = self.lock();
        let (pid, process) = (spawner.pid, spawner.process);
        state.up = Some(Up {
            socket: socket.clone(),
            pid,
            process,
        });
        state.broken = None;
        if state.closing {
            state
                .outbox
                .extend(Packet::new(&Request::Shutdown, Vec::new()));
        }
        if !state.flush() {
            self.behind.notify_one();
        }
        drop(state);
        Ok(socket)
    }

    /// The connection is lost: makes sure that the spawner is too. What it did not read is lost.
    pub(super) fn disconnect(&self) {
        self.kill();
        let mut state = self.lock();
        state.up = None;
        state.outbox.clear();
    }

    /// Closes the connection and sends nothing any more; the spawner lives.
    pub(super) fn detach(&self) {
        let mut state = self.lock();
        state.up = None;
        state.outbox.clear();
        state.closing = true;
    }

    /// The connection is lost and there is no other for this gateway.
    pub(super) fn lose(&self, why: &str) {
        let mut state = self.lock();
        state.up = None;
        state.outbox.clear();
        state.broken = Some(why.to_owned());
    }

    /// Whether there is a spawner.
    pub(super) fn is_up(&self) -> bool {
        self.lock().up.is_some()
    }

    /// Kills the spawner, and thereby all of its workers.
    pub(super) fn kill(&self) {
        if let Some(process) = self.lock().up.as_ref().and_then(|up| up.process.as_ref()) {
            // It may be dead already.
            rustix::process::pidfd_send_signal(process, Signal::KILL).ok();
        }
    }

    /// Whether the spawner was asked to end.
    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Nothing is left after [`Client::close`].
    pub(super) fn set_closed(&self) {
        self.closed.send_replace(true);
    }

    /// There is no spawner, and this is why.
    pub(super) fn break_down(&self, why: String) {
        let mut state = self.lock();
        state.broken = Some(why);
        state.outbox.clear();
    }

    /// Asks the spawner to stop everything and end, or the next one if there is none now.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.closing, true) {
            return;
        }
        self.closing.notify_one();
        state
            .outbox
            .extend(Packet::new(&Request::Shutdown, Vec::new()));
        if !state.flush() {
            self.behind.notify_one();
        }
    }

    /// Resolves when somebody asks for the end.
    pub(super) async fn wait_closing(&self) {
        self.closing.notified().await;
    }

    /// Resolves when the spawner has ended after [`Client::close`].
    pub(super) async fn wait_closed(&self) {
        // The sender lives as long as `self`.
        self.closed
            .subscribe()
            .wait_for(|closed| *closed)
            .await
            .ok();
    }

    /// The spawner's process.
    pub(super) fn pid(&self) -> Option<u32> {
        self.lock().up.as_ref().map(|up| up.pid)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends what waits; false if not all could be sent.
    fn flush(&mut self) -> bool {
        let Some(up) = &self.up else { return true };
        while let Some(packet) = self.outbox.front() {
            match packet.send(up.socket.get_ref()) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(error) if is_full(&error) => return false,
                // The spawner died, which the reader notices and acts on.
                Err(_) => return true,
            }
        }
        true
    }
}
