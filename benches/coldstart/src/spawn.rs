//! Executes a program with a listening socket as its descriptor 3, as fast as Linux allows.
//!
//! The child shares the parent's memory until it executes (`CLONE_VM | CLONE_VFORK`, as
//! `posix_spawn` does it), so nothing is copied; and because it is a child that writes it, the
//! `LISTEN_PID` is right without a second program in between. `Command` with `pre_exec` could do
//! the same, but forks.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

const STACK: usize = 64 * 1024;
const INHERITED: RawFd = 3;
const PID_NAME: &[u8] = b"LISTEN_PID=";
/// As many digits as the largest process id has.
const PID_DIGITS: usize = 10;
const PID_ROOM: usize = PID_NAME.len() + PID_DIGITS + 1;

/// A program that is ready to be started, again and again.
pub(crate) struct Launcher {
    program: CString,
    null: File,
    stack: Vec<u8>,
}

/// A process that is killed when it is no longer needed.
pub(crate) struct Running(libc::pid_t);

/// All that the child touches.
struct Launch {
    program: *const c_char,
    arguments: [*const c_char; 2],
    environment: [*const c_char; 4],
    pid: [u8; PID_ROOM],
    listener: RawFd,
    null: RawFd,
    error: c_int,
}

impl Launcher {
    pub(crate) fn new(program: &Path) -> io::Result<Self> {
        let program = CString::new(program.as_os_str().as_bytes())?;
        Ok(Self {
            program,
            null: File::open("/dev/null")?,
            stack: vec![0; STACK],
        })
    }

    /// Returns when the program is being executed.
    pub(crate) fn start(&mut self, listener: &impl AsRawFd) -> io::Result<Running> {
        let mut launch = Launch {
            program: self.program.as_ptr(),
            arguments: [self.program.as_ptr(), ptr::null()],
            environment: [ptr::null(); 4],
            pid: [0; PID_ROOM],
            listener: listener.as_raw_fd(),
            null: self.null.as_raw_fd(),
            error: 0,
        };
        launch.pid[..PID_NAME.len()].copy_from_slice(PID_NAME);
        launch.environment = [
            c"PATH=/usr/local/bin:/usr/bin:/bin".as_ptr(),
            c"LISTEN_FDS=1".as_ptr(),
            launch.pid.as_ptr().cast(),
            ptr::null(),
        ];
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the top of the stack is within its allocation, and aligned by the shift below.
        let top = unsafe { self.stack.as_mut_ptr().add(STACK) };
        let top = top.wrapping_sub(top.addr() % 16);
        // SAFETY: `child` gets the `Launch` it expects; its stack and the launch outlive it,
        // because the parent sleeps until it has executed or ended; it makes system calls only.
        let pid = unsafe { libc::clone(child, top.cast(), flags, (&raw mut launch).cast()) };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        let running = Running(pid);
        // SAFETY: a plain read; volatile since the child wrote it behind the compiler's back.
        match unsafe { (&raw const launch.error).read_volatile() } {
            0 => Ok(running),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: the process is our child and not yet waited for, so the id is still its own.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, ptr::null_mut(), 0);
        }
    }
}

/// Runs in the parent's memory: no allocation, no lock, nothing but system calls.
extern "C" fn child(launch: *mut c_void) -> c_int {
    // SAFETY: `start` passes a `Launch` and sleeps meanwhile.
    let launch = unsafe { &mut *launch.cast::<Launch>() };
    // SAFETY: all of these may be called between a vfork and its exec, the pointers are
    // terminated by null, and the descriptors are the parent's, open until after the exec.
    unsafe {
        // The program must not outlive this one, however this one ends.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        write_decimal(
            &mut launch.pid[PID_NAME.len()..],
            libc::getpid().unsigned_abs(),
        );
        for (from, to) in [
            (launch.null, 0),
            (launch.null, 1),
            (launch.listener, INHERITED),
        ] {
            if libc::dup2(from, to) < 0 {
                return failed(launch);
            }
        }
        libc::execve(
            launch.program,
            launch.arguments.as_ptr(),
            launch.environment.as_ptr(),
        );
    }
    failed(launch)
}

fn failed(launch: &mut Launch) -> c_int {
    // SAFETY: `errno` of the thread whose memory this is, written a moment ago.
    let error = unsafe { *libc::__errno_location() };
    // SAFETY: a plain write; volatile since the parent reads it behind the compiler's back.
    unsafe { (&raw mut launch.error).write_volatile(error) };
    127
}

/// The number and a NUL, at the front of `place`.
fn write_decimal(place: &mut [u8], number: u32) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = number;
    for digit in place[..digits].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    place[digits] = 0;
}

#[cfg(test)]
mod tests {
    use super::write_decimal;

    #[test]
    fn decimals() {
        for (number, text) in [
            (0, "0"),
            (7, "7"),
            (1000, "1000"),
            (4_294_967_295, "4294967295"),
        ] {
            let mut place = [b'!'; 11];
            write_decimal(&mut place, number);
            assert_eq!(&place[..text.len()], text.as_bytes());
            assert_eq!(place[text.len()], 0);
        }
    }
}
