//! The few kernel interfaces that rustix does not offer, made safe.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;

use super::protocol::Ending;
use crate::driver::Spent;

/// A call of `listen` that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notification {
    /// The kernel's name of it.
    pub(super) id: u64,
    /// The calling thread.
    pub(super) thread: u32,
    /// The socket, a descriptor of the caller.
    pub(super) socket: RawFd,
    /// The second argument.
    pub(super) backlog: i32,
}

/// What a caller of `listen` is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// The call was carried out for it, with this result.
    Done(Result<(), Errno>),
    /// The kernel shall carry it out now.
    Proceed,
}

/// Asks the kernel to take these pages from a process: those of files at once, others if there is
/// swap (MADV_PAGEOUT of madvise(2)).
///
/// # Errors
/// If the process is another user's, or there are pages that cannot be had.
pub(crate) fn page_out(process: &OwnedFd, start: usize, length: usize) -> io::Result<()> {
    let range = libc::iovec {
        iov_base: start as *mut libc::c_void,
        iov_len: length,
    };
    // SAFETY: the kernel reads one iovec, which lives here; the addresses in it are the other
    // process's, where the pages stay what they are, wherever they are kept.
    let result = unsafe {
        libc::syscall(
            libc::SYS_process_madvise,
            process.as_raw_fd(),
            &raw const range,
            1,
            libc::MADV_PAGEOUT,
            0,
        )
    };
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Blocks every signal for the life of this process, and reads the two that matter from the
/// descriptor: SIGCHLD and SIGTERM.
///
/// So no handler ever runs, least of all in a child that shares this process's memory.
pub(super) fn take_signals() -> io::Result<OwnedFd> {
    let mut all = MaybeUninit::uninit();
    let mut watched = MaybeUninit::uninit();
    // SAFETY: sigfillset and sigemptyset initialise the sets that the other calls read; signalfd
    // returns a descriptor that nothing else owns.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigemptyset(watched.as_mut_ptr());
        libc::sigaddset(watched.as_mut_ptr(), libc::SIGCHLD);
        libc::sigaddset(watched.as_mut_ptr(), libc::SIGTERM);
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            all.as_ptr(),
            ptr::null_mut(),
        ))?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = check(libc::signalfd(-1, watched.as_ptr(), flags))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Moves this process, which has one thread, into new namespaces that share no memory.
pub(super) fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    debug_assert!(
        !flags.contains(UnshareFlags::FILES),
        "descriptors are shared"
    );
    // SAFETY: the table of descriptors stays as it is.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// The signals that this process ignores: a program would inherit that.
pub(super) fn ignored_signals() -> Vec<i32> {
    (1..=64)
        .filter(|&signal| {
            // The kernel's sigaction, which begins with the handler. The C library's would hide
            // two signals that it keeps for itself and that an ancestor may ignore all the same.
            let mut action = [0_usize; 8];
            let none = ptr::null::<usize>();
            // SAFETY: asks only, and the kernel writes at most 32 bytes.
            let result = unsafe {
                libc::syscall(libc::SYS_rt_sigaction, signal, none, action.as_mut_ptr(), 8)
            };
            result == 0 && action[0] == libc::SIG_IGN
        })
        .collect()
}

/// Closes every descriptor above standard error, which somebody left open for us to inherit.
///
/// To be called first, when this process has opened none itself.
pub(super) fn close_inherited() {
    // SAFETY: nothing in this process owns a descriptor above 2 yet, as the caller promises. An
    // old kernel without the call leaves them open, which is harmless.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3 as libc::c_uint,
            libc::c_uint::MAX,
            0,
        )
    };
}

/// A child that has ended and was not reaped yet, so that its pid is still its own.
pub(super) fn next_ended() -> io::Result<Option<(i32, Ending)>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: waitid writes into `info`, which was zeroed and thus is initialised in any case;
    // the pid and the status are valid for the records that waitid writes, and 0 otherwise.
    let (pid, status, code) = unsafe {
        match check(libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options)) {
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            result => result?,
        };
        let info = info.assume_init();
        (info.si_pid(), info.si_status(), info.si_code)
    };
    let ending = if code == libc::CLD_EXITED {
        Ending::Status(status)
    } else {
        Ending::Signal(status)
    };
    Ok((pid != 0).then_some((pid, ending)))
}

/// Reaps a child that has ended; what it and the children that it reaped itself have used.
pub(super) fn reap(pid: i32) -> Option<Spent> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let mut status = 0;
    // SAFETY: wait4 writes one status and one record, which was zeroed and thus is initialised in any
    // case.
    let (reaped, usage) = unsafe {
        let reaped = libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr());
        (reaped, usage.assume_init())
    };
    let micros = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    (reaped == pid).then(|| Spent {
        cpu_micros: micros(usage.ru_utime) + micros(usage.ru_stime),
        peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}

/// The next notification; none if its caller is gone again.
pub(super) fn receive_notification(listener: impl AsFd) -> io::Result<Option<Notification>> {
    let mut notification = MaybeUninit::<libc::seccomp_notif>::zeroed();
    let fd = listener.as_fd().as_raw_fd();
    // SAFETY: the kernel wants a zeroed structure of this type and fills it.
    let notification = unsafe {
        let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
        match check(libc::ioctl(fd, request, notification.as_mut_ptr())) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            result => result?,
        };
        notification.assume_init()
    };
    Ok(Some(Notification {
        id: notification.id,
        thread: notification.pid,
        socket: notification.data.args[0] as RawFd,
        backlog: notification.data.args[1] as i32,
    }))
}

/// Whether the caller still waits, so that its pid is still its own.
pub(super) fn notification_stands(listener: impl AsFd, id: u64) -> bool {
    let fd = listener.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one u64.
    unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0 }
}

/// Answers the caller. It does not matter if it is gone.
pub(super) fn answer_notification(listener: impl AsFd, id: u64, answer: &Answer) {
    let mut response = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: 0,
        flags: 0,
    };
    match answer {
        Answer::Done(Ok(())) => {}
        Answer::Done(Err(error)) => {
            response.error = -error.raw_os_error();
        }
        Answer::Proceed => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
    }
    let fd = listener.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one response.
    unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_SEND, &mut response) };
}

/// Signals the first thread of a process, and no other.
pub(super) fn signal_first_thread(process: Pid, signal: Signal) -> io::Result<()> {
    let process = process.as_raw_nonzero().get();
    // SAFETY: takes three numbers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process, process, signal.as_raw()) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The signals read from the descriptor of [`take_signals`].
pub(super) fn read_signals(signals: impl AsFd) -> Vec<i32> {
    const RECORD: usize = size_of::<libc::signalfd_siginfo>();
    let mut buffer = [0_u8; RECORD * 4];
    let Ok(length) = rustix::io::read(signals, &mut buffer) else {
        return Vec::new();
    };
    // A record begins with the number of the signal.
    buffer[..length]
        .chunks_exact(RECORD)
        .filter_map(|record| record.first_chunk().copied())
        .map(i32::from_ne_bytes)
        .collect()
}

/// The error of a call that returned -1.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
