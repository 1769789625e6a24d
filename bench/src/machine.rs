//! The fingerprint of the machine: what figures depend on, and who reads them wants to know.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use crate::report::Machine;

/// What the kernel tells of this machine. What it does not tell is empty, zero or left out.
pub fn fingerprint() -> Machine {
    let mut machine = below(Path::new("/"));
    // Knows of affinity and of the quotas of both versions of cgroups.
    machine.cpus = available_parallelism().map_or(0, |cpus| cpus.get() as u32);
    machine
}

/// The same of a directory that is laid out as the root is, without the number of CPUs.
fn below(root: &Path) -> Machine {
    let files = Files(root);
    let cpuinfo = files.read("proc/cpuinfo").unwrap_or_default();
    let memory = files.read("proc/meminfo").and_then(|text| {
        let total = after(&text, "MemTotal", ':')?;
        total.trim_end_matches("kB").trim().parse::<u64>().ok()
    });
    let system = files
        .read("etc/os-release")
        .and_then(|text| after(&text, "PRETTY_NAME", '='));
    Machine {
        cpu: ["model name", "Processor", "Hardware", "CPU part"]
            .iter()
            .find_map(|name| after(&cpuinfo, name, ':'))
            .unwrap_or_default(),
        cpus: 0,
        memory_bytes: memory.unwrap_or_default().saturating_mul(1024),
        kernel: files.read("proc/sys/kernel/osrelease").unwrap_or_default(),
        system: system.unwrap_or_default(),
        more: more(&files, &cpuinfo),
    }
}

fn more(files: &Files<'_>, cpuinfo: &str) -> BTreeMap<String, String> {
    let cpu = "sys/devices/system/cpu";
    let allowed = files
        .read("proc/self/status")
        .and_then(|text| after(&text, "Cpus_allowed_list", ':'));
    let load = files.read("proc/loadavg").map(|text| {
        let three: Vec<&str> = text.split_whitespace().take(3).collect();
        three.join(" ")
    });
    let smt = files
        .read(&format!("{cpu}/smt/active"))
        .map(|active| on_off(&active, "1"));
    let found = [
        ("affinity", allowed),
        ("architecture", Some(std::env::consts::ARCH.to_owned())),
        (
            "boot-options",
            files
                .read("proc/cmdline")
                .and_then(|text| boot_options(&text)),
        ),
        (
            "clock-source",
            files.read("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        ),
        ("cpu-quota", quota(files)),
        (
            "governor",
            files.read(&format!("{cpu}/cpu0/cpufreq/scaling_governor")),
        ),
        ("hypervisor", hypervisor(files, cpuinfo)),
        ("load", load),
        (
            "mitigations",
            mitigations(files, &format!("{cpu}/vulnerabilities")),
        ),
        ("smt", smt),
        ("transparent-huge-pages", {
            let text = files.read("sys/kernel/mm/transparent_hugepage/enabled");
            text.and_then(|text| Some(text.split('[').nth(1)?.split(']').next()?.to_owned()))
        }),
        ("turbo", turbo(files, cpu)),
    ];
    let known = found.into_iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some((name.to_owned(), value))
    });
    known.collect()
}

/// Those that change how fast a system call or a fault is; the others may hold secrets.
fn boot_options(text: &str) -> Option<String> {
    const TELLING: [&str; 9] = [
        "mitigations=",
        "nokaslr",
        "isolcpus=",
        "nohz_full=",
        "preempt=",
        "idle=",
        "nosmt",
        "pti=",
        "rcu_nocbs=",
    ];
    let all = text.split_whitespace();
    let telling = all.filter(|option| TELLING.iter().any(|name| option.starts_with(name)));
    let telling: Vec<&str> = telling.collect();
    (!telling.is_empty()).then(|| telling.join(" "))
}

/// CPU time of this process's own cgroup per time, in CPUs.
fn quota(files: &Files<'_>) -> Option<String> {
    let groups = files.read("proc/self/cgroup")?;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (quota, period) = if controllers.is_empty() {
            let directory = PathBuf::from("sys/fs/cgroup").join(path);
            let Some(text) = files.read(&directory.join("cpu.max").to_string_lossy()) else {
                continue;
            };
            let (quota, period) = text.split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        } else if controllers.split(',').any(|one| one == "cpu") {
            let directory = PathBuf::from("sys/fs/cgroup/cpu").join(path);
            let read = |name: &str| files.read(&directory.join(name).to_string_lossy());
            let Some(both) = read("cpu.cfs_quota_us").zip(read("cpu.cfs_period_us")) else {
                continue;
            };
            both
        } else {
            continue;
        };
        // `max` and -1 are none.
        let parsed = quota.parse::<f64>().ok().zip(period.parse::<f64>().ok());
        if let Some((quota, period)) = parsed.filter(|both| both.0 > 0.0 && both.1 > 0.0) {
            return Some(format!("{:.2} CPUs", quota / period));
        }
    }
    None
}

