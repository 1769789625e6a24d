//! The child's part of keeping an instance apart: it was made in new namespaces, and arranges them
//! before it executes the program. System calls only, as in [`super::child`].

use std::ffi::CStr;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use libc::{c_int, c_ulong};

use super::child::check;

/// What the child does about namespaces that it was made in.
#[derive(Debug, Default)]
pub(in crate::spawner) struct Confinement {
    /// CLONE_NEWNS and the like.
    pub(in crate::spawner) flags: c_int,
    /// The only user and group that exist there, as lines of `uid_map` and `gid_map`.
    pub(in crate::spawner) identity: Option<(CString, CString)>,
    /// A network that was made ahead, in place of CLONE_NEWNET.
    pub(in crate::spawner) network: Option<OwnedFd>,
    /// The host's name.
    pub(in crate::spawner) hostname: Option<CString>,
    pub(in crate::spawner) mounts: Option<Mounts>,
    /// Install [`super::filter::denials`].
    pub(in crate::spawner) seccomp: bool,
}

/// What is mounted in a mount namespace of its own.
#[derive(Debug, Default)]
pub(in crate::spawner) struct Mounts {
    /// Everything else cannot be written to, or nothing is changed.
    pub(in crate::spawner) read_only: bool,
    /// What stays as it is.
    pub(in crate::spawner) writable: Vec<CString>,
    /// The options of a tmpfs over /tmp.
    pub(in crate::spawner) tmp: Option<CString>,
    /// Show the processes of the instance only.
    pub(in crate::spawner) proc: bool,
}

/// What the child was doing when it failed; above the last one, which writable path it was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(in crate::spawner) enum Step {
    Identity,
    Network,
    Hostname,
    Propagation,
    ReadOnly,
    Tmp,
    Proc,
    Writable,
}

impl Step {
    /// The step behind an index, and the number of the writable path if it is about one.
    pub(in crate::spawner) fn at(index: usize) -> (Step, usize) {
        let steps = [
            Step::Identity,
            Step::Network,
            Step::Hostname,
            Step::Propagation,
            Step::ReadOnly,
            Step::Tmp,
            Step::Proc,
        ];
        let last = Step::Writable as usize;
        match steps.get(index) {
            Some(step) => (*step, 0),
            None => (Step::Writable, index - last),
        }
    }
}

/// Arranges all of it, for a child that still has the parent's rights; the error and the index of
/// the step.
pub(super) fn arrange(confinement: &Confinement) -> Result<(), (c_int, usize)> {
    let at = |step: Step| move |errno| (errno, step as usize);
    if let Some((user, group)) = &confinement.identity {
        write_identity(user, group).map_err(at(Step::Identity))?;
    }
    if let Some(network) = &confinement.network {
        // SAFETY: setns reads and writes no memory.
        let result =
            unsafe { libc::syscall(libc::SYS_setns, network.as_raw_fd(), libc::CLONE_NEWNET) };
        check(result).map_err(at(Step::Network))?;
    } else if confinement.flags & libc::CLONE_NEWNET != 0 {
        raise_loopback().map_err(at(Step::Network))?;
    }
    if let Some(name) = &confinement.hostname {
        // SAFETY: the kernel reads that many bytes of the name.
        let result =
            unsafe { libc::syscall(libc::SYS_sethostname, name.as_ptr(), name.as_bytes().len()) };
        check(result).map_err(at(Step::Hostname))?;
    }
    match &confinement.mounts {
        Some(mounts) => arrange_mounts(mounts),
        None => Ok(()),
    }
}

fn arrange_mounts(mounts: &Mounts) -> Result<(), (c_int, usize)> {
    let at = |step: Step| move |errno| (errno, step as usize);
    let path = |index: usize| move |errno| (errno, Step::Writable as usize + index);
    // Nothing that is mounted here appears outside, though what is unmounted there goes here too.
    mount(None, c"/", None, libc::MS_REC | libc::MS_SLAVE, None).map_err(at(Step::Propagation))?;
    if mounts.read_only {
        let bind = libc::MS_BIND | libc::MS_REC;
        for (index, writable) in mounts.writable.iter().enumerate() {
            mount(Some(writable), writable, None, bind, None).map_err(path(index))?;
        }
        set_read_only(c"/", true).map_err(at(Step::ReadOnly))?;
        for (index, writable) in mounts.writable.iter().enumerate() {
            set_read_only(writable, false).map_err(path(index))?;
        }
    }
    let careful = libc::MS_NOSUID | libc::MS_NODEV;
    if let Some(options) = &mounts.tmp {
        let tmpfs = Some(c"tmpfs");
        mount(tmpfs, c"/tmp", tmpfs, careful, Some(options)).map_err(at(Step::Tmp))?;
    }
    if mounts.proc {
        // It shows settings of the whole machine, too, which are files of root.
        let read_only = if mounts.read_only { libc::MS_RDONLY } else { 0 };
        let (proc, flags) = (Some(c"proc"), careful | libc::MS_NOEXEC | read_only);
        mount(proc, c"/proc", proc, flags, None).map_err(at(Step::Proc))?;
    }
    Ok(())
}

/// mount(2).
fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: c_ulong,
    options: Option<&CStr>,
) -> Result<(), c_int> {
    let pointer = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the strings are terminated, or null where that is allowed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount,
            pointer(source),
            target.as_ptr(),
            pointer(kind),
            flags,
            pointer(options),
        )
    })
}

/// mount_setattr(2), which takes a whole tree at once.
fn set_read_only(path: &CStr, read_only: bool) -> Result<(), c_int> {
    // What is set, what is cleared, how it propagates, and a user namespace.
    let attributes: [u64; 4] = match read_only {
        true => [libc::MOUNT_ATTR_RDONLY, 0, 0, 0],
        false => [0, libc::MOUNT_ATTR_RDONLY, 0, 0],
    };
    // SAFETY: the path is terminated, and the kernel reads 32 bytes.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    })
}

/// The user and the group of this child are the only ones (user_namespaces(7)).
fn write_identity(user: &CStr, group: &CStr) -> Result<(), c_int> {
    write_file(c"/proc/self/uid_map", user)?;
    // Else the kernel lets nobody without privileges write the next one.
    write_file(c"/proc/self/setgroups", c"deny")?;
    write_file(c"/proc/self/gid_map", group)
}

fn write_file(path: &CStr, text: &CStr) -> Result<(), c_int> {
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: the path is terminated, and the kernel reads no more of the text than there is.
    unsafe {
        let file = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags);
        check(file)?;
        let written = libc::syscall(libc::SYS_write, file, text.as_ptr(), text.count_bytes());
        let result = check(written);
        libc::syscall(libc::SYS_close, file);
        result
    }
}

/// Sets the loopback of a new network up, as it is down at first.
pub(in crate::spawner) fn raise_loopback() -> Result<(), c_int> {
    // SAFETY: an all-zero request is one without name and flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, letter) in request.ifr_name.iter_mut().zip(*b"lo") {
        *place = letter as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel reads one request; the socket is this process's own.
    unsafe {
        let socket = libc::syscall(libc::SYS_socket, libc::AF_INET, kind, 0);
        check(socket)?;
        let result = check(libc::syscall(
            libc::SYS_ioctl,
            socket,
            libc::SIOCSIFFLAGS,
            &raw const request,
        ));
        libc::syscall(libc::SYS_close, socket);
        result
    }
}
