//! Where control groups are on this machine: cgroup v2, v1, or both beside each other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the kernel accounts or limits, as far as it is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::spawner) enum Controller {
    /// Bytes.
    Memory,
    /// Share of the processors.
    Cpu,
    /// Processes and threads.
    Pids,
    /// Stops and continues a group; on v2 no controller, but always there.
    Freezer,
}

impl Controller {
    pub(super) const ALL: [Controller; 4] = [
        Controller::Memory,
        Controller::Cpu,
        Controller::Pids,
        Controller::Freezer,
    ];

    /// The kernel's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Cpu => "cpu",
            Controller::Pids => "pids",
            Controller::Freezer => "freezer",
        }
    }
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub(super) mount: PathBuf,
    /// The directory of this process's own group.
    pub(super) own: PathBuf,
}

/// All that are mounted and of use here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies {
    /// cgroup v2, whatever controllers it has.
    pub(super) unified: Option<Hierarchy>,
    /// cgroup v1, by controller.
    pub(super) legacy: Vec<(Controller, Hierarchy)>,
}

impl Hierarchies {
    /// Those that this process sees.
    pub(super) fn discover() -> io::Result<Hierarchies> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        Ok(Hierarchies::parse(&mounts, &own))
    }

    /// From the texts of `/proc/self/mountinfo` and `/proc/self/cgroup` (proc(5), cgroups(7)).
    pub(super) fn parse(mounts: &str, own: &str) -> Hierarchies {
        let mut found = Hierarchies::default();
        for line in mounts.lines() {
            let Some(mount) = Mount::parse(line) else {
                continue;
            };
            if mount.kind == "cgroup2" {
                let path = own.lines().find_map(|line| line.strip_prefix("0::"));
                let hierarchy = path.map(|path| mount.hierarchy(path));
                found.unified = found.unified.or(hierarchy);
                continue;
            }
            for controller in Controller::ALL {
                let is_its = mount.options.split(',').any(|o| o == controller.name());
                let known = found.legacy.iter().any(|(other, _)| *other == controller);
                let path = own.lines().find_map(|line| legacy_path(line, controller));
                if let Some(path) = path.filter(|_| is_its && !known) {
                    found.legacy.push((controller, mount.hierarchy(path)));
                }
            }
        }
        found
    }
}

/// A line of mountinfo that is about control groups.
struct Mount<'a> {
    /// The group that is shown at the mount point.
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl Mount<'_> {
    fn parse(line: &str) -> Option<Mount<'_>> {
        let (fields, rest) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut rest = rest.split(' ');
        let (kind, _, options) = (rest.next()?, rest.next()?, rest.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| Mount {
            root: PathBuf::from(unescaped(root)),
            point: PathBuf::from(unescaped(point)),
            kind,
            options,
        })
    }

    /// With this process in the group `path`, which may lie outside of what is mounted.
    fn hierarchy(&self, path: &str) -> Hierarchy {
        let below = Path::new(path).strip_prefix(&self.root).ok();
        let below = below.filter(|below| !below.starts_with(".."));
        Hierarchy {
            mount: self.point.clone(),
            own: self.point.join(below.unwrap_or_else(|| Path::new(""))),
        }
    }
}

/// The path in a line of `/proc/self/cgroup` such as `4:cpu,cpuacct:/path`.
fn legacy_path(line: &str, controller: Controller) -> Option<&str> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let is_its = controllers.split(',').any(|name| name == controller.name());
    is_its.then_some(path)
}

/// The kernel writes blanks, tabs, line ends and backslashes of a path as three octal digits.
fn unescaped(field: &str) -> String {
    field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(mount: &str, own: &str) -> Hierarchy {
        Hierarchy {
            mount: PathBuf::from(mount),
            own: PathBuf::from(own),
        }
    }

    #[test]
    fn a_machine_with_v2_only() {
        let mounts = "25 22 0:22 / /proc rw - proc proc rw\n\
                      30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let found = Hierarchies::parse(mounts, "0::/system.slice/stoker.service\n");
        let own = "/sys/fs/cgroup/system.slice/stoker.service";
        assert_eq!(found.unified, Some(hierarchy("/sys/fs/cgroup", own)));
        assert_eq!(found.legacy, []);
    }

    #[test]
    fn a_hybrid_machine() {
        let mounts = "\
            31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
            34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let own = "5:memory:/a\n4:cpu,cpuacct:/\n1:name=systemd:/\n0::/b\n";
        let found = Hierarchies::parse(mounts, own);
        let unified = hierarchy("/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/b");
        assert_eq!(found.unified, Some(unified));
        let cpu = hierarchy("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct");
        let memory = hierarchy("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/a");
        let legacy = [(Controller::Cpu, cpu), (Controller::Memory, memory)];
        assert_eq!(found.legacy, legacy);
    }

    #[test]
    fn a_container_that_sees_a_part() {
        let mounts = "9 8 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
                      9 8 0:27 /docker/ab /sys/fs/a\\040b ro - cgroup cgroup rw,pids\n";
        let found = Hierarchies::parse(mounts, "3:pids:/elsewhere\n0::/docker/ab/c\n");
        let unified = hierarchy("/sys/fs/cgroup", "/sys/fs/cgroup/c");
        assert_eq!(found.unified, Some(unified));
        let pids = hierarchy("/sys/fs/a b", "/sys/fs/a b");
        assert_eq!(found.legacy, [(Controller::Pids, pids)]);
    }

    #[test]
    fn a_machine_without_any() {
        assert_eq!(Hierarchies::parse("", ""), Hierarchies::default());
        assert_eq!(
            Hierarchies::parse("x - y\n1 2 3 4 - cgroup", "::"),
            Hierarchies::default()
        );
    }
}
