//! The socket between two gateways.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use super::wire::Message;
use crate::process::async_fd;
use crate::spawner::is_full;
use crate::spawner::packet::{Inbox, Packet, widen};

/// How often sending is tried again while the socket takes bytes but no descriptors, of which there
/// is no event.
const RESEND: Duration = Duration::from_millis(5);

/// Sends to the other gateway without waiting. Clones send over the same socket, in order.
///
/// What waits is bounded by the instances, leases and waiters that it speaks of.
#[derive(Clone, Debug)]
pub struct Sender(Arc<Inner>);

/// Receives from the other gateway, and has what waits sent.
#[derive(Debug)]
pub struct Receiver {
    inner: Arc<Inner>,
    inbox: Inbox,
}

#[derive(Debug)]
struct Inner {
    socket: AsyncFd<OwnedFd>,
    outbox: Mutex<VecDeque<Packet>>,
    behind: Notify,
}

/// Both directions over a SOCK_SEQPACKET socket. Must be called within a runtime.
///
/// # Errors
/// If the runtime cannot watch it.
pub fn channel(socket: OwnedFd) -> io::Result<(Sender, Receiver)> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    widen(&socket);
    let inner = Arc::new(Inner {
        socket: async_fd::register(socket, Interest::READABLE | Interest::WRITABLE)?,
        outbox: Mutex::default(),
        behind: Notify::new(),
    });
    let receiver = Receiver {
        inner: Arc::clone(&inner),
        inbox: Inbox::new(),
    };
    Ok((Sender(inner), receiver))
}

impl Sender {
    /// Sends now, or as soon as the other side reads. What cannot be sent because the other side is
    /// gone is dropped: its receiver tells of that.
    ///
    /// # Errors
    /// If the message is too large.
    pub fn send(&self, message: &Message, descriptor: Option<OwnedFd>) -> io::Result<()> {
        let packet = Packet::new(message, descriptor.into_iter().collect())?;
        let mut outbox = self.0.lock();
        outbox.push_back(packet);
        if !self.0.flush(&mut outbox) {
            self.0.behind.notify_one();
        }
        Ok(())
    }

    /// Waits until the other side's kernel has everything.
    pub async fn flush(&self) {
        loop {
            let sent = self.0.flush(&mut self.0.lock());
            if sent {
                return;
            }
            self.0.wait_writable().await;
        }
    }
}

impl Receiver {
    /// The next message, with its descriptor; none if the other gateway is gone. May be dropped
    /// and called again.
    ///
    /// # Errors
    /// If it says what is not understood.
    pub async fn receive(&mut self) -> io::Result<Option<(Message, Option<OwnedFd>)>> {
        let Receiver { inner, inbox } = self;
        tokio::select! {
            received = inner.receive(inbox) => received,
            never = inner.write() => match never {},
        }
    }
}

impl Inner {
    async fn receive(&self, inbox: &mut Inbox) -> io::Result<Option<(Message, Option<OwnedFd>)>> {
        loop {
            let mut guard = self.socket.readable().await?;
            match guard.try_io(|socket| inbox.receive::<Message>(socket)) {
                Ok(Ok(Some((message, mut descriptors)))) => {
                    return Ok(Some((message, descriptors.pop())));
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }

    /// Sends what could not be sent at once; never ends.
    async fn write(&self) -> std::convert::Infallible {
        loop {
            while !self.flush(&mut self.lock()) {
                self.wait_writable().await;
            }
            self.behind.notified().await;
        }
    }

    async fn wait_writable(&self) {
        let writable = async {
            if let Ok(mut guard) = self.socket.writable().await {
                guard.clear_ready();
            }
        };
        // Whichever comes first, sending is tried again.
        tokio::time::timeout(RESEND, writable).await.ok();
    }

    /// Sends what waits; false if not all could be sent.
    fn flush(&self, outbox: &mut VecDeque<Packet>) -> bool {
        while let Some(packet) = outbox.front() {
            match packet.send(self.socket.get_ref()) {
                Ok(()) => drop(outbox.pop_front()),
                Err(error) if is_full(&error) => return false,
                Err(_) => outbox.clear(),
            }
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Packet>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
