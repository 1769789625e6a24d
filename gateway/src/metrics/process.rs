//! The process itself, under the names that Prometheus' client libraries use.

use std::fs;

use prometheus::{Counter, Gauge, IntGauge};
use rustix::process::{Resource, getrlimit};

use super::families::Families;

/// The process itself.
pub(super) struct Process {
    cpu: Counter,
    resident: IntGauge,
    virtual_bytes: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    threads: IntGauge,
    start: Gauge,
}

/// What the kernel tells in `/proc/self/stat` (proc_pid_stat(5)).
struct Stat {
    cpu_seconds: f64,
    threads: i64,
    start_seconds: f64,
    virtual_bytes: i64,
    resident_bytes: i64,
}

impl Process {
    pub(super) fn new(families: &Families) -> Result<Self, prometheus::Error> {
        Ok(Process {
            cpu: families.amount(
                "process_cpu_seconds_total",
                "User and system time of the gateway's process.",
            )?,
            resident: families
                .gauge("process_resident_memory_bytes", "Memory that is resident.")?,
            virtual_bytes: families.gauge("process_virtual_memory_bytes", "Address space.")?,
            open_fds: families.gauge("process_open_fds", "Descriptors that are open.")?,
            max_fds: families.gauge("process_max_fds", "Descriptors that may be open.")?,
            threads: families.gauge("process_threads", "Threads.")?,
            start: families.level(
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
            )?,
        })
    }

    /// Reads it anew. What cannot be read stays as it was.
    pub(super) fn read(&self) {
        if let Some(stat) = Stat::read() {
            self.cpu
                .inc_by((stat.cpu_seconds - self.cpu.get()).max(0.0));
            self.resident.set(stat.resident_bytes);
            self.virtual_bytes.set(stat.virtual_bytes);
            self.threads.set(stat.threads);
            if let Some(boot) = boot_seconds() {
                self.start.set(boot + stat.start_seconds);
            }
        }
        if let Ok(fds) = fs::read_dir("/proc/self/fd") {
            // The directory's own descriptor is among them.
            let count = fds.count().saturating_sub(1);
            self.open_fds.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.max_fds.set(i64::try_from(limit).unwrap_or(i64::MAX));
    }
}

impl Stat {
    fn read() -> Option<Stat> {
        Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Stat> {
        // The program's name may have blanks and parentheses; what follows it does not.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The manual counts from 1, and the state is its third.
        let field = |number: usize| fields.get(number - 3)?.parse::<i64>().ok();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let page = i64::try_from(rustix::param::page_size()).ok()?;
        Some(Stat {
            cpu_seconds: (field(14)? + field(15)?) as f64 / ticks,
            threads: field(20)?,
            start_seconds: field(22)? as f64 / ticks,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)?.saturating_mul(page),
        })
    }
}

/// When the machine started, in seconds since 1970.
fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_do_not_confuse() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 5 0 300 4096 2 9 1";
        let stat = Stat::parse(text).unwrap();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert!((stat.cpu_seconds - 200.0 / ticks).abs() < 1e-9);
        assert_eq!((stat.threads, stat.virtual_bytes), (5, 4096));
        assert!((stat.start_seconds - 300.0 / ticks).abs() < 1e-9);
        assert_eq!(stat.resident_bytes, 2 * rustix::param::page_size() as i64);
    }

    #[test]
    fn this_process_can_be_read() {
        let stat = Stat::read().unwrap();
        assert!(stat.resident_bytes > 0 && stat.threads > 0);
        assert!(boot_seconds().unwrap() > 1e9);
    }
}
