//! The sockets between the spawner and the runners. What comes over them is not trusted.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::driver::{Language, RuntimeLaunch};
use crate::spawner::cgroup::Entry;
use crate::spawner::packet::{Packet, widen};

/// No message of a runner is longer.
const MOST: usize = 16 * 1024;

/// From a runner.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Message {
    /// A parent has the handler loaded.
    Ready,
    /// It has not, and ends.
    Failed {
        /// Why.
        detail: String,
    },
    /// It could not fork.
    ForkFailed {
        /// Of the order.
        number: u64,
        /// Why.
        detail: String,
    },
    /// It waits to become an instance.
    Spare,
}

/// What was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// This, and who sent it if the socket tells.
    Message(Message, Option<Pid>),
    /// Something that says nothing to us.
    Other,
    /// Nothing now.
    Nothing,
    /// The other side is gone.
    Gone,
}

/// An instance to be.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Order<'a> {
    Fork {
        number: u64,
        /// The second descriptor is the directory of a control group; those after it are files of
        /// others that the process writes itself to.
        grouped: bool,
    },
    Assign {
        environment: BTreeMap<&'a str, &'a str>,
        unset: Vec<&'a str>,
        directory: &'a str,
        handler: &'a str,
        interface: &'a str,
        concurrency: u32,
    },
}

/// What a process becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assignment<'a> {
    /// All variables.
    pub(super) environment: &'a [(String, String)],
    /// Those that the process has.
    pub(super) known: &'a [(String, String)],
    pub(super) directory: &'a str,
    pub(super) runtime: &'a RuntimeLaunch,
}

/// Our end, which does not wait and tells who sends, and the other. Node speaks over a stream.
pub(super) fn pair(language: Language) -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = match language {
        Language::Python => SocketType::SEQPACKET,
        Language::Node => SocketType::STREAM,
    };
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    rustix::net::sockopt::set_socket_passcred(&ours, true)?;
    widen(&ours);
    Ok((ours, theirs))
}

/// Asks a parent for a fork that has this socket and enters a control group like this.
pub(super) fn fork(
    parent: &OwnedFd,
    number: u64,
    (socket, entry): (OwnedFd, Entry),
) -> io::Result<()> {
    let grouped = entry.directory.is_some();
    let tasks = entry.tasks.into_iter().map(|(_, file)| file);
    let descriptors = std::iter::once(socket)
        .chain(entry.directory)
        .chain(tasks)
        .collect();
    Packet::new(&Order::Fork { number, grouped }, descriptors)?.send(parent)
}

/// Makes a process an instance. For Python the descriptors are the listener and the ends of both
/// pipes, for Node the listener alone.
pub(super) fn assign(
    socket: &OwnedFd,
    assignment: Assignment<'_>,
    descriptors: Vec<OwnedFd>,
) -> io::Result<()> {
    let language = assignment.runtime.language;
    let order = assignment.order();
    match language {
        Language::Python => Packet::new(&order, descriptors)?.send(socket),
        Language::Node => {
            let message = json!({ "cmd": "NODE_HANDLE", "type": "net.Native", "msg": order });
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            send_line(socket, &line, &descriptors)
        }
    }
}

/// The next thing that a runner says.
pub(super) fn receive(socket: &OwnedFd) -> Received {
    let mut buffer = [0_u8; MOST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4), ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut iov = [IoSliceMut::new(&mut buffer)];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = match rustix::net::recvmsg(socket, &mut iov, &mut ancillary, flags) {
        Ok(received) => received,
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Received::Nothing,
        Err(_) => return Received::Gone,
    };
    let mut sender = None;
    for message in ancillary.drain() {
        // Descriptors that nobody asked for are closed here.
        if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
            sender = Some(credentials.pid);
        }
    }
    if received.bytes == 0 {
        return Received::Gone;
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Received::Other;
    }
    parse(&buffer[..received.bytes], sender)
}

/// A packet is one message; of a stream that Node has sent, any line may be one.
fn parse(bytes: &[u8], sender: Option<Pid>) -> Received {
    let lines = bytes.split(|&byte| byte == b'\n');
    let messages = lines.filter(|line| !line.is_empty());
    messages
        .filter_map(|line| serde_json::from_slice(line).ok())
        .next()
        .map_or(Received::Other, |message| {
            Received::Message(message, sender)
        })
}

