//! Which process works on something, so that another one can tell that it is gone.

use std::fs;

/// This process: its number, when it was started, and since which start of the machine.
pub(super) fn own() -> String {
    let pid = std::process::id();
    identity(pid).unwrap_or_else(|| pid.to_string())
}

/// Whether the process with this identity lives.
pub(super) fn lives(owner: &str) -> bool {
    let pid = owner.split(' ').next().and_then(|pid| pid.parse().ok());
    pid.and_then(identity).is_some_and(|found| found == owner)
}

fn identity(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything. `starttime` is the 22nd field (proc(5)), and the
    // third one follows.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_dead = fields.next().is_none_or(|state| state == "Z");
    let started = fields.nth(18)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    (!is_dead).then(|| format!("{pid} {started} {}", boot.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_process_lives() {
        let own = own();
        assert!(lives(&own));
        assert!(!lives(&format!("{own}0")));
        assert!(!lives("0 0 x") && !lives(""));
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let other = identity(child.id()).unwrap();
        assert!(lives(&other));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!lives(&other));
    }
}
