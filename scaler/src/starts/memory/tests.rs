use std::fs;

use super::*;

const MIB: u64 = 1 << 20;

/// A directory with the files that the kernel would have.
struct Machine(PathBuf);

impl Machine {
    fn new(name: &str, available_mib: u64) -> Machine {
        let directory = std::env::temp_dir().join(format!("stoker-{}-{name}", std::process::id()));
        let machine = Machine(directory);
        machine.set(available_mib);
        machine
    }

    fn set(&self, available_mib: u64) {
        let kib = available_mib * 1024;
        self.write(
            "proc/meminfo",
            &format!("MemFree: 1 kB\nMemAvailable:   {kib} kB\n"),
        );
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn memory(&self, own: &str) -> Memory {
        Memory::of(&self.0, own)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn later(now: &mut Instant, by: Duration) -> Instant {
    *now += by;
    *now
}

#[test]
fn what_is_available_must_hold_the_reserve_and_the_need() {
    let machine = Machine::new("plain", 300);
    let mut memory = machine.memory("");
    let mut now = Instant::now();
    assert_eq!(memory.check(256 * MIB, 44 * MIB, now), Ok(()));
    let short = memory.check(256 * MIB, 45 * MIB, now).unwrap_err();
    assert_eq!(
        short.to_string(),
        "the machine has 300 MiB of memory left, of which 256 MiB are reserved by \
         starts.memory-reserve, and an instance takes some 45 MiB"
    );
    machine.set(120);
    assert!(memory.check(256 * MIB, 0, now).is_ok(), "read just now");
    let short = memory
        .check(256 * MIB, 0, later(&mut now, FRESH))
        .unwrap_err();
    assert_eq!(
        short.to_string(),
        "the machine has 120 MiB of memory left, of which 256 MiB are reserved by \
         starts.memory-reserve"
    );
    assert_eq!(memory.check(0, u64::MAX, now), Ok(()), "nobody looks");
}

#[test]
fn promises_count_until_they_are_kept() {
    let machine = Machine::new("promises", 300);
    let mut memory = machine.memory("");
    let mut now = Instant::now();
    assert!(memory.check(100 * MIB, 150 * MIB, now).is_ok());
    memory.promise(150 * MIB, now);
    let short = memory.check(100 * MIB, 150 * MIB, now).unwrap_err();
    assert!(short.to_string().contains("150 MiB are for other starts"));
    now += SETTLED;
    assert!(memory.check(100 * MIB, 150 * MIB, now).is_err());
    now += SETTLED;
    assert!(memory.check(100 * MIB, 150 * MIB, now).is_ok());
}

#[test]
fn the_narrowest_control_group_counts() {
    let machine = Machine::new("groups", 1000);
    let v1 = "sys/fs/cgroup/memory";
    machine.write(&format!("{v1}/a/memory.limit_in_bytes"), "104857600\n");
    machine.write(&format!("{v1}/a/memory.usage_in_bytes"), "52428800\n");
    machine.write(
        &format!("{v1}/a/b/memory.limit_in_bytes"),
        "9223372036854771712\n",
    );
    machine.write(&format!("{v1}/a/b/memory.usage_in_bytes"), "1\n");
    let mut memory = machine.memory("7:memory:/a/b\n3:cpu:/x\n");
    assert_eq!(memory.groups.len(), 1, "{:?}", memory.groups);
    let short = memory.check(60 * MIB, 0, Instant::now()).unwrap_err();
    assert_eq!(
        short.to_string(),
        "the gateway's control group has 50 MiB of memory left, of which 60 MiB are reserved by \
         starts.memory-reserve"
    );
    machine.write("sys/fs/cgroup/c/memory.max", "20971520\n");
    machine.write("sys/fs/cgroup/c/memory.current", "0\n");
    machine.write("sys/fs/cgroup/memory.max", "max\n");
    let mut memory = machine.memory("0::/c\n");
    assert!(memory.check(21 * MIB, 0, Instant::now()).is_err());
    assert!(memory.check(20 * MIB, 0, Instant::now()).is_ok());
}

#[test]
fn what_cannot_be_read_is_no_limit() {
    let mut memory = Memory::of(Path::new("/nowhere"), "");
    assert_eq!(memory.check(MIB, u64::MAX, Instant::now()), Ok(()));
}

#[test]
fn this_machine_has_some() {
    let mut memory = Memory::of_machine();
    assert_eq!(memory.check(1, 0, Instant::now()), Ok(()));
    let short = memory.check(1 << 60, 0, Instant::now());
    assert!(short.is_err(), "nobody has an exbibyte");
}
