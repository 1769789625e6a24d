//! The child's part of a stub: it does what does not depend on the instance, and waits for the rest.
//! System calls only, as in [`super::child`].

use std::convert::Infallible;
use std::mem::size_of;
use std::ptr;

use libc::{c_char, c_int};

use super::child::set_apart;
use super::child::{Failure, arrange_descriptors, at, become_program, check, confine_itself};
use super::{Descriptors, Plan, RawFd, Stage};

/// Where the socket is while the child waits: behind descriptor 3, which a listener becomes.
const SOCKET: RawFd = 4;

/// The first byte of what it is told, so that no environment is not the end of the stream.
pub(super) const MARK: u8 = b'E';

/// How the child is told, and where it puts that.
pub(super) struct Standby {
    pub(super) socket: RawFd,
    /// Memory that the child alone uses.
    pub(super) message: *mut [u8],
    /// The same.
    pub(super) environment: *mut [*const c_char],
}

impl Standby {
    /// Becomes the program when it is told.
    pub(super) fn execute(&self, plan: &Plan<'_>) -> Result<Infallible, Failure> {
        set_apart(plan)?;
        keep_only(self.socket).map_err(at(Stage::Descriptors))?;
        confine_itself(plan)?;
        let (length, descriptors) = self.receive()?;
        arrange_descriptors(descriptors).map_err(at(Stage::Descriptors))?;
        let listen_pid = descriptors
            .listener
            .map(|_| plan.listen_pid.as_ptr().cast());
        Err(become_program(plan, self.environment(length, listen_pid)?))
    }

    /// Waits for the environment and the descriptors; how long the former is.
    fn receive(&self) -> Result<(usize, Descriptors), Failure> {
        let mut iov = libc::iovec {
            iov_base: self.message.cast(),
            iov_len: self.message.len(),
        };
        let mut control = [0_u64; 6];
        // SAFETY: `message` points to live locals and to memory that nothing else uses; `control` is
        // aligned for a header and large enough for it and three descriptors (28 bytes). What is
        // read of it was written by the kernel.
        unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = &raw mut iov;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = size_of_val(&control) as _;
            let length = loop {
                let flags = libc::MSG_CMSG_CLOEXEC;
                let received = libc::syscall(libc::SYS_recvmsg, SOCKET, &raw mut message, flags);
                match check(received) {
                    Ok(()) => break received as usize,
                    Err(libc::EINTR) => {}
                    Err(errno) => return Err((Stage::Descriptors, errno, 0)),
                }
            };
            if length == 0 {
                return Err((Stage::ParentDeath, libc::ESRCH, 0));
            }
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            let cut = message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
            if cut || header.is_null() {
                return Err((Stage::Descriptors, libc::EMSGSIZE, 0));
            }
            let data = libc::CMSG_DATA(header).cast::<c_int>();
            let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            let count = bytes / size_of::<c_int>();
            if count < 2 {
                return Err((Stage::Descriptors, libc::EBADMSG, 0));
            }
            let descriptors = Descriptors {
                stdout: data.read_unaligned(),
                stderr: data.add(1).read_unaligned(),
                listener: (count > 2).then(|| data.add(2).read_unaligned()),
            };
            Ok((length, descriptors))
        }
    }

    /// Pointers to the variables of the message and to one more, with a null behind them.
    fn environment(
        &self,
        length: usize,
        more: Option<*const c_char>,
    ) -> Result<&[*const c_char], Failure> {
        // SAFETY: both are this child's own, and nothing else refers to them.
        let (message, pointers) = unsafe { (&*self.message, &mut *self.environment) };
        let mut free = pointers.iter_mut();
        let mut put = |pointer: *const c_char| match free.next() {
            Some(place) => {
                *place = pointer;
                Ok(())
            }
            None => Err((Stage::Execute, libc::E2BIG, 0)),
        };
        let text = message.get(1..length).unwrap_or_default();
        for variable in text.split_inclusive(|&byte| byte == 0) {
            put(variable.as_ptr().cast())?;
        }
        if let Some(more) = more {
            put(more)?;
        }
        put(ptr::null())?;
        Ok(pointers)
    }
}

/// Closes everything but the standard streams, descriptor 3 and the socket: a copy that is kept here
/// would hide the end of what others wait for.
fn keep_only(socket: RawFd) -> Result<(), c_int> {
    // SAFETY: these calls change this child's own descriptor table, which it does not share.
    unsafe {
        if socket != SOCKET {
            let flag = libc::O_CLOEXEC;
            check(libc::syscall(libc::SYS_dup3, socket, SOCKET, flag))?;
        }
        let first = SOCKET as libc::c_uint + 1;
        let (last, flags): (libc::c_uint, libc::c_uint) = (libc::c_uint::MAX, 0);
        // Not before Linux 5.9, which has no stubs then.
        check(libc::syscall(libc::SYS_close_range, first, last, flags))
    }
}
