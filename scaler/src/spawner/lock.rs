//! One gateway per state directory.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

/// How long the kernel may take to free the lock of a gateway that was killed, on a machine that is
/// busy.
const DYING: Duration = Duration::from_secs(5);
/// The pause between attempts meanwhile.
const DYING_PAUSE: Duration = Duration::from_millis(10);

/// Held as long as it lives; the kernel frees it when the process dies.
#[derive(Debug)]
pub(crate) struct StateLock {
    file: File,
}

impl StateLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(state_dir: &Path) -> io::Result<StateLock> {
        let path = state_dir.join("gateway.lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        match lock_patiently(&file) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                let detail = format!(
                    "the state directory {} is in use by another gateway (pid {})",
                    state_dir.display(),
                    holder.trim()
                );
                return Err(io::Error::new(io::ErrorKind::AddrInUse, detail));
            }
            Err(error) => return Err(error.into()),
        }
        let mut lock = StateLock { file };
        lock.sign()?;
        Ok(lock)
    }

    /// The lock of a living gateway, which both have from now on: it belongs to what is open, and
    /// is free when the last of them has closed it.
    pub(super) fn share(file: OwnedFd) -> StateLock {
        StateLock {
            file: File::from(file),
        }
    }

    /// What an heir can share.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        Ok(self.file.try_clone()?.into())
    }

    /// Notes this process as the holder.
    pub(crate) fn sign(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{}", std::process::id())
    }
}

/// Takes the lock, which a gateway that was killed a moment ago may still have.
fn lock_patiently(file: &File) -> rustix::io::Result<()> {
    let deadline = Instant::now() + DYING;
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(DYING_PAUSE);
            }
            result => return result,
        }
    }
}
