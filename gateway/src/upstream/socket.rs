//! A byte stream to an instance.

use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::net;
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType,
    connect, recv, send, socket_with,
};
use stoker_scaler::driver::Endpoint;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::share::Held;

/// Idle for longer than this, a Unix connection is looked at with a system call before it is used:
/// the event of its end may not have been seen yet. Before that, a write to one that was closed
/// fails without a byte taken; over TCP it succeeds, so those are always looked at.
const TRUST_IDLE: Duration = Duration::from_millis(100);

/// A byte stream to an instance.
#[derive(Debug)]
pub struct Socket {
    io: Io,
    /// Read and not yet consumed.
    pub(crate) read: BytesMut,
    idle_since: Option<Instant>,
    /// Nothing was written yet, so that the runtime cannot know that there is room.
    unwritten: bool,
    /// Its place in the function's share.
    place: Option<Held>,
}

#[derive(Debug)]
enum Io {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    /// Connects to `endpoint`.
    ///
    /// # Errors
    /// What the kernel says, or `TimedOut` after `timeout`.
    pub(crate) async fn open(endpoint: &Endpoint, timeout: Duration) -> io::Result<Self> {
        let io = match endpoint {
            Endpoint::Unix(path) => return Socket::unix(connect_unix(path)?),
            Endpoint::Tcp(address) => {
                let connecting = TcpStream::connect(address);
                let stream = tokio::time::timeout(timeout, connecting)
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                stream.set_nodelay(true)?;
                Io::Tcp(stream)
            }
        };
        Ok(Socket {
            io,
            read: BytesMut::new(),
            idle_since: None,
            unwritten: false,
            place: None,
        })
    }

    /// One that is connected and does not block, on this runtime.
    pub(super) fn unix(stream: net::UnixStream) -> io::Result<Self> {
        Ok(Socket {
            io: Io::Unix(UnixStream::from_std(stream)?),
            read: BytesMut::new(),
            idle_since: None,
            unwritten: true,
            place: None,
        })
    }

    /// Its place, if it holds one.
    pub(super) fn take_place(&mut self) -> Option<Held> {
        self.place.take()
    }

    /// Tells the other side that nothing more comes.
    pub(super) fn shut_down(&self, which: Shutdown) -> io::Result<()> {
        match &self.io {
            Io::Unix(stream) => rustix::net::shutdown(stream, which)?,
            Io::Tcp(stream) => rustix::net::shutdown(stream, which)?,
        }
        Ok(())
    }

    /// Ready when the other side has closed it, or sends something.
    pub(super) async fn closed(&mut self) {
        poll_fn(|cx| self.poll_fill(cx, 1)).await.ok();
    }

    pub(super) fn hold(&mut self, place: Held) {
        self.place = Some(place);
    }

    /// Notes that no request uses it from now on.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.idle_since = Some(now);
    }

    /// False if the instance has closed it, or sent what nobody asked for.
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        let rested = self
            .idle_since
            .map_or(Duration::ZERO, |since| now.duration_since(since));
        let mut byte = [0_u8];
        if rested < TRUST_IDLE
            && let Io::Unix(stream) = &self.io
        {
            // What the events have told costs no system call.
            let seen = stream.try_read(&mut byte);
            return seen.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        }
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peeked = match &self.io {
            Io::Unix(stream) => recv(stream, &mut byte, flags),
            Io::Tcp(stream) => recv(stream, &mut byte, flags),
        };
        matches!(peeked, Err(Errno::AGAIN))
    }

    /// Reads once, with room for at least `room` bytes; zero is the end.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        self.read.reserve(room);
        match &mut self.io {
            Io::Unix(stream) => pin!(stream.read_buf(&mut self.read)).poll(cx),
            Io::Tcp(stream) => pin!(stream.read_buf(&mut self.read)).poll(cx),
        }
    }

    /// Writes `first`, then `second`, as far as the kernel takes them.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Unix(stream) => {
                if std::mem::take(&mut self.unwritten) && !first.is_empty() {
                    // The runtime would wait for the event that there is room, and there is.
                    match send(&*stream, first, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                        Err(Errno::AGAIN | Errno::INTR) => {}
                        sent => return Poll::Ready(sent.map_err(io::Error::from)),
                    }
                }
                poll_write(Pin::new(stream), cx, first, second)
            }
            Io::Tcp(stream) => poll_write(Pin::new(stream), cx, first, second),
        }
    }
}

/// For protocols that others speak; what was read ahead is not in it.
impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(cx, buf, &[])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Io::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

fn poll_write(
    io: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
    first: &[u8],
    second: &[u8],
) -> Poll<io::Result<usize>> {
    if second.is_empty() {
        io.poll_write(cx, first)
    } else {
        io.poll_write_vectored(cx, &[io::IoSlice::new(first), io::IoSlice::new(second)])
    }
}

/// Connects to the Unix socket at `path`, which is done at once or not at all.
pub(super) fn connect_unix(path: &Path) -> io::Result<net::UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &address)?;
    Ok(net::UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Else what an instance says late would be the answer to the next request.
    #[tokio::test]
    async fn what_nobody_asked_for_makes_it_useless() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut socket = Socket {
            io: Io::Unix(ours),
            read: BytesMut::new(),
            idle_since: None,
            unwritten: true,
            place: None,
        };
        let now = Instant::now();
        socket.rest(now);
        assert!(socket.is_usable(now));
        theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        if let Io::Unix(stream) = &socket.io {
            stream.readable().await.unwrap();
        }
        assert!(!socket.is_usable(now));
    }
}
