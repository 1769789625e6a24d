//! What the kernel checks of a program's system calls: one filter reports `listen`, another refuses
//! what administers the machine. Where both are installed the kernel goes by the stricter answer;
//! it remembers which calls pass every filter, so that those cost nothing (since Linux 5.11).

use std::sync::LazyLock;

use libc::{c_int, c_long, sock_filter};

/// One instruction of a filter.
const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// Loads a word of the call's description: its number is the first, the architecture the second,
/// and its arguments of two words each begin with the fifth.
const fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

/// Skips `jt` instructions if the loaded word is `k`, else `jf`.
const fn equals(k: u32, jt: u8, jf: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k, jt, jf)
}

const fn answer(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0)
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

const NUMBER: u32 = 0;
const KIND: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// Reports `listen` and lets every other call pass; calls of another architecture or of x32 (whose
/// numbers have a high bit set) pass unseen, and the gateway's slow probes find their sockets.
pub(super) const FILTER: [sock_filter; 6] = [
    load(KIND),
    equals(ARCHITECTURE, 0, 3),
    load(NUMBER),
    equals(libc::SYS_listen as u32, 0, 1),
    answer(libc::SECCOMP_RET_USER_NOTIF),
    answer(libc::SECCOMP_RET_ALLOW),
];

/// What Docker's default profile allows to no container without privileges, and io_uring, past
/// which no filter sees.
const DENIED: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
];

/// Flags of `clone` that make namespaces.
const NAMESPACES: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// The filter that refuses [`DENIED`], and all calls of other architectures.
pub(super) fn denials() -> &'static [sock_filter] {
    static FILTER: LazyLock<Vec<sock_filter>> = LazyLock::new(deny);
    &FILTER
}

/// The kernel tries a new filter with every number there is, to remember which calls pass in any
/// case. So the numbers are searched for, by halves.
fn deny() -> Vec<sock_filter> {
    let mut answers: Vec<(u32, Vec<sock_filter>)> = DENIED
        .iter()
        .map(|number| (*number as u32, vec![refuse(libc::EPERM)]))
        .collect();
    let namespaces = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    let clone = vec![
        // Its flags are its first argument.
        load(FIRST_ARGUMENT),
        instruction(namespaces, NAMESPACES as u32, 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
        refuse(libc::EPERM),
    ];
    answers.push((libc::SYS_clone as u32, clone));
    // Its flags are not to be seen: the C library uses `clone` then.
    answers.push((libc::SYS_clone3 as u32, vec![refuse(libc::ENOSYS)]));
    answers.sort_by_key(|(number, _)| *number);
    let mut filter = vec![
        load(KIND),
        equals(ARCHITECTURE, 1, 0),
        refuse(libc::EPERM),
        load(NUMBER),
        // x32 has the same architecture, and this bit in its numbers.
        at_least(0x4000_0000, 0, 1),
        refuse(libc::EPERM),
    ];
    filter.extend(search(&answers));
    filter
}

/// What answers these calls, which are in order, and lets all others pass.
fn search(answers: &[(u32, Vec<sock_filter>)]) -> Vec<sock_filter> {
    if let Some((middle, _)) = answers.get(answers.len() / 2).filter(|_| answers.len() > 2) {
        let (low, high) = answers.split_at(answers.len() / 2);
        let (low, high) = (search(low), search(high));
        let mut both = vec![at_least(*middle, skip(&low), 0)];
        both.extend(low);
        both.extend(high);
        return both;
    }
    let mut few = Vec::new();
    for (number, steps) in answers {
        few.push(equals(*number, 0, skip(steps)));
        few.extend(steps);
    }
    few.push(answer(libc::SECCOMP_RET_ALLOW));
    few
}

/// How many instructions are to be skipped.
fn skip(steps: &[sock_filter]) -> u8 {
    u8::try_from(steps.len()).expect("the filter has fewer than 256 instructions")
}

/// Skips `jt` instructions if the loaded word is `k` or more, else `jf`.
const fn at_least(k: u32, jt: u8, jf: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, k, jt, jf)
}

fn refuse(errno: c_int) -> sock_filter {
    answer(libc::SECCOMP_RET_ERRNO | errno as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer.
    fn run(filter: &[sock_filter], architecture: u32, number: c_long, argument: u32) -> u32 {
        let (mut at, mut word) = (0, 0);
        loop {
            let step = filter[at];
            at += 1;
            let code = u32::from(step.code);
            let taken = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            if code == libc::BPF_RET | libc::BPF_K {
                return step.k;
            } else if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                word = match step.k {
                    NUMBER => number as u32,
                    KIND => architecture,
                    FIRST_ARGUMENT => argument,
                    other => panic!("no such word: {other}"),
                };
            } else if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K {
                at += taken(word == step.k);
            } else if code == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K {
                at += taken(word >= step.k);
            } else if code == libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K {
                at += taken(word & step.k != 0);
            } else {
                panic!("no such instruction: {code}");
            }
        }
    }

    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

    #[test]
    fn what_administers_is_refused() {
        for number in DENIED {
            assert_eq!(run(denials(), ARCHITECTURE, *number, 0), EPERM, "{number}");
        }
    }

    #[test]
    fn what_programs_need_passes() {
        let needed =
            (0..512).filter(|number| !DENIED.contains(number) && *number != libc::SYS_clone3);
        for number in needed {
            let answer = run(denials(), ARCHITECTURE, number, 0);
            assert_eq!(answer, libc::SECCOMP_RET_ALLOW, "{number}");
        }
    }

    #[test]
    fn threads_and_forks_pass_but_no_namespaces() {
        let clone = |flags: c_int| run(denials(), ARCHITECTURE, libc::SYS_clone, flags as u32);
        assert_eq!(clone(libc::SIGCHLD), libc::SECCOMP_RET_ALLOW);
        let thread = libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND;
        assert_eq!(clone(thread), libc::SECCOMP_RET_ALLOW);
        assert_eq!(clone(libc::CLONE_NEWUSER | libc::SIGCHLD), EPERM);
        let answer = run(denials(), ARCHITECTURE, libc::SYS_clone3, 0);
        assert_eq!(answer, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);
    }

    #[test]
    fn other_architectures_are_refused() {
        assert_eq!(run(denials(), 0x4000_0003, libc::SYS_read, 0), EPERM);
        let x32 = 0x4000_0000 | libc::SYS_read;
        assert_eq!(run(denials(), ARCHITECTURE, x32, 0), EPERM);
    }

    #[test]
    fn only_listen_is_reported() {
        let listen = run(&FILTER, ARCHITECTURE, libc::SYS_listen, 0);
        assert_eq!(listen, libc::SECCOMP_RET_USER_NOTIF);
        let bind = run(&FILTER, ARCHITECTURE, libc::SYS_bind, 0);
        assert_eq!(bind, libc::SECCOMP_RET_ALLOW);
        let foreign = run(&FILTER, 1, libc::SYS_listen, 0);
        assert_eq!(foreign, libc::SECCOMP_RET_ALLOW);
    }
}
