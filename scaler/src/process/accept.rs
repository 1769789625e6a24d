//! Whether a program that inherited its socket ever accepts.
//!
//! The kernel tells when a connection waits, not when one is accepted. So from the first connection
//! on the queue is looked at, seldom and never for longer than the start timeout: once it was
//! empty again, or an accepted connection is seen, the program is known to accept.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use stoker_core::{FailureKind, InstanceId};
use tokio::io::Interest;
use tokio::time::Instant;

use super::words::failure;
use super::{Shared, async_fd};

/// The pause after the first look; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause between looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Further looks after the time is up, so that a connection that arrived just then is no evidence.
const LAST_LOOKS: u32 = 10;
/// The pause between those.
const LAST_PAUSE: Duration = Duration::from_millis(20);

/// Kills the instance if a connection waits for `patience` and it never accepted any.
pub(super) fn watch(
    shared: &Arc<Shared>,
    id: InstanceId,
    (listener, path): (OwnedFd, PathBuf),
    patience: Duration,
) {
    let weak: Weak<Shared> = Arc::downgrade(shared);
    let task = tokio::spawn(async move {
        if accepts(listener, &path, patience).await {
            return;
        }
        let Some(shared) = weak.upgrade() else { return };
        let detail =
            format!("did not accept a connection on its inherited socket within {patience:?}");
        shared
            .table
            .set_verdict(id, failure(FailureKind::NeverListened, detail));
        shared.signal(id, true);
    });
    shared.table.set_watch(id, task.abort_handle());
}

/// Waits for the first connection and says whether it, or another, is accepted in time.
async fn accepts(listener: OwnedFd, path: &Path, patience: Duration) -> bool {
    // What cannot be watched gets the benefit of the doubt.
    let Ok(listener) = async_fd::register(listener, Interest::READABLE) else {
        return true;
    };
    match listener.readable().await {
        Ok(mut guard) => guard.retain_ready(),
        Err(_) => return true,
    }
    let until = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    while Instant::now() < until {
        if !has_waiting(&listener) {
            return true;
        }
        tokio::time::sleep_until((Instant::now() + pause).min(until)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    for _ in 0..LAST_LOOKS {
        if !has_waiting(&listener) || has_accepted(path) {
            return true;
        }
        tokio::time::sleep(LAST_PAUSE).await;
    }
    false
}

/// Whether a connection waits to be accepted.
fn has_waiting(listener: &impl AsFd) -> bool {
    let mut poll = [PollFd::new(listener, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    rustix::event::poll(&mut poll, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Whether an accepted connection of this socket is open.
fn has_accepted(path: &Path) -> bool {
    fs::read_to_string("/proc/net/unix").is_ok_and(|table| lists_accepted(&table, path))
}

/// In the kernel's table an accepted connection has its listener's path, an inode, and is no
/// listener itself; one that waits has no inode.
fn lists_accepted(table: &str, path: &Path) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, flags, _, _, inode, name] = fields[..] else {
            return false;
        };
        Path::new(name) == path && flags == "00000000" && inode != "0"
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn accepted_connections_are_told_from_waiting_ones() {
        let path = std::env::temp_dir().join(format!("stoker-accept-{}", std::process::id()));
        fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).expect("can bind");
        assert!(!has_waiting(&listener));
        let _client = UnixStream::connect(&path).expect("can connect");
        assert!(has_waiting(&listener));
        assert!(!has_accepted(&path));
        let _accepted = listener.accept().expect("one waits");
        assert!(!has_waiting(&listener));
        assert!(has_accepted(&path));
        fs::remove_file(&path).ok();
    }
}
