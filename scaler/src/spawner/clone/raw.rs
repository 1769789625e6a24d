//! The call that makes the child.
//!
//! The C library has no function for `clone3`, and its `clone` cannot name a control group. The
//! latter is used where there is none to name, for `clone3` is not allowed everywhere.

use std::arch::asm;
use std::io;
use std::os::fd::RawFd;
use std::ptr;

use libc::c_int;

use super::{Plan, child};

/// CLONE_INTO_CGROUP of `linux/sched.h`.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of `linux/sched.h`, up to its third version.
#[derive(Default)]
#[repr(C, align(8))]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Makes a child that runs [`child::main`] with `plan` on `stack`, in the new namespaces that `flags`
/// name and in the control group of v2 whose directory is `cgroup`; its pid, or the error.
///
/// With CLONE_VFORK among the flags it returns when the child has executed its program or has ended.
/// Without, the child goes on in the memory that both share, and `stack` and what belongs to `plan`
/// are its own until then; it has CLONE_SETTLS, lest it overwrites the errors of this thread.
pub(super) fn clone(
    stack: &mut [u128],
    plan: &Plan<'_>,
    flags: c_int,
    cgroup: Option<RawFd>,
) -> Result<i32, i32> {
    let Some(cgroup) = cgroup else {
        let top = stack.as_mut_ptr_range().end.cast();
        let thread = plan.thread as *mut libc::c_void;
        let plan = ptr::from_ref(plan).cast_mut().cast();
        let (flags, unused) = (flags | libc::SIGCHLD, ptr::null_mut::<libc::pid_t>());
        // SAFETY: as below.
        let pid = unsafe { libc::clone(child::main, top, flags, plan, unused, thread, unused) };
        return match pid {
            -1 => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
            pid => Ok(pid),
        };
    };
    let arguments = Arguments {
        flags: flags as u64 | INTO_CGROUP,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.as_mut_ptr() as u64,
        stack_size: size_of_val(stack) as u64,
        tls: plan.thread as u64,
        cgroup: cgroup as u64,
        ..Arguments::default()
    };
    // SAFETY: nothing else uses the stack, whose end is aligned to 16 bytes: this thread, the only
    // one, sleeps until the child no longer needs it, or leaves it to the child. `plan` and all that
    // it points to live until then.
    // `child::main` reads `plan` and writes to its atomics only, so this thread's view of the memory
    // stays valid.
    let result = unsafe { clone3(&raw const arguments, plan) };
    match result {
        pid if pid > 0 => Ok(pid as i32),
        error => Err(-error as i32),
    }
}

/// Whether the kernel, or a filter that some container puts before it, does not know the call or
/// its flags.
pub(super) fn is_unknown(error: i32) -> bool {
    matches!(
        error,
        libc::ENOSYS | libc::EINVAL | libc::E2BIG | libc::EOPNOTSUPP | libc::EPERM
    )
}

/// The child begins with an empty stack, so it never returns from here.
///
/// # Safety
/// As in [`clone`].
#[cfg(target_arch = "x86_64")]
unsafe fn clone3(arguments: *const Arguments, plan: *const Plan<'_>) -> i64 {
    let result: i64;
    // SAFETY: in the parent, the kernel changes rax, rcx and r11 only. The child has these registers
    // too, and an aligned stack of its own.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            in("r12") plan,
            in("r13") child::main as extern "C" fn(_) -> _,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// The same for the other architecture.
///
/// # Safety
/// As in [`clone`].
#[cfg(target_arch = "aarch64")]
unsafe fn clone3(arguments: *const Arguments, plan: *const Plan<'_>) -> i64 {
    let result: i64;
    // SAFETY: in the parent, the kernel changes x0 only. The child has these registers too, and an
    // aligned stack of its own.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x20",
            "blr x21",
            "brk #1",
            "2:",
            inlateout("x0") arguments => result,
            in("x1") size_of::<Arguments>(),
            in("x8") libc::SYS_clone3,
            in("x20") plan,
            in("x21") child::main as extern "C" fn(_) -> _,
        );
    }
    result
}
