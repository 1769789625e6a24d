//! Messages with descriptors over a SOCK_SEQPACKET socket, for both sides.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{MAX_DESCRIPTORS, MAX_MESSAGE};

/// A message that waits to be sent.
#[derive(Debug)]
pub(crate) struct Packet {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Packet {
    /// Encodes `message`; fails if it is larger than a message may be.
    pub(crate) fn new<T: Serialize>(message: &T, descriptors: Vec<OwnedFd>) -> io::Result<Packet> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() > MAX_MESSAGE {
            let detail = format!(
                "a message to the spawner takes {} bytes, more than the limit of {MAX_MESSAGE}",
                bytes.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, detail));
        }
        debug_assert!(
            descriptors.len() <= MAX_DESCRIPTORS,
            "too many descriptors for a message"
        );
        Ok(Packet { bytes, descriptors })
    }

    /// Sends it whole or not at all.
    pub(crate) fn send(&self, socket: impl AsFd) -> io::Result<()> {
        let descriptors: Vec<BorrowedFd<'_>> = self.descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors))
        {
            return Err(io::Error::other("too many descriptors for one message"));
        }
        let iov = [IoSlice::new(&self.bytes)];
        rustix::net::sendmsg(socket, &iov, &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// Makes room for the largest message, however small an administrator made the default.
pub(crate) fn widen(socket: impl AsFd) {
    // The kernel refuses more than `net.core.wmem_max`; then large messages fail, and say so.
    rustix::net::sockopt::set_socket_send_buffer_size(socket, MAX_MESSAGE * 2).ok();
}

/// Receives messages into one buffer that is made once.
#[derive(Debug)]
pub(crate) struct Inbox {
    buffer: Box<[u8]>,
}

impl Inbox {
    /// An empty one.
    pub(crate) fn new() -> Inbox {
        Inbox {
            buffer: vec![0; MAX_MESSAGE].into_boxed_slice(),
        }
    }

    /// The next message and its descriptors; none if the other side has gone.
    pub(crate) fn receive<T: DeserializeOwned>(
        &mut self,
        socket: impl AsFd,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut iov = [IoSliceMut::new(&mut self.buffer)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        // Where there is a timeout, a thaw of the whole program interrupts it too.
        let received = loop {
            match rustix::net::recvmsg(&socket, &mut iov, &mut ancillary, flags) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received,
            }
        };
        let received = match received {
            Ok(received) => received,
            // The other side died with unread messages in its socket.
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received.bytes == 0 {
            return Ok(None);
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            let detail = format!("a message is larger than the limit of {MAX_MESSAGE} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
        }
        let message = serde_json::from_slice(&self.buffer[..received.bytes])?;
        Ok(Some((message, descriptors)))
    }
}
