//! From an accepted connection to one that HTTP can be spoken on: PROXY protocol, then TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{GetSocketDigest, Stream};
use stoker_config::ListenerSpec;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::gateway::{Gateway, Snapshot};
use crate::proxy_protocol::{self, Header};
use crate::tls::{Handshakes, TlsInfo, TlsStream};

/// What every connection of one listener begins with.
pub(crate) struct Preamble {
    pub(crate) listener: ListenerSpec,
    /// Of the whole process.
    pub(crate) handshakes: Arc<Handshakes>,
}

/// A connection that HTTP can be spoken on.
pub(crate) struct Accepted {
    pub(crate) transport: Transport,
    /// The caller's address; `None` over a Unix socket, and if a proxy does not tell.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) tls: Option<Arc<TlsInfo>>,
    /// The handshake agreed on HTTP/2.
    pub(crate) http2: bool,
}

/// The bytes of a connection, in the clear.
pub(crate) enum Transport {
    Plain(Box<L4Stream>),
    Tls(Box<TlsStream<Box<L4Stream>>>),
}

impl Preamble {
    /// Takes what comes before HTTP. `http2` says whether HTTP/2 may be agreed on.
    ///
    /// # Errors
    /// If the connection does not begin as the listener asks for, or not in time: it is to be
    /// closed.
    pub(crate) async fn take(
        &self,
        stream: Stream,
        (gateway, snapshot): (&Gateway, &Snapshot),
        http2: bool,
    ) -> io::Result<Accepted> {
        let stream = stream.into_any().downcast::<L4Stream>();
        let mut stream = stream.map_err(|_| io::Error::other("no stream of a socket"))?;
        let digest = stream.get_socket_digest();
        let mut peer = digest.and_then(|digest| {
            let address = digest.peer_addr();
            address.and_then(|address| address.as_inet().copied())
        });
        if self.listener.proxy_protocol {
            peer = self
                .relayed(&mut stream, peer, snapshot.gateway.timeouts.header)
                .await?;
        }
        if !self.listener.tls {
            return Ok(Accepted {
                transport: Transport::Plain(stream),
                peer,
                tls: None,
                http2: false,
            });
        }
        let Some(tls) = &snapshot.tls else {
            return Err(io::Error::other("there is no certificate any more"));
        };
        let result = self
            .handshakes
            .accept(tls, stream, http2 && self.listener.http2)
            .await;
        gateway.metrics().handshake(match &result {
            Ok(_) => "ok",
            Err(error) if error.kind() == io::ErrorKind::TimedOut => "timeout",
            Err(_) => "failed",
        });
        let (stream, info, http2) = result?;
        Ok(Accepted {
            transport: Transport::Tls(Box::new(stream)),
            peer,
            tls: Some(Arc::new(info)),
            http2,
        })
    }

    /// Takes the header of the PROXY protocol; answers whose connection it is.
    async fn relayed(
        &self,
        stream: &mut L4Stream,
        peer: Option<SocketAddr>,
        patience: Duration,
    ) -> io::Result<Option<SocketAddr>> {
        let from = &self.listener.proxy_protocol_from;
        let allowed = |peer: SocketAddr| from.iter().any(|network| network.contains(peer.ip()));
        // Who may connect to a Unix socket is a matter of its permissions.
        if !from.is_empty() && !peer.is_none_or(allowed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        timeout(patience, header(stream, peer))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Reads one header and puts back what follows it.
async fn header(stream: &mut L4Stream, peer: Option<SocketAddr>) -> io::Result<Option<SocketAddr>> {
    // Most headers fit into the first part.
    let mut bytes = vec![0; 256];
    let mut count = 0;
    loop {
        match stream.read(&mut bytes[count..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => count += more,
        }
        let (peer, consumed) = match proxy_protocol::parse(&bytes[..count]) {
            Header::Incomplete => {
                if count == bytes.len() {
                    bytes.resize(proxy_protocol::LONGEST, 0);
                }
                continue;
            }
            Header::Relayed {
                source, consumed, ..
            } => (Some(source), consumed),
            Header::Unknown { consumed } => (None, consumed),
            Header::Local { consumed } => (peer, consumed),
            Header::Invalid(why) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
        };
        stream.rewind(&bytes[consumed..count]);
        return Ok(peer);
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
