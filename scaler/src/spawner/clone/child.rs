//! What the child does between clone and exec: system calls only.
//!
//! It runs in the parent's memory while the parent's only thread sleeps or, as a stub, goes on, so it
//! must not allocate, lock or panic. It goes through `libc::syscall`, for the wrappers of some calls (setresuid) would
//! tell other threads, of which the child has none.

use std::convert::Infallible;
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::Ordering;

use super::confine;
use super::filter::FILTER;
use super::*;

/// Where and why the child failed.
pub(super) type Failure = (Stage, c_int, usize);

/// The child's first and last function.
pub(super) extern "C" fn main(plan: *mut c_void) -> c_int {
    // SAFETY: the parent passes a `Plan` that outlives this child.
    let plan = unsafe { &*plan.cast::<Plan<'_>>() };
    let result = match &plan.standby {
        None => execute(plan),
        Some(standby) => standby.execute(plan),
    };
    let (stage, errno, index) = match result {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    plan.report.index.store(index, Ordering::Relaxed);
    plan.report.errno.store(errno, Ordering::Relaxed);
    plan.report.stage.store(stage as i32, Ordering::Relaxed);
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    127
}

/// Becomes the program.
fn execute(plan: &Plan<'_>) -> Result<Infallible, Failure> {
    // While the descriptors of the parent are still where they were.
    set_apart(plan)?;
    if plan.program.observe {
        // Before the limits, for it needs a free descriptor beside those of the parent.
        observe(plan);
    }
    arrange_descriptors(plan.descriptors).map_err(at(Stage::Descriptors))?;
    close_others(plan.descriptors);
    confine_itself(plan)?;
    Err(become_program(plan, &plan.environment))
}

/// A process group, control groups and namespaces of its own.
pub(super) fn set_apart(plan: &Plan<'_>) -> Result<(), Failure> {
    // SAFETY: setpgid reads and writes no memory.
    check(unsafe { libc::syscall(libc::SYS_setpgid, 0, 0) }).map_err(at(Stage::Group))?;
    // SAFETY: this prctl reads and writes no memory.
    let result = unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    check(result).map_err(at(Stage::NoNewPrivileges))?;
    enter_groups(plan).map_err(at(Stage::Enter))?;
    match &plan.program.confinement {
        Some(confinement) => {
            confine::arrange(confinement).map_err(|(errno, step)| (Stage::Confine, errno, step))
        }
        None => Ok(()),
    }
}

/// Its limits, its user, and what it may ask the kernel for. Afterwards it makes only calls that
/// every program makes.
pub(super) fn confine_itself(plan: &Plan<'_>) -> Result<(), Failure> {
    set_limits(plan)?;
    become_user(plan).map_err(at(Stage::User))?;
    die_with_parent(plan).map_err(at(Stage::ParentDeath))?;
    restore_signals(plan);
    let confinement = plan.program.confinement.as_ref();
    if confinement.is_some_and(|confinement| confinement.seccomp) {
        // Last, for it would refuse what was done before.
        deny(plan.denials).map_err(at(Stage::Filter))?;
    }
    Ok(())
}

/// Executes it in its directory with this environment, which ends with a null; why not.
pub(super) fn become_program(plan: &Plan<'_>, environment: &[*const c_char]) -> Failure {
    // SAFETY: the path is a terminated string of the plan.
    let result = unsafe { libc::syscall(libc::SYS_chdir, plan.program.directory.as_ptr()) };
    if let Err(errno) = check(result) {
        return (Stage::Directory, errno, 0);
    }
    complete_listen_pid(plan.listen_pid);
    note_time(plan);
    try_candidates(plan, environment)
}

/// Joins the control groups that it was not made in. "0" means the writer.
fn enter_groups(plan: &Plan<'_>) -> Result<(), c_int> {
    let itself = b"0";
    for &file in plan.processes.iter().chain(&plan.tasks) {
        // SAFETY: the kernel reads one byte of a constant.
        check(unsafe { libc::syscall(libc::SYS_write, file, itself.as_ptr(), itself.len()) })?;
    }
    Ok(())
}

/// Installs the filter that refuses calls.
fn deny(filter: &[libc::sock_filter]) -> Result<(), c_int> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the filter.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            &raw const program,
        )
    })
}

