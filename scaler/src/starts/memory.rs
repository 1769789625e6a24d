//! The memory that is left, and what is promised of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a reading that took long is good for.
const FRESH: Duration = Duration::from_millis(10);

/// A program has taken what it takes by then: between one and two of these after its start its
/// share is not counted any more, for the kernel counts it.
const SETTLED: Duration = Duration::from_secs(1);

/// With so large a part of the memory free beyond what is needed, nothing else is looked at: what
/// the kernel keeps for itself (`totalreserve_pages`) is far less.
const PLENTY_PART: u64 = 16;

/// Asks the kernel, and remembers what was promised.
#[derive(Debug)]
pub(super) struct Memory {
    meminfo: PathBuf,
    /// Control groups with a limit on this process.
    groups: Vec<Group>,
    /// Free pages may be asked for in place of the file, which is quicker.
    quick: bool,
    read: Option<(Instant, Option<Left>)>,
    /// Bytes for starts of this and of the former time.
    promised: [u64; 2],
    turned: Option<Instant>,
}

/// A control group's files.
#[derive(Debug)]
struct Group {
    limit: PathBuf,
    usage: PathBuf,
}

/// What is left, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    bytes: u64,
    of: Whose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Machine,
    Group,
}

/// Too little memory for a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    left: Left,
    promised_bytes: u64,
    reserve_bytes: u64,
    need_bytes: u64,
}

impl Memory {
    /// Of the machine, and of the control groups of this process.
    pub(super) fn of_machine() -> Self {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut memory = Memory::of(Path::new("/"), &own);
        memory.quick = true;
        memory
    }

    /// Of the files below `root`, for a process whose control groups are `own`.
    pub(super) fn of(root: &Path, own: &str) -> Self {
        Memory {
            meminfo: root.join("proc/meminfo"),
            groups: groups(own, root),
            quick: false,
            read: None,
            promised: [0; 2],
            turned: None,
        }
    }

    /// Whether `need` bytes can be had without touching the reserve. Where nothing can be read
    /// there is no limit.
    pub(super) fn check(&mut self, reserve: u64, need: u64, now: Instant) -> Result<(), Shortage> {
        if reserve == 0 {
            return Ok(());
        }
        self.turn(now);
        let promised = self.promised.iter().sum::<u64>();
        let least = reserve.saturating_add(need).saturating_add(promised);
        if self.quick && self.groups.is_empty() && is_plenty(least) {
            return Ok(());
        }
        match self.left(now) {
            Some(left) if left.bytes < least => Err(Shortage {
                left,
                promised_bytes: promised,
                reserve_bytes: reserve,
                need_bytes: need,
            }),
            _ => Ok(()),
        }
    }

    /// Promises so much to a start, if it can be had.
    pub(super) fn take(&mut self, reserve: u64, need: u64, now: Instant) -> bool {
        let fits = self.check(reserve, need, now).is_ok();
        if fits {
            self.promise(need, now);
        }
        fits
    }

    /// A start begins that takes so much, soon.
    pub(super) fn promise(&mut self, bytes: u64, now: Instant) {
        if bytes > 0 {
            self.turn(now);
            self.promised[0] = self.promised[0].saturating_add(bytes);
        }
    }

    /// Forgets promises that were kept by now.
    fn turn(&mut self, now: Instant) {
        let since = *self.turned.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= SETTLED {
            let former = if passed < SETTLED * 2 {
                self.promised[0]
            } else {
                0
            };
            self.promised = [0, former];
            self.turned = Some(now);
        }
    }

    fn left(&mut self, now: Instant) -> Option<Left> {
        if let Some((at, left)) = self.read
            && now.saturating_duration_since(at) < FRESH
        {
            return left;
        }
        let machine = available(&self.meminfo).map(|bytes| Left {
            bytes,
            of: Whose::Machine,
        });
        let groups = self.groups.iter().filter_map(|group| {
            let bytes = number(&group.limit)?.saturating_sub(number(&group.usage)?);
            let of = Whose::Group;
            Some(Left { bytes, of })
        });
        let left = groups.chain(machine).min_by_key(|left| left.bytes);
        self.read = Some((now, left));
        left
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        let whose = match self.left.of {
            Whose::Machine => "the machine",
            Whose::Group => "the gateway's control group",
        };
        write!(
            f,
            "{whose} has {} MiB of memory left, of which {} MiB are reserved by \
             starts.memory-reserve",
            self.left.bytes >> 20,
            mebibytes(self.reserve_bytes)
        )?;
        if self.promised_bytes > 0 {
            let promised = mebibytes(self.promised_bytes);
            write!(f, ", {promised} MiB are for other starts")?;
        }
        if self.need_bytes > 0 {
            let need = mebibytes(self.need_bytes);
            write!(f, ", and an instance takes some {need} MiB")?;
        }
        Ok(())
    }
}

/// Anonymous memory of a process in bytes: what is resident without what files and others share
/// (`statm`, proc_pid_statm(5), in pages).
pub(super) fn of_process(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut fields = text.split(' ').skip(1).map(str::parse::<u64>);
    let (resident, shared) = (fields.next()?.ok()?, fields.next()?.ok()?);
    let page = rustix::param::page_size() as u64;
    Some(resident.saturating_sub(shared).saturating_mul(page))
}

/// True if so much memory is free that nothing else need be looked at.
fn is_plenty(least: u64) -> bool {
    let info = rustix::system::sysinfo();
    let unit = u64::from(info.mem_unit);
    // Their types differ between architectures.
    let bytes = |count: u64| count.saturating_mul(unit);
    let (free, total) = (bytes(info.freeram as u64), bytes(info.totalram as u64));
    free >= least.saturating_add(total / PLENTY_PART)
}

/// `MemAvailable` in bytes (proc_meminfo(5)).
fn available(meminfo: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(meminfo).ok()?;
    text.lines().find_map(|line| {
        let kib = line.strip_prefix("MemAvailable:")?.trim();
        kib.strip_suffix(" kB")?
            .parse::<u64>()
            .ok()?
            .checked_mul(1024)
    })
}

/// A file's number; none for `max` or what cannot be read.
fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The groups of `/proc/self/cgroup` (cgroups(7)) that limit memory now, in either version.
fn groups(own: &str, root: &Path) -> Vec<Group> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (mount, limit, usage) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max", "memory.current"),
            _ if controllers.split(',').any(|name| name == "memory") => (
                "sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            ),
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        for group in path.ancestors() {
            let directory = root.join(mount).join(group);
            found.push(Group {
                limit: directory.join(limit),
                usage: directory.join(usage),
            });
        }
    }
    // The first version's word for no limit is the largest number of whole pages.
    found.retain(|group| number(&group.limit).is_some_and(|limit| limit < u64::MAX >> 2));
    found
}

#[cfg(test)]
mod tests;