/// Reads what nobody wants to know; true if the other side has closed.
pub(super) fn discard(socket: &OwnedFd) -> bool {
    loop {
        match receive(socket) {
            Received::Gone => return true,
            Received::Nothing => return false,
            Received::Message(..) | Received::Other => {}
        }
    }
}

/// Sends all of it, with the descriptors beside the first byte, or fails.
fn send_line(socket: &OwnedFd, line: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
    let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let iov = [IoSlice::new(line)];
    let sent = rustix::net::sendmsg(socket, &iov, &mut ancillary, SendFlags::NOSIGNAL)?;
    // The buffer is empty before, and wide enough for a whole environment.
    if sent == line.len() {
        return Ok(());
    }
    Err(io::Error::other("the process takes no whole message"))
}

impl<'a> Assignment<'a> {
    /// To a process that was forked only what differs is told; a cell has nothing and is told all.
    fn order(self) -> Order<'a> {
        let whole = self.runtime.language == Language::Node;
        let new = |pair: &&(String, String)| whole || !self.known.contains(pair);
        let is_set = |name: &str| self.environment.iter().any(|(other, _)| other == name);
        let gone = self.known.iter().filter(|(name, _)| !is_set(name));
        Order::Assign {
            environment: self
                .environment
                .iter()
                .filter(new)
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            unset: gone
                .map(|(name, _)| name.as_str())
                .chain(["LISTEN_PID"])
                .collect(),
            directory: self.directory,
            handler: &self.runtime.handler,
            interface: &self.runtime.interface,
            concurrency: self.runtime.concurrency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn assigned(language: Language) -> serde_json::Value {
        let runtime = RuntimeLaunch {
            language,
            handler: "main:app".to_owned(),
            interface: "auto".to_owned(),
            concurrency: 3,
            preload: true,
            fallback: false,
            websocket_bytes: 0,
        };
        let assignment = Assignment {
            environment: &pairs(&[("A", "1"), ("B", "2"), ("STOKER_INSTANCE", "1-1")]),
            known: &pairs(&[("A", "1"), ("B", "0"), ("C", "3")]),
            directory: "/srv",
            runtime: &runtime,
        };
        serde_json::to_value(assignment.order()).expect("is JSON")
    }

    #[test]
    fn a_fork_is_told_what_differs_and_a_cell_all() {
        let fork = assigned(Language::Python);
        assert_eq!(
            fork["environment"],
            json!({ "B": "2", "STOKER_INSTANCE": "1-1" })
        );
        assert_eq!(fork["unset"], json!(["C", "LISTEN_PID"]));
        assert_eq!(
            (&fork["type"], &fork["concurrency"]),
            (&json!("assign"), &json!(3))
        );
        let cell = assigned(Language::Node);
        assert_eq!(cell["environment"]["A"], json!("1"));
    }

    #[test]
    fn nonsense_is_no_message() {
        for nonsense in [
            "",
            "{",
            "[]",
            "{\"type\":\"assign\"}",
            "{\"type\":\"failed\"}",
            "\n\n",
        ] {
            assert_eq!(
                parse(nonsense.as_bytes(), None),
                Received::Other,
                "{nonsense}"
            );
        }
        let spare = Received::Message(Message::Spare, None);
        assert_eq!(
            parse(b"{\"cmd\":\"NODE_X\"}\n{\"type\":\"spare\"}\n", None),
            spare
        );
    }

    #[test]
    fn the_sender_is_known_by_the_kernel() {
        let (ours, theirs) = pair(Language::Python).expect("sockets");
        assert_eq!(receive(&ours), Received::Nothing);
        rustix::net::send(
            &theirs,
            b"{\"type\":\"spare\",\"pid\":1}",
            SendFlags::empty(),
        )
        .expect("can be sent");
        let me = rustix::process::getpid();
        assert_eq!(receive(&ours), Received::Message(Message::Spare, Some(me)));
        drop(theirs);
        assert_eq!(receive(&ours), Received::Gone);
    }
}
