//! One gateway per state directory.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::FlockOperation;

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
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
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
