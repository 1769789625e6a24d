//! Whether a program that inherited its socket ever accepts.
//!
//! The kernel has no event for it, and a duplicate of the listener must not be kept: connections to
//! a program that died would wait in it for ever, instead of being refused. So the kernel's table of
//! sockets is looked at once in a start timeout, until an accepted connection was seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use stoker_core::{FailureKind, InstanceId};

use super::Shared;
use super::words::failure;

/// Further looks after one that saw a connection wait, which may have arrived just then.
const LAST_LOOKS: u32 = 10;
/// The shortest pause between those.
const LAST_PAUSE: Duration = Duration::from_millis(20);
/// How many of them the program's patience is worth, if they may be longer: a program may be slow
/// to accept on a machine that is busy, and is not killed for a connection that came just before.
const PAUSES: u32 = 20;
/// The shortest pause between looks.
const SHORTEST: Duration = Duration::from_millis(50);

/// Kills the instance if connections wait at `path` when it has run for `patience`, or a multiple
/// of it, and it never accepted any.
pub(super) fn watch(shared: &Arc<Shared>, id: InstanceId, path: PathBuf, patience: Duration) {
    let weak: Weak<Shared> = Arc::downgrade(shared);
    let task = tokio::spawn(async move {
        if accepts(&path, patience).await {
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

/// True once it has accepted a connection, false if one waits in vain.
async fn accepts(path: &Path, patience: Duration) -> bool {
    loop {
        tokio::time::sleep(patience.max(SHORTEST)).await;
        let mut looks = 0;
        loop {
            match Queue::of(path) {
                Queue::Accepted => return true,
                Queue::Empty => break,
                Queue::Waiting if looks == LAST_LOOKS => return false,
                Queue::Waiting => looks += 1,
            }
            tokio::time::sleep(LAST_PAUSE.max(patience / PAUSES)).await;
        }
    }
}

/// What the kernel says of the connections to a listener.
#[derive(Debug, PartialEq, Eq)]
enum Queue {
    /// There are none.
    Empty,
    /// Some wait to be accepted, and none is accepted now.
    Waiting,
    /// At least one is accepted.
    Accepted,
}

impl Queue {
    /// Without the kernel's table nothing is known, and nothing is held against the program.
    fn of(path: &Path) -> Queue {
        fs::read_to_string("/proc/net/unix")
            .map_or(Queue::Empty, |table| Queue::listed(&table, path))
    }

    /// In the table a connection has its listener's path and is no listener itself; one that waits
    /// has no inode yet.
    fn listed(table: &str, path: &Path) -> Queue {
        let mut queue = Queue::Empty;
        for line in table.lines() {
            let mut fields = line.split_whitespace();
            let (Some(flags), Some(inode), Some(name)) =
                (fields.nth(3), fields.nth(2), fields.next())
            else {
                continue;
            };
            if Path::new(name) != path || flags != "00000000" {
                continue;
            }
            if inode != "0" {
                return Queue::Accepted;
            }
            queue = Queue::Waiting;
        }
        queue
    }
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
        assert_eq!(Queue::of(&path), Queue::Empty);
        let _client = UnixStream::connect(&path).expect("can connect");
        assert_eq!(Queue::of(&path), Queue::Waiting);
        let _accepted = listener.accept().expect("one waits");
        assert_eq!(Queue::of(&path), Queue::Accepted);
        fs::remove_file(&path).ok();
    }
}
