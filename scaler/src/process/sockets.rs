//! Listening sockets for instances that inherit theirs, some of them made ahead: each takes a file
//! of its own, for which a start would wait.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::clock::monotonic_nanos;

/// At most so many are made at once, so that whoever makes them is not held up.
const AT_ONCE: usize = 2;

/// Makes sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    directory: PathBuf,
    backlog: u16,
    /// So many are kept.
    limit: usize,
    made: AtomicU64,
    /// Somebody is about to make some.
    is_refilled: AtomicBool,
    ready: Mutex<Vec<Listener>>,
}

/// One that listens, and its file, which stays until somebody removes it.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    pub(super) path: PathBuf,
}

impl Sockets {
    /// In `directory`; none is made yet.
    pub(super) fn new(directory: PathBuf, backlog: u16, limit: usize) -> Sockets {
        Sockets {
            directory,
            backlog,
            limit,
            made: AtomicU64::new(0),
            is_refilled: AtomicBool::new(false),
            ready: Mutex::default(),
        }
    }

    /// One that was made ahead, or a new one.
    pub(super) fn take(&self) -> io::Result<Listener> {
        let ready = self.lock().pop();
        ready.map_or_else(|| self.make(), Ok)
    }

    /// Whether whoever asks is to call [`Sockets::refill`]; others need not until then.
    pub(super) fn begin_refill(&self) -> bool {
        self.lock().len() < self.limit && !self.is_refilled.swap(true, Ordering::Relaxed)
    }

    /// Makes some ahead, if there are too few.
    pub(super) fn refill(&self) {
        self.is_refilled.store(false, Ordering::Relaxed);
        for _ in 0..AT_ONCE {
            if self.lock().len() >= self.limit {
                return;
            }
            // Whoever needs one says why it cannot be made.
            let Ok(listener) = self.make() else { return };
            self.lock().push(listener);
        }
    }

    /// Removes those that nobody needed.
    pub(super) fn clear(&self) {
        for listener in std::mem::take(&mut *self.lock()) {
            // It may be gone with its directory.
            fs::remove_file(listener.path).ok();
        }
    }

    /// Binds and listens. The program inherits the socket blocking, as programs expect.
    fn make(&self) -> io::Result<Listener> {
        // Other gateways make sockets here too, before this one and beside it.
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:x}-{count:x}.sock", monotonic_nanos());
        let path = self.directory.join(name);
        let named = |error: rustix::io::Errno| refused(&path, error);
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let socket = socket.map_err(named)?;
        let address = SocketAddrUnix::new(&path).map_err(named)?;
        rustix::net::bind(&socket, &address).map_err(named)?;
        rustix::net::listen(&socket, self.backlog.into()).map_err(named)?;
        Ok(Listener { socket, path })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.clear();
    }
}

fn refused(path: &Path, error: rustix::io::Errno) -> io::Error {
    let error = io::Error::from(error);
    let detail = format!("cannot listen on {}: {error}", path.display());
    io::Error::new(error.kind(), detail)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn files(directory: &Path) -> usize {
        fs::read_dir(directory).expect("it is there").count()
    }

    #[test]
    fn some_are_made_ahead_and_none_is_left() {
        let directory = std::env::temp_dir().join(format!("stoker-sockets-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("can be made");
        let sockets = Sockets::new(directory.clone(), 5, 3);
        let first = sockets.take().expect("can be made");
        assert_eq!(files(&directory), 1);
        assert!(sockets.begin_refill() && !sockets.begin_refill());
        sockets.refill();
        assert!(sockets.begin_refill());
        sockets.refill();
        sockets.refill();
        assert_eq!(files(&directory), 4);
        assert!(!sockets.begin_refill(), "there are enough");
        let second = sockets.take().expect("is there");
        assert_eq!(files(&directory), 4);
        assert_ne!(first.path, second.path);
        for listener in [&first, &second] {
            UnixStream::connect(&listener.path).expect("it listens");
        }
        sockets.clear();
        assert_eq!(files(&directory), 2, "what was taken is its taker's");
        drop(sockets);
        fs::remove_dir_all(&directory).expect("can be removed");
    }
}
