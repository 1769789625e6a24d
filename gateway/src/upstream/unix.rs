//! A Unix stream socket that asks for news of room only while it is short of it.
//!
//! The kernel tells of room in a Unix socket each time the other side has read something. Who asks for
//! that is woken by an instance that reads its request, has nothing to do, and sleeps until the answer.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg};
use stoker_scaler::process::async_fd::register;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};

/// Up to so much room is cleared before it is read into; more comes from memory of its own, which
/// need not be.
const CLEARED_BYTES: usize = 4 * 1024;

/// Of a tokio runtime.
#[derive(Debug)]
pub(super) struct UnixSocket {
    /// None after it could not be registered anew.
    fd: Option<AsyncFd<OwnedFd>>,
    /// It is told of room.
    awaits_room: bool,
}

impl UnixSocket {
    /// One that is connected and does not block.
    pub(super) fn new(stream: net::UnixStream) -> io::Result<UnixSocket> {
        Ok(UnixSocket {
            fd: Some(register(stream.into(), Interest::READABLE)?),
            awaits_room: false,
        })
    }

    /// See [`rustix::net::shutdown`].
    pub(super) fn shut_down(&self, which: Shutdown) -> io::Result<()> {
        Ok(rustix::net::shutdown(self.fd()?.get_ref(), which)?)
    }

    /// Whether nothing came, as far as events have told, which costs no system call.
    pub(super) fn is_silent(&self) -> bool {
        let mut byte = [0_u8];
        let seen = self.fd().and_then(|fd| {
            fd.try_io(Interest::READABLE, |fd| {
                Ok(recv(fd, &mut byte, RecvFlags::DONTWAIT)?)
            })
        });
        seen.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether nothing came, as the kernel says.
    pub(super) fn is_silent_now(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let fd = self.fd.as_ref();
        fd.is_some_and(|fd| matches!(recv(fd.get_ref(), &mut [0_u8], flags), Err(Errno::AGAIN)))
    }

    #[cfg(test)]
    pub(super) async fn readable(&self) {
        if let Some(fd) = &self.fd {
            fd.readable().await.unwrap().retain_ready();
        }
    }

    /// No request uses it from now on.
    pub(super) fn rest(&mut self) {
        if self.awaits_room {
            // Without its registration it is of no use, which the next one to look at it finds.
            self.register_for(Interest::READABLE).ok();
        }
    }

    /// Reads once, to the end of `into`, at most `room` bytes; zero is the end.
    pub(super) fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        if room > CLEARED_BYTES && into.is_empty() {
            return self.poll_receive(cx, room, |fd| {
                let mut read = Vec::with_capacity(room);
                let count = recv(fd, spare_capacity(&mut read), RecvFlags::empty())?.0;
                *into = Bytes::from(read).into();
                Ok(count)
            });
        }
        self.poll_receive(cx, room, |fd| {
            let start = into.len();
            into.resize(start + room, 0);
            let read = recv(fd, &mut into[start..], RecvFlags::empty());
            into.truncate(start + read.map_or(0, |(count, _)| count));
            Ok(read?.0)
        })
    }

    /// See [`tokio::io::AsyncRead::poll_read`].
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled();
        let count = ready!(self.poll_receive(cx, room.len(), |fd| {
            Ok(recv(fd, &mut *room, RecvFlags::empty())?.0)
        }))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }

    /// Reads with `receive`, once there is something.
    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        mut receive: impl FnMut(&OwnedFd) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let fd = self.fd()?;
        loop {
            let mut guard = ready!(fd.poll_read_ready(cx))?;
            match guard.try_io(|fd| receive(fd.get_ref())) {
                Ok(Ok(count)) => {
                    // Less than there was room for is all there was; what comes next is an event.
                    if 0 < count && count < room {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(count));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }

    /// Writes what the kernel takes of all `parts` together.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let fd = self.fd()?;
            if self.awaits_room {
                let mut guard = ready!(fd.poll_write_ready(cx))?;
                match guard.try_io(|fd| Ok(write(fd.get_ref(), parts)?)) {
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(written) => return Poll::Ready(written),
                    Err(_would_block) => {}
                }
                continue;
            }
            match write(fd.get_ref(), parts) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.register_for(Interest::READABLE | Interest::WRITABLE)?;
                    self.awaits_room = true;
                    // What waited for something to read was told by the former registration.
                    cx.waker().wake_by_ref();
                }
                written => return Poll::Ready(Ok(written?)),
            }
        }
    }

    fn register_for(&mut self, interest: Interest) -> io::Result<()> {
        if let Some(fd) = self.fd.take() {
            self.fd = Some(register(fd.into_inner(), interest)?);
        }
        self.awaits_room = interest.is_writable();
        Ok(())
    }

    fn fd(&self) -> io::Result<&AsyncFd<OwnedFd>> {
        self.fd
            .as_ref()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

fn write(fd: &OwnedFd, parts: &[io::IoSlice<'_>]) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match parts {
        [part] => send(fd, part, flags),
        parts => sendmsg(fd, parts, &mut SendAncillaryBuffer::default(), flags),
    }
}
