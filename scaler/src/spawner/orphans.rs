//! Processes of a state directory that no spawner owns: what is left if gateway and spawner died.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::proc::{self, SCOPE};

/// How long killed processes may take to go.
const WAIT: Duration = Duration::from_secs(2);

/// Processes that start others while they are looked for take more than one round.
const ROUNDS: usize = 10;

/// Depth of a tree of processes; /proc may change while it is climbed.
const MAX_DEPTH: usize = 1_000;

/// Kills every process that was started for `state_dir`, except descendants of the spawner `owner`,
/// and waits until they are gone. How many there were.
///
/// A process is known by the `STOKER_SCOPE` that it was started with. One that was started with a
/// cleared environment, or has overwritten it, is not found.
pub fn collect_orphans(state_dir: &Path, owner: Option<u32>) -> io::Result<usize> {
    let scope = std::fs::canonicalize(state_dir)?;
    let owner = owner.and_then(|pid| i32::try_from(pid).ok());
    let mut count = 0;
    for _ in 0..ROUNDS {
        let killed = kill_round(scope.as_os_str().as_bytes(), owner);
        if killed.is_empty() {
            break;
        }
        count += killed.len();
        wait_for(&killed);
    }
    Ok(count)
}

/// Kills what is found once.
fn kill_round(scope: &[u8], owner: Option<i32>) -> Vec<OwnedFd> {
    let me = std::process::id().cast_signed();
    let belongs = |pid: i32| proc::variable(pid, SCOPE).as_deref() == Some(scope);
    proc::all()
        .into_iter()
        .filter(|&pid| pid != me && belongs(pid))
        .filter(|&pid| owner.is_none_or(|owner| !descends(pid, owner)))
        .filter_map(|pid| {
            let pidfd =
                rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            // The pid may have changed hands before it was opened, but not since.
            if !belongs(pid) {
                return None;
            }
            rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).ok()?;
            Some(pidfd)
        })
        .collect()
}

/// Whether `pid` is the spawner or one of its descendants.
fn descends(mut pid: i32, ancestor: i32) -> bool {
    for _ in 0..MAX_DEPTH {
        if pid == ancestor {
            return true;
        }
        match proc::parent(pid) {
            Some(parent) if parent > 1 => pid = parent,
            _ => return false,
        }
    }
    false
}

/// Waits until these processes have ended, but not for ever.
fn wait_for(processes: &[OwnedFd]) {
    let deadline = Instant::now() + WAIT;
    for process in processes {
        // A failure costs the wait only.
        rustix::io::retry_on_intr(|| {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            };
            let mut poll = [PollFd::new(process, PollFlags::IN)];
            rustix::event::poll(&mut poll, Some(&timeout))
        })
        .ok();
    }
}