fn hypervisor(files: &Files<'_>, cpuinfo: &str) -> Option<String> {
    let flags = after(cpuinfo, "flags", ':').unwrap_or_default();
    let inside = flags.split(' ').any(|flag| flag == "hypervisor");
    let kind = files.read("sys/hypervisor/type");
    if !inside && kind.is_none() {
        return None;
    }
    let names = [
        "sys/class/dmi/id/sys_vendor",
        "sys/class/dmi/id/product_name",
    ];
    let mut names: Vec<String> = names.iter().filter_map(|name| files.read(name)).collect();
    names.extend(kind);
    match names.is_empty() {
        true => Some("yes".to_owned()),
        false => Some(names.join(" ")),
    }
}

/// The names of those that cost something, and of what is left open.
fn mitigations(files: &Files<'_>, directory: &str) -> Option<String> {
    let entries = fs::read_dir(files.0.join(directory)).ok()?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    let mut shown = Vec::new();
    for (prefix, word) in [("Mitigation", ""), ("Vulnerable", "vulnerable: ")] {
        let such = names.iter().filter(|name| {
            let state = files.read(&format!("{directory}/{name}"));
            state.is_some_and(|state| state.starts_with(prefix))
        });
        let such: Vec<&str> = such.map(String::as_str).collect();
        if !such.is_empty() {
            shown.push(format!("{word}{}", such.join(", ")));
        }
    }
    Some(match shown.is_empty() {
        true => "none".to_owned(),
        false => shown.join("; "),
    })
}

fn turbo(files: &Files<'_>, cpu: &str) -> Option<String> {
    if let Some(off) = files.read(&format!("{cpu}/intel_pstate/no_turbo")) {
        return Some(on_off(&off, "0"));
    }
    let boost = files.read(&format!("{cpu}/cpufreq/boost"))?;
    Some(on_off(&boost, "1"))
}

fn on_off(value: &str, on: &str) -> String {
    if value == on { "on" } else { "off" }.to_owned()
}

/// What stands behind the name and the sign in the first line that begins so.
fn after(text: &str, name: &str, sign: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(sign)?;
        (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Files below a root.
struct Files<'a>(&'a Path);

impl Files<'_> {
    /// Without blanks at its ends; none if it cannot be read.
    fn read(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.0.join(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let name = format!("stoker-machine-{}-{name}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_machine_is_described() {
        let cpu = "sys/devices/system/cpu";
        let root = tree(
            "whole",
            &[
                (
                    "proc/cpuinfo",
                    "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: fpu hypervisor\n",
                ),
                ("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n"),
                ("proc/sys/kernel/osrelease", "6.18.5\n"),
                (
                    "etc/os-release",
                    "NAME=\"Debian\"\nPRETTY_NAME=\"Debian 12\"\n",
                ),
                ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-1\n"),
                ("proc/self/cgroup", "3:cpu,cpuacct:/a/b\n0::/\n"),
                ("sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "150000\n"),
                ("sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n"),
                ("proc/loadavg", "0.50 0.40 0.30 1/234 567\n"),
                ("proc/cmdline", "root=/dev/secret mitigations=off quiet\n"),
                ("sys/class/dmi/id/sys_vendor", "QEMU\n"),
                (
                    &format!("{cpu}/cpu0/cpufreq/scaling_governor"),
                    "performance\n",
                ),
                (&format!("{cpu}/intel_pstate/no_turbo"), "1\n"),
                (
                    &format!("{cpu}/vulnerabilities/meltdown"),
                    "Mitigation: PTI\n",
                ),
                (
                    &format!("{cpu}/vulnerabilities/mds"),
                    "Vulnerable: no microcode\n",
                ),
                (&format!("{cpu}/vulnerabilities/l1tf"), "Not affected\n"),
            ],
        );
        let machine = below(&root);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(machine.cpu, "A CPU @ 2 GHz");
        assert_eq!(machine.memory_bytes, 2 * 1024 * 1024);
        assert_eq!(machine.kernel, "6.18.5");
        assert_eq!(machine.system, "Debian 12");
        for (name, wanted) in [
            ("affinity", "0-1"),
            ("boot-options", "mitigations=off"),
            ("cpu-quota", "1.50 CPUs"),
            ("governor", "performance"),
            ("hypervisor", "QEMU"),
            ("load", "0.50 0.40 0.30"),
            ("mitigations", "meltdown; vulnerable: mds"),
            ("turbo", "off"),
        ] {
            assert_eq!(
                machine.more.get(name).map(String::as_str),
                Some(wanted),
                "{name}"
            );
        }
    }

    #[test]
    fn quotas_of_the_second_version_are_read() {
        let root = tree(
            "second",
            &[
                ("proc/self/cgroup", "0::/service\n"),
                ("sys/fs/cgroup/service/cpu.max", "50000 100000\n"),
            ],
        );
        assert_eq!(quota(&Files(&root)).as_deref(), Some("0.50 CPUs"));
        fs::write(root.join("sys/fs/cgroup/service/cpu.max"), "max 100000\n").unwrap();
        assert_eq!(quota(&Files(&root)), None);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_kernel_that_tells_nothing_is_no_error() {
        let nothing = below(Path::new("/nonexistent"));
        assert_eq!((nothing.cpu.as_str(), nothing.memory_bytes), ("", 0));
        let here = fingerprint();
        assert!(here.cpus > 0 && here.memory_bytes > 0 && !here.kernel.is_empty());
    }
}