/// Installs the filter and hands its listener over. Failing is no reason not to run: the parent
/// finds no observer, and the gateway probes.
fn observe(plan: &Plan<'_>) {
    let program = libc::sock_fprog {
        len: FILTER.len() as u16,
        filter: FILTER.as_ptr().cast_mut(),
    };
    // Without SPEC_ALLOW, kernels before 5.16 slow the program down against Spectre v4.
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // SAFETY: the kernel copies the filter, which is a constant.
    let observer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    if observer < 0 {
        return;
    }
    send_descriptor(plan.hand_over, observer as c_int);
    // SAFETY: this child owns the descriptor and does not use it again.
    unsafe { libc::syscall(libc::SYS_close, observer) };
}

/// Sends a descriptor and one byte.
fn send_descriptor(socket: RawFd, descriptor: c_int) {
    let mut byte = 0_u8;
    let mut iov = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let mut control = [0_u64; 4];
    // SAFETY: `message` points to live locals; `control` is zeroed, aligned for a header and large
    // enough for it and one descriptor (24 bytes), so the header and its data lie within it.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut iov;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<c_int>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as _;
        libc::CMSG_DATA(header)
            .cast::<c_int>()
            .write_unaligned(descriptor);
        libc::syscall(libc::SYS_sendmsg, socket, &raw const message, 0);
    }
}

/// Output to the pipes, the listener to 3.
pub(super) fn arrange_descriptors(given: Descriptors) -> Result<(), c_int> {
    // SAFETY: these calls change this child's own descriptor table, which it does not share.
    unsafe {
        check(libc::syscall(libc::SYS_dup3, given.stdout, 1, 0))?;
        check(libc::syscall(libc::SYS_dup3, given.stderr, 2, 0))?;
        if let Some(listener) = given.listener {
            check(libc::syscall(libc::SYS_dup3, listener, 3, 0))?;
        }
    }
    Ok(())
}

/// Nothing but those survives the exec.
fn close_others(given: Descriptors) {
    let first: libc::c_uint = if given.listener.is_some() { 4 } else { 3 };
    let flag: libc::c_uint = libc::CLOSE_RANGE_CLOEXEC;
    // All of ours close on exec anyway; a kernel before 5.11 need not help.
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flag) };
}

/// The limits of the program; its limit of open files is the parent's former one by default.
fn set_limits(plan: &Plan<'_>) -> Result<(), Failure> {
    let set = |resource: u32, limit: &libc::rlimit64| {
        let null = ptr::null_mut::<libc::rlimit64>();
        // SAFETY: the kernel reads one limit and writes none.
        check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, limit, null) })
    };
    set(libc::RLIMIT_NOFILE, &plan.origin.files).map_err(at(Stage::Limit))?;
    for (index, &(resource, value)) in plan.program.rlimits.iter().enumerate() {
        let limit = libc::rlimit64 {
            rlim_cur: value,
            rlim_max: value,
        };
        set(resource, &limit).map_err(|errno| (Stage::Limit, errno, index))?;
    }
    Ok(())
}

