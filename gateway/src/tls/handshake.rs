//! Handshakes: bounded in time, and in how many are computed at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

use super::{Tls, TlsInfo, client};

/// A connection after its handshake.
pub(crate) type TlsStream<S> = tokio_rustls::server::TlsStream<S>;

/// The handshakes of the process.
///
/// One takes a good part of a millisecond of CPU, so that many of them would keep requests waiting.
/// A turn is held while a handshake is computed, never while its client is waited for: clients that
/// stop in the middle keep nobody from theirs.
#[derive(Debug)]
pub(crate) struct Handshakes {
    turns: Semaphore,
}

impl Handshakes {
    /// At most so many are computed at once.
    pub(crate) fn new(at_once: usize) -> Self {
        Handshakes {
            turns: Semaphore::new(at_once),
        }
    }

    /// The handshake of a connection; also whether HTTP/2 was agreed on, which needs `http2`.
    ///
    /// # Errors
    /// If the client does not finish it in time, or there is nothing that both sides accept. The
    /// client has been told.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        tls: &Tls,
        stream: S,
        http2: bool,
    ) -> io::Result<(TlsStream<S>, TlsInfo, bool)> {
        let handshake = self.negotiate(tls, stream, http2);
        timeout(tls.patience(), handshake)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        tls: &Tls,
        stream: S,
        http2: bool,
    ) -> io::Result<(TlsStream<S>, TlsInfo, bool)> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let host = tls.select(start.client_hello().server_name());
        let config = if http2 { &host.both } else { &host.http1 };
        let turn = self.turn().await;
        // This alone computes the most of it.
        let handshake = start.into_stream(Arc::clone(config));
        let stream = self.finish(handshake, turn).await?;
        let (_, connection) = stream.get_ref();
        let agreed = connection.alpn_protocol() == Some(b"h2");
        let shown = connection
            .peer_certificates()
            .and_then(|chain| chain.first());
        let info = TlsInfo {
            rules: host.rules,
            client: shown.map_or_else(Vec::new, |shown| client::fields(shown)),
            hsts: tls.hsts.clone(),
        };
        Ok((stream, info, agreed))
    }

    /// Polls `work` with a turn at hand only.
    async fn finish<T>(&self, work: impl Future<Output = T>, turn: SemaphorePermit<'_>) -> T {
        let mut work = pin!(work);
        let mut turn = Some(turn);
        loop {
            let held = match turn.take() {
                Some(turn) => turn,
                None => self.turn().await,
            };
            let result = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
            drop(held);
            if let Poll::Ready(result) = result {
                return result;
            }
            // What the work waits for wakes this task.
            let mut woken = false;
            poll_fn(|_| {
                if std::mem::replace(&mut woken, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }

    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns
            .acquire()
            .await
            .expect("the semaphore is never closed")
    }
}
