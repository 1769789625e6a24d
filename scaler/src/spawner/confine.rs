//! From what a manifest wants kept apart to what the child does for it.

use std::collections::VecDeque;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::clone::{Confinement, Mounts, Step, raise_loopback};
use super::protocol::{Fault, Program};
use crate::driver::{Isolation, Namespace};

/// Networks that are made ahead, once an instance has wanted one. They are not used again, for what
/// was set up in one stays in it. The kernel takes about half a millisecond and 200 KiB for each.
const MAX_NETWORKS: usize = 8;

/// What the child has to do, or why that cannot be; none if nothing is to be kept apart.
pub(super) fn prepare(
    program: &Program,
    hostname: &str,
    changes_user: bool,
) -> Result<Option<Confinement>, Fault> {
    let isolation = &program.isolation;
    if *isolation == Isolation::default() {
        return Ok(None);
    }
    let has = |namespace| isolation.namespaces.contains(&namespace);
    if has(Namespace::User) && changes_user {
        let user = program.user.as_deref().unwrap_or_default();
        return Err(Fault::lasting(format!(
            "cannot become the user \"{user}\" in a user namespace, in which there is only the \
             gateway's own: leave one of both out"
        )));
    }
    let flags = isolation
        .namespaces
        .iter()
        .map(|&namespace| flag(namespace));
    let mounts = has(Namespace::Mount)
        .then(|| mounts(isolation))
        .transpose()?;
    Ok(Some(Confinement {
        flags: flags.fold(0, std::ops::BitOr::bitor),
        identity: has(Namespace::User).then(identity),
        network: None,
        hostname: match has(Namespace::Uts) {
            true => Some(terminated(hostname.as_bytes(), "the host's name")?),
            false => None,
        },
        mounts,
        seccomp: isolation.seccomp,
    }))
}

/// What failed, in words.
pub(super) fn explain(index: usize, isolation: &Isolation) -> String {
    let (step, path) = Step::at(index);
    match step {
        Step::Identity => "cannot say who it is in its user namespace".to_owned(),
        Step::Network => "cannot set up its network".to_owned(),
        Step::Hostname => "cannot set its host's name".to_owned(),
        Step::Propagation => "cannot keep its mounts apart".to_owned(),
        Step::ReadOnly => "cannot make its files read-only".to_owned(),
        Step::Tmp => "cannot mount a /tmp of its own".to_owned(),
        Step::Proc => "cannot mount a /proc of its own".to_owned(),
        Step::Writable => match isolation.writable.get(path) {
            Some(path) => format!("cannot keep {path:?} writable"),
            None => "cannot keep a path writable".to_owned(),
        },
    }
}

/// The namespaces as they are written in a manifest.
pub(super) fn names(isolation: &Isolation) -> String {
    let names = isolation
        .namespaces
        .iter()
        .map(|namespace| match namespace {
            Namespace::Mount => "mount",
            Namespace::Pid => "pid",
            Namespace::Ipc => "ipc",
            Namespace::Uts => "uts",
            Namespace::Net => "net",
            Namespace::User => "user",
        });
    names.collect::<Vec<_>>().join(", ")
}

/// Networks with a loopback and nothing else.
#[derive(Debug, Default)]
pub(super) struct Networks {
    ready: VecDeque<OwnedFd>,
    /// Some instance wanted one, and they can be made ahead.
    wanted: bool,
    failed: bool,
}

impl Networks {
    /// Gives the child a network that is ready, if it wants one; else it makes its own. In a user
    /// namespace it could not enter one that was made outside.
    pub(super) fn supply(&mut self, confinement: &mut Confinement) {
        let wants = confinement.flags & libc::CLONE_NEWNET != 0;
        if !wants || confinement.flags & libc::CLONE_NEWUSER != 0 {
            return;
        }
        self.wanted = true;
        if let Some(network) = self.ready.pop_front() {
            confinement.network = Some(network);
            confinement.flags &= !libc::CLONE_NEWNET;
        }
    }

    /// Whether fewer are ready than should be.
    pub(super) fn is_short(&self) -> bool {
        self.wanted && !self.failed && self.ready.len() < MAX_NETWORKS
    }

    /// Makes one more.
    pub(super) fn fill(&mut self) {
        match make_network() {
            Ok(network) => self.ready.push_back(network),
            // Whoever wants one makes it, or says why that cannot be.
            Err(_) => self.failed = true,
        }
    }
}

/// A new network. This process, which has one thread, goes there and comes back.
fn make_network() -> rustix::io::Result<OwnedFd> {
    let open = || {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::open("/proc/self/ns/net", flags, Mode::empty())
    };
    let own = open()?;
    super::sys::unshare(UnshareFlags::NEWNET)?;
    let raised = raise_loopback().map_err(rustix::io::Errno::from_raw_os_error);
    let made = raised.and_then(|()| open());
    let network = Some(LinkNameSpaceType::Network);
    rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&own), network)
        .expect("this process may go where it was");
    made
}

fn flag(namespace: Namespace) -> libc::c_int {
    match namespace {
        Namespace::Mount => libc::CLONE_NEWNS,
        Namespace::Pid => libc::CLONE_NEWPID,
        Namespace::Ipc => libc::CLONE_NEWIPC,
        Namespace::Uts => libc::CLONE_NEWUTS,
        Namespace::Net => libc::CLONE_NEWNET,
        Namespace::User => libc::CLONE_NEWUSER,
    }
}

/// This process's user and group, and nobody else.
fn identity() -> (CString, CString) {
    let line =
        |id: u32| CString::new(format!("{id} {id} 1\n")).expect("numbers have no zero bytes");
    let user = rustix::process::geteuid().as_raw();
    (line(user), line(rustix::process::getegid().as_raw()))
}

fn mounts(isolation: &Isolation) -> Result<Mounts, Fault> {
    let writable = isolation.writable.iter();
    let tmp = isolation.tmp_bytes;
    let tmp = tmp.map(|bytes| format!("mode=1777,size={bytes}"));
    Ok(Mounts {
        read_only: isolation.read_only,
        writable: writable
            .map(|path| terminated(path.as_os_str().as_bytes(), "a writable path"))
            .collect::<Result<_, _>>()?,
        tmp: tmp
            .map(|options| terminated(options.as_bytes(), "an option"))
            .transpose()?,
        proc: isolation.namespaces.contains(&Namespace::Pid),
    })
}

fn terminated(text: &[u8], what: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| Fault::lasting(format!("{what} contains a zero byte")))
}
