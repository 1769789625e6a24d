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
    AddressFamily, RecvFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    socket_with,
};
use stoker_scaler::driver::Endpoint;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::unix::UnixSocket;
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
    /// Its place in the function's share.
    place: Option<Held>,
}

#[derive(Debug)]
enum Io {
    Unix(UnixSocket),
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
            place: None,
        })
    }

    /// One that is connected and does not block, on this runtime.
    pub(super) fn unix(stream: net::UnixStream) -> io::Result<Self> {
        Ok(Socket {
            io: Io::Unix(UnixSocket::new(stream)?),
            read: BytesMut::new(),
            idle_since: None,
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
            Io::Unix(stream) => stream.shut_down(which),
            Io::Tcp(stream) => Ok(rustix::net::shutdown(stream, which)?),
        }
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
        if let Io::Unix(stream) = &mut self.io {
            stream.rest();
        }
    }

    /// False if the instance has closed it, or sent what nobody asked for.
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        let rested = self
            .idle_since
            .map_or(Duration::ZERO, |since| now.duration_since(since));
        match &self.io {
            Io::Unix(stream) if rested < TRUST_IDLE => stream.is_silent(),
            Io::Unix(stream) => stream.is_silent_now(),
            Io::Tcp(stream) => {
                let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                matches!(recv(stream, &mut [0_u8], flags), Err(Errno::AGAIN))
            }
        }
    }

    /// Reads once, with room for at least `room` bytes; zero is the end.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Unix(stream) => stream.poll_fill(cx, &mut self.read, room),
            Io::Tcp(stream) => {
                self.read.reserve(room);
                pin!(stream.read_buf(&mut self.read)).poll(cx)
            }
        }
    }

    /// Writes `first`, then `second`, as far as the kernel takes them.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let parts = [io::IoSlice::new(first), io::IoSlice::new(second)];
        let parts = if second.is_empty() {
            &parts[..1]
        } else {
            &parts
        };
        self.poll_write_parts(cx, parts)
    }

    fn poll_write_parts(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match (&mut self.io, parts) {
            (Io::Unix(stream), _) => stream.poll_write(cx, parts),
            (Io::Tcp(stream), [part]) => Pin::new(stream).poll_write(cx, part),
            (Io::Tcp(stream), _) => Pin::new(stream).poll_write_vectored(cx, parts),
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
            Io::Unix(stream) => stream.poll_read(cx, buf),
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
        self.get_mut().poll_write_parts(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Unix(stream) => Poll::Ready(stream.shut_down(Shutdown::Write)),
            Io::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
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
    use tokio::net::UnixStream;

    use super::*;

    /// Else what an instance says late would be the answer to the next request.
    #[tokio::test]
    async fn what_nobody_asked_for_makes_it_useless() {
        let (ours, theirs) = net::UnixStream::pair().unwrap();
        for stream in [&ours, &theirs] {
            stream.set_nonblocking(true).unwrap();
        }
        let mut socket = Socket::unix(ours).unwrap();
        let now = Instant::now();
        socket.rest(now);
        assert!(socket.is_usable(now));
        let mut theirs = UnixStream::from_std(theirs).unwrap();
        theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        if let Io::Unix(stream) = &socket.io {
            stream.readable().await;
        }
        assert!(!socket.is_usable(now));
    }

    /// The exchange reads and writes in turn in one task, and the socket has room for a part only.
    #[tokio::test]
    async fn a_body_larger_than_its_room_is_written_while_an_answer_is_awaited() {
        const LENGTH: usize = 8 << 20;
        let (ours, theirs) = net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let instance = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let mut body = vec![0; LENGTH];
            (&theirs).read_exact(&mut body).unwrap();
            (&theirs).write_all(b"answer").unwrap();
            body.iter().all(|&byte| byte == 7)
        });
        let mut socket = Socket::unix(ours).unwrap();
        let (body, mut written) = (vec![7; LENGTH], 0);
        poll_fn(|cx| {
            while !body[written..].is_empty() {
                if socket.poll_fill(cx, 64 * 1024).is_ready() {
                    return Poll::Ready(());
                }
                match socket.poll_write(cx, &body[written..], &[]) {
                    Poll::Ready(count) => written += count.unwrap(),
                    Poll::Pending => return Poll::Pending,
                }
            }
            socket.poll_fill(cx, 64 * 1024).map(drop)
        })
        .await;
        assert_eq!((written, &socket.read[..]), (LENGTH, &b"answer"[..]));
        assert!(instance.join().unwrap(), "what was sent has arrived");
        socket.read.clear();
        socket.rest(Instant::now());
        // Its registration was made anew.
        poll_fn(|cx| socket.poll_fill(cx, 10)).await.unwrap();
    }
}
