//! The parent's part of a stub: a child that was cloned ahead of the instance that it becomes, and has
//! done all that does not depend on the instance.
//!
//! It has a copy of this process's memory. Whether it executed the program is known from its end of
//! a socket, which closes on exec, and from a page that both share.

use std::ffi::CString;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::time::Duration;

use libc::c_char;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::standby::{MARK, Standby};
use super::*;
use crate::spawner::protocol::MAX_MESSAGE;

/// Until a stub has executed its program: it may have to finish its own work first, and the kernel
/// may have to read the program from a slow disk.
const EXECUTION: Duration = Duration::from_secs(5);

/// Variables that a stub can be told.
const MAX_VARIABLES: usize = 4096;

/// A child that waits.
#[derive(Debug)]
pub(in crate::spawner) struct Stub {
    pub(in crate::spawner) pid: i32,
    socket: OwnedFd,
    report: Shared,
}

/// Where a stub puts what it is told. Never written to in this process, and so not even in memory.
#[derive(Debug)]
pub(super) struct Room {
    message: Box<[u8]>,
    environment: Box<[*const c_char]>,
}

/// A report in a page that a stub shares with this process.
#[derive(Debug)]
struct Shared(NonNull<Report>);

impl Cloner {
    /// Clones a child that waits to execute `program`, which must not be observed, in the control
    /// group of `entry`. Its environment is not that of `program`.
    ///
    /// This process must be as for [`Cloner::run`].
    ///
    /// # Errors
    /// If it cannot be cloned; what fails in the child shows when it is used.
    pub(in crate::spawner) fn prepare(
        &mut self,
        program: &Prepared,
        entry: Option<&Entry>,
    ) -> Result<Stub, CloneError> {
        let failed = |error| CloneError {
            stage: Stage::Clone,
            error,
            index: 0,
        };
        let flags = SocketFlags::CLOEXEC;
        let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let (socket, its_socket) = pair.map_err(failed)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(EXECUTION)).map_err(failed)?;
        let report = Shared::new().map_err(failed)?;
        let room = self.room.get_or_insert_with(|| Room {
            message: vec![0; MAX_MESSAGE + 1].into_boxed_slice(),
            environment: vec![ptr::null(); MAX_VARIABLES].into_boxed_slice(),
        });
        let listen_pid = listen_pid();
        let mut plan = Plan::new(program, &self.origin, &listen_pid, report.get());
        plan.standby = Some(Standby {
            socket: its_socket.as_raw_fd(),
            message: &raw mut *room.message,
            environment: &raw mut *room.environment,
        });
        let stack = (&mut *self.stack, &mut self.into_cgroup);
        let pid = clone_into(stack, &mut plan, entry, 0)?;
        Ok(Stub {
            pid,
            socket,
            report,
        })
    }
}

impl Stub {
    /// Has it execute its program with this environment and these streams; none if it did not. Then
    /// it is of no more use, and whether it is gone is not known.
    pub(in crate::spawner) fn execute(
        &self,
        environment: &[CString],
        streams: &Streams<'_>,
    ) -> Option<Cloned> {
        let mut text = vec![MARK];
        for variable in environment {
            text.extend(variable.as_bytes_with_nul());
        }
        let given = [Some(streams.stdout), Some(streams.stderr), streams.listener];
        let given: Vec<_> = given.into_iter().flatten().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&given));
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let text = [IoSlice::new(&text)];
        rustix::net::sendmsg(&self.socket, &text, &mut ancillary, flags).ok()?;
        let end = loop {
            match rustix::net::recv(&self.socket, &mut [0_u8][..], RecvFlags::empty()) {
                Err(Errno::INTR) => {}
                end => break end,
            }
        };
        let about_to_execute = self.report.get().about_to_execute();
        let ended = end.is_ok_and(|(bytes, _)| bytes == 0);
        let executed = ended && about_to_execute != 0 && !self.has_failed();
        executed.then_some(Cloned {
            pid: self.pid,
            observer: None,
            about_to_execute,
        })
    }

    /// Whether it ended by itself, having failed at something.
    pub(in crate::spawner) fn has_failed(&self) -> bool {
        self.report.get().failure().is_some()
    }
}

impl Shared {
    fn new() -> Result<Shared, Errno> {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping, wherever the kernel puts it.
        let page = unsafe { libc::mmap(ptr::null_mut(), size_of::<Report>(), access, kind, -1, 0) };
        match NonNull::new(page).filter(|_| page != libc::MAP_FAILED) {
            Some(page) => Ok(Shared(page.cast())),
            None => Err(Errno::NOMEM),
        }
    }

    fn get(&self) -> &Report {
        // SAFETY: the mapping lives as long as `self`, is aligned to a page and was zeroed, which is
        // a report; it consists of atomics only, so the child may write to it.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and every reference to it is gone.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Report>()) };
    }
}
