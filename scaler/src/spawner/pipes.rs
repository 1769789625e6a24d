//! The output pipes of workers.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Gid, OFlags, Uid};
use rustix::pipe::PipeFlags;

use super::clone::Identity;
use super::explain::words;
use super::protocol::Fault;

/// Both output pipes of a worker to be. Readers do not block; writers, which the program gets, do.
#[derive(Debug)]
pub(super) struct Pipes {
    /// Of output and error output, to be kept.
    pub(super) readers: [OwnedFd; 2],
    /// The same once more, for the gateway.
    pub(super) duplicates: [OwnedFd; 2],
    writers: [OwnedFd; 2],
}

impl Pipes {
    /// New ones.
    pub(super) fn make() -> Result<Pipes, Fault> {
        let made = || -> rustix::io::Result<_> {
            let (output, output_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            let (errors, errors_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            for reader in [&output, &errors] {
                rustix::fs::fcntl_setfl(reader, OFlags::NONBLOCK)?;
            }
            Ok(([output, errors], [output_end, errors_end]))
        };
        let failed = |error| Fault::transient(format!("cannot make a pipe: {}", words(error)));
        let (readers, writers) = made().map_err(failed)?;
        let duplicates = [duplicate(&readers[0])?, duplicate(&readers[1])?];
        Ok(Pipes {
            readers,
            duplicates,
            writers,
        })
    }

    /// Hands the writers to the user who opens `/dev/stdout`, which only the owner may.
    pub(super) fn give_to(&self, owner: &Identity) -> Result<(), Fault> {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        for writer in &self.writers {
            rustix::fs::fchown(writer, Some(uid), Some(gid)).map_err(|error| {
                Fault::transient(format!("cannot hand over a pipe: {}", words(error)))
            })?;
        }
        Ok(())
    }

    /// What the program writes its output to.
    pub(super) fn output(&self) -> BorrowedFd<'_> {
        self.writers[0].as_fd()
    }

    /// What the program writes its errors to.
    pub(super) fn errors(&self) -> BorrowedFd<'_> {
        self.writers[1].as_fd()
    }
}

/// One pipe, whose writer belongs to `owner`.
pub(super) fn pipe(owner: Option<&Identity>) -> Result<(OwnedFd, OwnedFd), Fault> {
    let make = || -> rustix::io::Result<_> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK)?;
        if let Some(owner) = owner {
            let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
            rustix::fs::fchown(&writer, Some(uid), Some(gid))?;
        }
        Ok((reader, writer))
    };
    make().map_err(|error| Fault::transient(format!("cannot make a pipe: {}", words(error))))
}

/// Another descriptor for the same pipe.
pub(super) fn duplicate(pipe: &OwnedFd) -> Result<OwnedFd, Fault> {
    pipe.try_clone().map_err(|error: io::Error| {
        Fault::transient(format!("cannot duplicate a pipe: {}", error.kind()))
    })
}
