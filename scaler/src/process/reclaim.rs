//! Giving the memory of a frozen instance back to the machine.
//!
//! With the memory controller of cgroup v2 the kernel does it for the whole group. Without, the
//! pages of each process are named to it. Either way pages of files go in any case, and others if
//! there is swap.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use rustix::process::{Pid, PidfdFlags};

use super::frost::Freezer;
use crate::spawner::protocol::MemoryKind;
use crate::spawner::sys;

/// So much at once of a group, so that a thaw is noticed between two steps.
const STEP: &[u8] = b"16M";
/// Steps at most: 64 GiB.
const MAX_STEPS: usize = 4096;
/// Bytes that are read of a list of processes at most.
const MAX_LIST: usize = 64 * 1024;

/// What to do it with.
#[derive(Debug)]
pub(super) enum Memory {
    /// `memory.reclaim` of cgroup v2.
    Group(File),
    /// `cgroup.procs`.
    Processes(File),
}

impl Memory {
    pub(super) fn new(kind: MemoryKind, file: OwnedFd) -> Memory {
        match kind {
            MemoryKind::Group => Memory::Group(File::from(file)),
            MemoryKind::Processes => Memory::Processes(File::from(file)),
        }
    }
}

/// Does it, as long as the instance is frozen. What fails is left: nothing depends on it.
pub(super) fn reclaim(freezer: &Freezer) {
    match &freezer.memory {
        Memory::Group(file) => {
            let mut file = file;
            for _ in 0..MAX_STEPS {
                // EAGAIN says that there is no more to have.
                if !is_frozen(freezer) || file.write_all(STEP).is_err() {
                    return;
                }
            }
        }
        Memory::Processes(list) => {
            for pid in processes(list).unwrap_or_default() {
                page_out(freezer, list, pid).ok();
            }
        }
    }
}

fn is_frozen(freezer: &Freezer) -> bool {
    freezer.frozen.load(Ordering::Acquire)
}

fn page_out(freezer: &Freezer, list: &File, pid: Pid) -> io::Result<()> {
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let maps = fs::read_to_string(format!("/proc/{}/maps", pid.as_raw_nonzero()))?;
    if !processes(list)?.contains(&pid) {
        // The number is another one's by now.
        return Ok(());
    }
    for (start, length) in maps.lines().filter_map(range) {
        if !is_frozen(freezer) {
            return Ok(());
        }
        // Some cannot be had: locked ones, those of devices, those that others use too.
        sys::page_out(&process, start, length).ok();
    }
    Ok(())
}

/// The processes of the group.
fn processes(list: &File) -> io::Result<HashSet<Pid>> {
    let mut text = vec![0; MAX_LIST];
    let length = list.read_at(&mut text, 0)?;
    let text = String::from_utf8_lossy(&text[..length]);
    let pids = text.lines().filter_map(|line| line.parse().ok());
    Ok(pids.filter_map(Pid::from_raw).collect())
}

/// Where a line of `/proc/PID/maps` begins, and its bytes; none for what the kernel put there.
fn range(line: &str) -> Option<(usize, usize)> {
    if line.ends_with("[vdso]") || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
        return None;
    }
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_map() {
        let line = "7f0000001000-7f0000003000 rw-p 00000000 08:01 42   /usr/lib/x.so";
        assert_eq!(range(line), Some((0x7f00_0000_1000, 0x2000)));
        assert_eq!(range("7ffe-7fff r-xp 0 0 0 [vdso]"), None);
        assert_eq!(range("what"), None);
    }

    #[test]
    fn a_list_of_processes() {
        let path = std::env::temp_dir().join(format!("stoker-procs-{}", std::process::id()));
        fs::write(&path, "12\n7\n").expect("can write");
        let list = File::open(&path).expect("can open");
        let found: HashSet<Pid> = [12, 7].into_iter().filter_map(Pid::from_raw).collect();
        assert_eq!(processes(&list).expect("can read"), found);
        // Again from the beginning.
        assert_eq!(processes(&list).expect("can read"), found);
        fs::remove_file(&path).ok();
    }
}
