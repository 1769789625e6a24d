//! How a process becomes a spawner.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, Resource, Rlimit};

use super::{LISTENER, Phase, SIGNALS, Server};
use crate::spawner::cgroup::Cgroups;
use crate::spawner::clone::Cloner;
use crate::spawner::launch::socket_path;
use crate::spawner::packet::Inbox;
use crate::spawner::preload::Preload;
use crate::spawner::sys;
use crate::spawner::worker::Workers;

/// Until a gateway says otherwise.
const GRACE: Duration = Duration::from_secs(10);

impl Server {
    /// Makes this process a spawner, with standard input as its first gateway.
    pub(super) fn new(state_dir: PathBuf) -> io::Result<Server> {
        sys::close_inherited();
        let gateway = take_standard_input()?;
        let ignored = sys::ignored_signals();
        let signals = sys::take_signals()?;
        // Away from the terminal, whose ctrl-C is not meant for us. Fails if we lead a group
        // already, having been started by hand, and that is as good.
        rustix::process::setsid().ok();
        rustix::process::set_child_subreaper(Some(Pid::INIT))?;
        let files = raise_file_limit();
        let path = socket_path(&state_dir);
        let cgroups = Cgroups::new(&state_dir);
        let preload = Preload::new(state_dir);
        let listener = listen(&path)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &signals,
            EventData::new_u64(SIGNALS),
            EventFlags::IN,
        )?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )?;
        let mut server = Server {
            epoll,
            signals,
            listener: Some(listener),
            path,
            inbox: Inbox::new(),
            links: Vec::new(),
            next_link: 0,
            leader: None,
            refused: VecDeque::new(),
            preload,
            workers: Workers::new(Cloner::new(ignored, files)?, cgroups),
            phase: Phase::Serving,
            adoption: None,
            grace: GRACE,
        };
        // Who launched it leads it.
        server.leader = server.add_link(gateway);
        Ok(server)
    }
}

/// Takes the gateway's socket from standard input, which becomes /dev/null for us and for every
/// program. Descriptor 3 becomes /dev/null too, so that no other descriptor of ours is in the way
/// of an inherited listener.
fn take_standard_input() -> io::Result<OwnedFd> {
    let gateway = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 10)?;
    if rustix::net::sockopt::socket_type(&gateway).ok() != Some(SocketType::SEQPACKET) {
        let detail = "standard input is not a gateway: stoker itself starts its spawner";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, detail));
    }
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    // Held for ever, as descriptor 3.
    std::mem::forget(null);
    Ok(gateway)
}

/// Allows as many open files as the hard limit does, and returns the former limits for programs.
fn raise_file_limit() -> (u64, u64) {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Refused only by a kernel that wants less, and then we have less.
    rustix::process::setrlimit(Resource::Nofile, raised).ok();
    (
        limit.current.unwrap_or(u64::MAX),
        limit.maximum.unwrap_or(u64::MAX),
    )
}

/// Listens for later gateways of the same user.
fn listen(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let address = SocketAddrUnix::new(path)?;
    // This process has one thread, so nobody else makes a file under this mask.
    let former = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let bound = rustix::net::bind(&socket, &address);
    rustix::process::umask(former);
    bound?;
    rustix::net::listen(&socket, 8)?;
    Ok(socket)
}