/// Groups first: a mere user could not set them.
fn become_user(plan: &Plan<'_>) -> Result<(), c_int> {
    let Some(identity) = &plan.program.identity else {
        return Ok(());
    };
    let (uid, gid) = (identity.uid, identity.gid);
    // SAFETY: setgroups reads the groups of the plan, the others no memory.
    unsafe {
        let groups = &identity.groups;
        check(libc::syscall(
            libc::SYS_setgroups,
            groups.len(),
            groups.as_ptr(),
        ))?;
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// SIGKILL when the parent dies. Only now, for a change of user clears it.
fn die_with_parent(plan: &Plan<'_>) -> Result<(), c_int> {
    let kill = libc::SIGKILL as c_long;
    // SAFETY: neither call reads or writes memory.
    unsafe {
        check(libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_PDEATHSIG,
            kill,
            0,
            0,
            0,
        ))?;
        // It may have died before that.
        if libc::syscall(libc::SYS_getppid) != c_long::from(plan.parent) {
            return Err(libc::ESRCH);
        }
    }
    Ok(())
}

/// Writes this child's pid behind `LISTEN_PID=`.
fn complete_listen_pid(buffer: &[AtomicU8]) {
    // SAFETY: getpid reads and writes no memory.
    let pid = unsafe { libc::syscall(libc::SYS_getpid) };
    let digits = {
        let (mut digits, mut rest) = (1, pid / 10);
        while rest > 0 {
            digits += 1;
            rest /= 10;
        }
        digits
    };
    let start = b"LISTEN_PID=".len();
    let mut rest = pid;
    for place in buffer.iter().skip(start).take(digits).rev() {
        place.store(b'0' + (rest % 10) as u8, Ordering::Relaxed);
        rest /= 10;
    }
    if let Some(end) = buffer.get(start + digits) {
        end.store(0, Ordering::Relaxed);
    }
}

/// Default dispositions, no signal blocked. The parent has no handlers but Rust's for a stack
/// overflow, which exec resets.
fn restore_signals(plan: &Plan<'_>) {
    // The kernel's sigaction: handler, flags, restorer and mask; all zero is the default action.
    let default = [0_u64; 4];
    let none = 0_u64;
    // SAFETY: the kernel reads 32 and 8 bytes, which both live here.
    unsafe {
        for &signal in &plan.origin.ignored {
            libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, 0, 8);
        }
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const none,
            0,
            8,
        );
    }
}

/// Leaves the time for the parent.
fn note_time(plan: &Plan<'_>) {
    let mut now = [0_i64; 2];
    // SAFETY: the kernel writes a timespec, which is two words of 64 bits here.
    unsafe {
        libc::syscall(
            libc::SYS_clock_gettime,
            libc::CLOCK_MONOTONIC,
            now.as_mut_ptr(),
        )
    };
    for (place, part) in plan.report.about_to_execute.iter().zip(now) {
        place.store(part, Ordering::Relaxed);
    }
}

/// Executes the first candidate that is there, as `execvp` would, but without a shell for files
/// of no known format.
fn try_candidates(plan: &Plan<'_>, environment: &[*const c_char]) -> Failure {
    let (arguments, environment) = (plan.arguments.as_ptr(), environment.as_ptr());
    let mut denied = None;
    let mut last = (Stage::Execute, libc::ENOENT, 0);
    for (index, &path) in plan
        .candidates
        .iter()
        .enumerate()
        .filter(|(_, path)| !path.is_null())
    {
        // SAFETY: the path, and each string of both arrays, is terminated and so are the arrays.
        unsafe { libc::syscall(libc::SYS_execve, path, arguments, environment) };
        last = (Stage::Execute, errno(), index);
        match last.1 {
            libc::ENOENT | libc::ENOTDIR => {}
            libc::EACCES => denied = denied.or(Some(last)),
            _ => return last,
        }
    }
    denied.unwrap_or(last)
}

/// The error of a call that returned -1.
pub(super) fn check(result: c_long) -> Result<(), c_int> {
    if result == -1 { Err(errno()) } else { Ok(()) }
}

/// The error of the last call. The child shares the variable with its sleeping parent, or has its own.
fn errno() -> c_int {
    // SAFETY: the location is valid for the thread whose memory this child uses.
    unsafe { *libc::__errno_location() }
}

/// Names the stage of an error.
pub(super) fn at(stage: Stage) -> impl Fn(c_int) -> Failure {
    move |errno| (stage, errno, 0)
}
