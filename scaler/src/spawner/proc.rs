//! What /proc tells of processes. Every answer may be out of date; whoever acts on one holds the
//! process by a pidfd or is its parent.

use std::fs;
use std::os::unix::ffi::OsStrExt;

/// The variables of the processes that this crate starts.
pub(crate) const SCOPE: &str = "STOKER_SCOPE";
/// The name of the instance that a process belongs to.
pub(crate) const INSTANCE: &str = "STOKER_INSTANCE";

/// The value of a variable in the environment that a process was started with.
pub(super) fn variable(pid: i32, key: &str) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|&byte| byte == 0).find_map(|entry| {
        entry
            .strip_prefix(key.as_bytes())?
            .strip_prefix(b"=")
            .map(<[u8]>::to_vec)
    })
}

/// True if a living process shows no environment at all: it is just being executed, or was started
/// with none.
pub(super) fn is_nameless(pid: i32) -> bool {
    let empty = fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| text.is_empty());
    // Nor does one that has ended and is not reaped.
    empty && state(pid).is_some_and(|state| state != 'Z')
}

/// The letter of a process's state.
fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The parent of a process.
pub(super) fn parent(pid: i32) -> Option<i32> {
    // The name in parentheses may contain anything; the state and the parent follow the last one.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// The process that a thread belongs to.
pub(super) fn process_of(thread: u32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
}

/// Every process that this one may see.
pub(super) fn all() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            std::str::from_utf8(entry.ok()?.file_name().as_bytes())
                .ok()?
                .parse()
                .ok()
        })
        .collect()
}

/// The children of this process, which has one thread.
pub(super) fn children() -> Vec<i32> {
    let me = std::process::id();
    match fs::read_to_string(format!("/proc/self/task/{me}/children")) {
        Ok(list) => list
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
        // The kernel may be built without that file.
        Err(_) => all()
            .into_iter()
            .filter(|&pid| parent(pid) == i32::try_from(me).ok())
            .collect(),
    }
}
