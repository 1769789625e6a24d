//! The memory of this process against what it may have.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::gateway::Gateway;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Compares once a second, for as long as the gateway is there.
pub(crate) async fn watch(gateway: std::sync::Weak<Gateway>) {
    let allowed = three_quarters(&machine());
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        look(&gateway, allowed);
    }
}

fn look(gateway: &Arc<Gateway>, allowed: Option<u64>) {
    let limit = gateway.load().gateway.limits.memory_bytes.or(allowed);
    let (Some(limit), Some(used)) = (limit, resident()) else {
        return;
    };
    let pressure = gateway.pressure();
    let short = is_short(pressure.is_short_of_memory(), used, limit);
    if pressure.set_short_of_memory(short) != short {
        let now = if short {
            "takes nothing new that must wait"
        } else {
            "takes everything again"
        };
        eprintln!("stoker: {used} bytes of memory are in use of {limit}: the gateway {now}");
    }
}

/// Once it is too much it must fall by a twentieth, lest it goes back and forth.
fn is_short(short: bool, used: u64, limit: u64) -> bool {
    used > if short { limit - limit / 20 } else { limit }
}

/// Of this process, in bytes: the second field of `statm` (proc_pid_statm(5)), in pages.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

/// What the kernel may be asked for memory limits.
struct Sources {
    meminfo: String,
    /// `memory.max` of this process's control group and of those above it, in either version.
    groups: Vec<String>,
}

fn machine() -> Sources {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let own = read(Path::new("/proc/self/cgroup"));
    Sources {
        meminfo: read(Path::new("/proc/meminfo")),
        groups: limit_files(&own).iter().map(|path| read(path)).collect(),
    }
}

/// The files that hold limits, from `/proc/self/cgroup` (cgroups(7)).
fn limit_files(own: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next(), parts.next(), parts.next());
        let Some(path) = path.map(|path| Path::new(path.trim_start_matches('/'))) else {
            continue;
        };
        let (root, name) = match controllers {
            Some("") => ("/sys/fs/cgroup", "memory.max"),
            Some("memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        files.extend(
            path.ancestors()
                .map(|group| Path::new(root).join(group).join(name)),
        );
    }
    files
}

/// Of the least that any of them allows.
fn three_quarters(sources: &Sources) -> Option<u64> {
    let total = sources.meminfo.lines().find_map(|line| {
        let kib = line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?;
        kib.parse::<u64>().ok()?.checked_mul(1024)
    });
    let groups = sources
        .groups
        .iter()
        .filter_map(|text| text.trim().parse().ok());
    let least = groups.chain(total).min()?;
    Some(least - least / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_counts() {
        let of = |meminfo: &str, groups: &[&str]| {
            three_quarters(&Sources {
                meminfo: meminfo.to_owned(),
                groups: groups.iter().map(|&text| text.to_owned()).collect(),
            })
        };
        let meminfo = "MemTotal:        4096 kB\nMemFree: 1 kB\n";
        assert_eq!(of(meminfo, &[]), Some(3 << 20));
        assert_eq!(of(meminfo, &["max\n", "", "4000\n"]), Some(3000));
        assert_eq!(of("", &["max"]), None);
        assert!(three_quarters(&machine()).is_some_and(|limit| limit > 1 << 20));
    }

    #[test]
    fn both_versions_of_control_groups_are_known() {
        let files = limit_files("12:cpu,memory_x:/a\n5:memory:/b/c\n0::/d\n");
        let shown: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
        assert_eq!(
            shown,
            [
                "/sys/fs/cgroup/memory/b/c/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/b/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/d/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
    }

    #[test]
    fn it_must_fall_clearly_before_it_is_enough() {
        assert!(!is_short(false, 100, 100));
        assert!(is_short(false, 101, 100));
        assert!(is_short(true, 96, 100));
        assert!(!is_short(true, 95, 100));
    }

    #[test]
    fn this_process_has_some_memory() {
        assert!(resident().is_some_and(|bytes| bytes > 100_000));
    }
}
