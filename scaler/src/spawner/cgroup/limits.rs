//! Limits as the kernel's files take them, in both versions.

use std::fs;
use std::io;
use std::path::Path;

use super::hierarchy::Controller;
use crate::driver::Resources;

/// Over which a share of the processors is meted out, in microseconds: the kernel's own default.
const PERIOD_MICROS: u64 = 100_000;

/// Which interface a directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::spawner) enum Version {
    Legacy,
    Unified,
}

/// The controllers that these limits need.
pub(super) fn needed(limits: &Resources) -> impl Iterator<Item = Controller> + use<> {
    let needs = [
        (Controller::Memory, limits.memory_bytes.is_some()),
        (Controller::Cpu, limits.cpu_millis.is_some()),
        (Controller::Pids, limits.processes.is_some()),
    ];
    needs
        .into_iter()
        .filter_map(|(controller, needed)| needed.then_some(controller))
}

/// Makes `directory` hold the part of `limits` that is this controller's, or no limit.
pub(super) fn apply(
    directory: &Path,
    (version, controller): (Version, Controller),
    limits: &Resources,
) -> io::Result<()> {
    match controller {
        Controller::Memory => memory(directory, version, limits.memory_bytes),
        Controller::Cpu => cpu(directory, version, limits.cpu_millis),
        Controller::Pids => {
            let most = limits
                .processes
                .map_or_else(|| "max".to_owned(), |n| n.to_string());
            write(directory, "pids.max", &most)
        }
        Controller::Freezer => Ok(()),
    }
}

/// The limit holds for memory and swap together: what does not fit is not swapped out, but ends
/// the instance.
fn memory(directory: &Path, version: Version, bytes: Option<u64>) -> io::Result<()> {
    match version {
        Version::Unified => {
            let (most, swap) = match bytes {
                Some(bytes) => (bytes.to_string(), "0"),
                None => ("max".to_owned(), "max"),
            };
            write(directory, "memory.max", &most)?;
            // The whole instance ends, not a part of it.
            let whole = if bytes.is_some() { "1" } else { "0" };
            unless_missing(write(directory, "memory.oom.group", whole))?;
            unless_missing(write(directory, "memory.swap.max", swap))
        }
        Version::Legacy => {
            let (most, both) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
            // The second may never be below the first, so it goes out of the way before.
            unless_missing(write(directory, both, "-1"))?;
            let Some(bytes) = bytes else {
                return write(directory, most, "-1");
            };
            write(directory, most, &bytes.to_string())?;
            unless_missing(write(directory, both, &bytes.to_string()))
        }
    }
}

/// `millis` are thousandths of one processor.
fn cpu(directory: &Path, version: Version, millis: Option<u32>) -> io::Result<()> {
    let quota = millis.map(|millis| u64::from(millis) * PERIOD_MICROS / 1000);
    match version {
        Version::Unified => {
            let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
            write(directory, "cpu.max", &format!("{quota} {PERIOD_MICROS}"))
        }
        Version::Legacy => {
            let period = PERIOD_MICROS.to_string();
            write(directory, "cpu.cfs_period_us", &period)?;
            let quota = quota.map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
            write(directory, "cpu.cfs_quota_us", &quota)
        }
    }
}

/// Writes a file of the kernel's, which must be there.
pub(super) fn write(directory: &Path, file: &str, value: &str) -> io::Result<()> {
    // Truncation means nothing to the kernel's files; `create` would be refused.
    let mut options = fs::File::options();
    let mut file = options
        .write(true)
        .truncate(true)
        .open(directory.join(file))?;
    io::Write::write_all(&mut file, value.as_bytes())
}

/// The kernel may be built without swap or be older than the file.
fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawner::cgroup::testing::{Tree, read};

    const ALL: Resources = Resources {
        memory_bytes: Some(64 << 20),
        cpu_millis: Some(500),
        processes: Some(20),
    };

    #[test]
    fn v2_takes_one_file_for_each() {
        let tree = Tree::new(&[
            "memory.max",
            "memory.swap.max",
            "memory.oom.group",
            "cpu.max",
            "pids.max",
        ]);
        for (limits, expected) in [
            (ALL, ["67108864", "0", "1", "50000 100000", "20"]),
            (
                Resources::default(),
                ["max", "max", "0", "max 100000", "max"],
            ),
        ] {
            for controller in Controller::ALL {
                apply(tree.path(), (Version::Unified, controller), &limits).expect("is there");
            }
            let files = [
                "memory.max",
                "memory.swap.max",
                "memory.oom.group",
                "cpu.max",
                "pids.max",
            ];
            assert_eq!(files.map(|file| read(tree.path(), file)), expected);
        }
    }

    #[test]
    fn v1_limits_memory_with_swap() {
        let tree = Tree::new(&["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]);
        let memory = (Version::Legacy, Controller::Memory);
        apply(tree.path(), memory, &ALL).expect("is there");
        assert_eq!(read(tree.path(), "memory.limit_in_bytes"), "67108864");
        assert_eq!(read(tree.path(), "memory.memsw.limit_in_bytes"), "67108864");
    }

    #[test]
    fn swap_may_be_missing_but_memory_may_not() {
        let tree = Tree::new(&["memory.max"]);
        let memory = (Version::Unified, Controller::Memory);
        apply(tree.path(), memory, &ALL).expect("swap is not demanded");
        let bare = Tree::new(&[]);
        let error = apply(bare.path(), memory, &ALL).expect_err("there is no such controller");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
