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
use zeroize::Zeroize as _;

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

impl Drop for Packet {
    /// It may have had a secret in an environment.
    fn drop(&mut self) {
        self.bytes.zeroize();
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
        // Where there is a timeout the kernel begins no call anew that a freezer has interrupted.
        let receiving = rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(socket.as_fd(), &mut iov, &mut ancillary, flags)
        });
        let received = match receiving {
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
        let bytes = &mut self.buffer[..received.bytes];
        let message = serde_json::from_slice(bytes);
        // The buffer lives on, and there may have been a secret in it.
        bytes.zeroize();
        Ok(Some((message?, descriptors)))
    }
}
