//! What an instance uses, read from where the kernel accounts it.
//!
//! Of the CPU time a control group of v2 knows all (`cpu.stat`, with or without controllers), one of
//! v1 too where `cpuacct` is mounted with `cpu`; of memory those with the controller. For what is not
//! accounted the processes are asked one by one. The kernel's documents cgroup-v2.rst,
//! cgroup-v1/cpuacct.rst and cgroup-v1/memory.rst; proc(5).

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Processes of one instance that are asked, when nobody accounts for them together.
const MOST_PROCESSES: usize = 1000;

/// Where it can be read what one instance uses: directories of control groups, as far as it is in
/// one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Of v2.
    pub(crate) unified: Option<PathBuf>,
    /// Of v1: the one with all processes.
    pub(crate) freezer: Option<PathBuf>,
    /// Of v1, with the controller `cpu`.
    pub(crate) cpu: Option<PathBuf>,
    /// Of v1, with the controller `memory`.
    pub(crate) memory: Option<PathBuf>,
    /// CPU time that the group had used before it was this instance's, microseconds.
    pub(crate) before_micros: u64,
}

impl Account {
    /// CPU time of all processes of the instance, microseconds. `pid` is its first one, which is
    /// asked with its children if there is no group that knows.
    pub(crate) fn cpu_micros(&self, pid: Option<u32>) -> Option<u64> {
        self.group_cpu_micros()
            .or_else(|| Some(tree(pid?).into_iter().filter_map(cpu_of).sum()))
    }

    /// The same, as far as a group knows it.
    pub(crate) fn group_cpu_micros(&self) -> Option<u64> {
        let unified = self.unified.as_ref().and_then(|directory| {
            let text = fs::read_to_string(directory.join("cpu.stat")).ok()?;
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("usage_usec "))?;
            line.trim().parse::<u64>().ok()
        });
        let legacy = || {
            let nanos = number(&self.cpu.as_ref()?.join("cpuacct.usage"))?;
            Some(nanos / 1000)
        };
        let used = unified.or_else(legacy)?;
        Some(used.saturating_sub(self.before_micros))
    }

    /// Memory of all processes of the instance, bytes: what the kernel charges to the group, with
    /// the files that it holds in memory for them, or else what they have in memory, of which they
    /// may share some.
    pub(crate) fn memory_bytes(&self, pid: Option<u32>) -> Option<u64> {
        let charged = |directory: &Option<PathBuf>, file| number(&directory.as_ref()?.join(file));
        charged(&self.memory, "memory.usage_in_bytes")
            .or_else(|| charged(&self.unified, "memory.current"))
            .or_else(|| {
                let group = self.unified.as_ref().or(self.freezer.as_ref());
                let processes = match group {
                    Some(directory) => processes(directory),
                    None => tree(pid?),
                };
                Some(processes.into_iter().filter_map(resident_bytes).sum())
            })
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The processes of a group.
fn processes(directory: &Path) -> Vec<u32> {
    let list = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let pids = list.lines().filter_map(|pid| pid.parse().ok());
    pids.take(MOST_PROCESSES).collect()
}

/// A process and all that descend from it and are still below it.
fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        let tasks = fs::read_dir(format!("/proc/{parent}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(
                list.split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
        if found.len() > MOST_PROCESSES {
            break;
        }
    }
    found
}

/// CPU time of a process and of those that it has reaped, microseconds.
fn cpu_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = ticks(&stat)?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(ticks * 1_000_000 / per_second)
}

/// The sum of `utime`, `stime`, `cutime` and `cstime`.
fn ticks(stat: &str) -> Option<u64> {
    // The name in parentheses may contain anything; the state follows the last one, field 3.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let times = fields.skip(14 - 3).take(4).map(str::parse::<u64>);
    times.sum::<Result<u64, _>>().ok()
}

/// CPU time of a process alone, microseconds, and when it began, in nanoseconds of CLOCK_MONOTONIC as
/// long as the machine was not suspended.
pub(crate) fn own_cpu(pid: u32) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let (ticks, began) = own_ticks(&stat)?;
    Some((
        ticks * 1_000_000 / per_second,
        began.saturating_mul(1_000_000_000 / per_second),
    ))
}

/// The sum of `utime` and `stime`, and `starttime`.
fn own_ticks(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(14 - 3);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let used = next()? + next()?;
    let began = fields.nth(22 - 16)?.parse().ok()?;
    Some((used, began))
}

/// What a process has in memory.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files in place of the kernel's.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str, files: &[(&str, &str)]) -> Tree {
            let name = format!("stoker-spending-{}-{name}", std::process::id());
            let tree = Tree(std::env::temp_dir().join(name));
            fs::create_dir_all(&tree.0).unwrap();
            for (file, text) in files {
                fs::write(tree.0.join(file), text).unwrap();
            }
            tree
        }

        fn path(&self) -> Option<PathBuf> {
            Some(self.0.clone())
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_group_of_v2_knows_all() {
        let stat = "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n";
        let files = [("cpu.stat", stat), ("memory.current", "4096\n")];
        let tree = Tree::new("unified", &files);
        let account = Account {
            unified: tree.path(),
            before_micros: 400_000,
            ..Account::default()
        };
        assert_eq!(account.cpu_micros(None), Some(1_100_000));
        assert_eq!(account.memory_bytes(None), Some(4096));
    }

    #[test]
    fn groups_of_v1_know_what_their_controllers_do() {
        let files = [
            ("cpuacct.usage", "2500000999\n"),
            ("memory.usage_in_bytes", "8192\n"),
        ];
        let tree = Tree::new("legacy", &files);
        let account = Account {
            cpu: tree.path(),
            memory: tree.path(),
            ..Account::default()
        };
        assert_eq!(account.cpu_micros(None), Some(2_500_000));
        assert_eq!(account.memory_bytes(None), Some(8192));
    }

    #[test]
    fn without_a_controller_the_processes_are_asked() {
        let me = std::process::id();
        let tree = Tree::new("plain", &[("cgroup.procs", &format!("{me}\n"))]);
        let account = Account {
            freezer: tree.path(),
            ..Account::default()
        };
        assert!(account.memory_bytes(None).unwrap() > 100_000);
        assert_eq!(account.cpu_micros(None), None);
        let alone = Account::default();
        assert!(alone.memory_bytes(Some(me)).unwrap() > 100_000);
        assert!(alone.cpu_micros(Some(me)).is_some());
    }

    #[test]
    fn children_are_part_of_a_tree() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let found = tree(std::process::id()).contains(&child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
    }

    #[test]
    fn times_stand_behind_the_last_parenthesis() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 9 9 9";
        assert_eq!(ticks(stat), Some(127));
        assert_eq!(ticks("7 (x) S 1"), Some(0));
        assert_eq!(own_ticks(stat), Some((120, 9)));
        assert_eq!(own_ticks("7 (x) S 1"), None);
        assert_eq!(ticks("nothing"), None);
    }
}
