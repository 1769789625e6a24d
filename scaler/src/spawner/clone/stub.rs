//! The parent's part of a stub: a child that was cloned ahead of the instance that it becomes, and has
//! done all that does not depend on the instance.
//!
//! It shares this process's memory, as every child does between clone and exec, but does not stop
//! it: a copy would cost both more than all the rest. So what it uses is its own until it is gone.
//! Whether it executed the program is known from its end of a socket, which closes on exec.

use std::ffi::CString;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use libc::c_char;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::private::Private;
use super::standby::{MARK, Standby};
use super::*;
use crate::spawner::protocol::MAX_MESSAGE;

/// Until a stub has executed its program: it may have to finish its own work first, and the kernel
/// may have to read the program from a slow disk.
const EXECUTION: Duration = Duration::from_secs(5);

/// Variables that a stub can be told.
const MAX_VARIABLES: usize = 4096;

/// A child that waits. To be kept until it has executed its program or was reaped.
#[derive(Debug)]
pub(in crate::spawner) struct Stub {
    pub(in crate::spawner) pid: i32,
    socket: OwnedFd,
    ground: *mut Ground,
    /// Borrows from the ground.
    plan: *mut Plan<'static>,
}

/// All that the child uses, besides what never changes.
#[derive(Debug)]
struct Ground {
    program: Prepared,
    origin: Origin,
    listen_pid: *mut [AtomicU8],
    report: Report,
    private: Private,
    /// Not even in memory before the child is told something.
    message: *mut [u8],
    environment: *mut [*const c_char],
}

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
        program: Prepared,
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
        let mut stub = Stub::new(program, self.origin.clone(), socket);
        // SAFETY: there is no child yet, so both are this process's alone. The stack is not reached
        // through the plan.
        let (plan, private) = unsafe { (&mut *stub.plan, &mut (*stub.ground).private) };
        if let Some(standby) = &mut plan.standby {
            standby.socket = its_socket.as_raw_fd();
        }
        let beside = libc::CLONE_VM | libc::CLONE_SETTLS;
        let stack = (private.stack(), &mut self.into_cgroup);
        stub.pid = clone_into(stack, plan, entry, beside)?;
        Ok(stub)
    }
}

impl Stub {
    /// Without a child.
    fn new(program: Prepared, origin: Origin, socket: OwnedFd) -> Stub {
        let ground = Box::into_raw(Box::new(Ground {
            program,
            origin,
            listen_pid: Box::into_raw(listen_pid().into_boxed_slice()),
            report: Report::default(),
            private: Private::new(),
            message: Box::into_raw(vec![0; MAX_MESSAGE + 1].into_boxed_slice()),
            environment: Box::into_raw(vec![ptr::null(); MAX_VARIABLES].into_boxed_slice()),
        }));
        // SAFETY: the ground is dropped after the plan that borrows from it, and what is borrowed
        // changes through atomics only.
        let (program, origin, listen_pid, report) = unsafe {
            (
                &(*ground).program,
                &(*ground).origin,
                &*(*ground).listen_pid,
                &(*ground).report,
            )
        };
        let mut plan = Plan::new(program, origin, listen_pid, report);
        // SAFETY: the ground is there, and nothing else refers to these fields.
        unsafe {
            plan.thread = (*ground).private.pointer();
            plan.standby = Some(Standby {
                socket: -1,
                message: (*ground).message,
                environment: (*ground).environment,
            });
        }
        Stub {
            pid: 0,
            socket,
            ground,
            plan: Box::into_raw(Box::new(plan)),
        }
    }

    fn report(&self) -> &Report {
        // SAFETY: the ground lives as long as `self`, and a report consists of atomics.
        unsafe { &(*self.ground).report }
    }

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
        let about_to_execute = self.report().about_to_execute();
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
        self.report().failure().is_some()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // SAFETY: they came from boxes, the plan borrows from the ground and goes first, and the
        // child no longer uses either.
        unsafe {
            drop(Box::from_raw(self.plan));
            drop(Box::from_raw(self.ground));
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // SAFETY: all came from boxes, and the child no longer uses them.
        unsafe {
            drop(Box::from_raw(self.listen_pid));
            drop(Box::from_raw(self.message));
            drop(Box::from_raw(self.environment));
        }
    }
}
