//! The filter that has the kernel report calls of `listen`.

/// One instruction of the filter.
const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Reports `listen` and lets every other call pass; calls of another architecture or of x32 (whose
/// numbers have a high bit set) pass unseen, and the gateway's slow probes find their sockets.
pub(super) const FILTER: [libc::sock_filter; 6] = [
    // The architecture is the second word of the call's description, its number the first.
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 4, 0, 0),
    instruction(
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        ARCHITECTURE,
        0,
        3,
    ),
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
    instruction(
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::SYS_listen as u32,
        0,
        1,
    ),
    instruction(
        libc::BPF_RET | libc::BPF_K,
        libc::SECCOMP_RET_USER_NOTIF,
        0,
        0,
    ),
    instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
];
