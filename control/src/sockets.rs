//! Unix sockets that only their owner may use.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

const BACKLOG: i32 = 128;

/// The file of a socket that we listen on, removed when this is dropped unless it is another
/// gateway's or somebody has put another one in its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    /// One of [`Owner`].
    owner: AtomicU8,
}

/// Whose a socket is, in the order in which that changes.
#[derive(Clone, Copy)]
enum Owner {
    Former,
    This,
    Next,
}

impl SocketFile {
    /// The file of a socket that another gateway bound, whose it is until it is claimed.
    pub(crate) fn of(path: &Path) -> io::Result<SocketFile> {
        let file = fs::symlink_metadata(path)?;
        Ok(SocketFile {
            path: path.to_owned(),
            identity: (file.dev(), file.ino()),
            owner: AtomicU8::new(Owner::Former as u8),
        })
    }

    /// It is ours from now on, unless it is the next one's already.
    pub(crate) fn claim(&self) {
        self.owner.fetch_max(Owner::This as u8, Ordering::Relaxed);
    }

    /// It is another gateway's from now on.
    pub(crate) fn keep(&self) {
        self.owner.store(Owner::Next as u8, Ordering::Relaxed);
    }
}

/// Binds a socket with mode 0600 in place of one that nobody listens on any more.
pub(crate) fn bind_private(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    remove_stale(path)?;
    let socket = socket()?;
    // The file takes over the mode of the socket, so that it is never open to others.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let file = SocketFile::of(path)?;
    file.claim();
    Ok((UnixListener::from(socket), file))
}

/// Whether somebody listens on the socket.
pub(crate) fn answers(path: &Path) -> io::Result<bool> {
    let address = SocketAddrUnix::new(path)?;
    match rustix::net::connect(socket()?, &address) {
        // A full backlog belongs to somebody who is merely slow.
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if *self.owner.get_mut() != Owner::This as u8 {
            return;
        }
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.identity);
        if ours {
            // The next start replaces it if this fails.
            fs::remove_file(&self.path).ok();
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        let text = "a file that is no socket is in its place";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    if answers(path)? {
        let text = "another gateway answers there";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    fs::remove_file(path)
}

fn socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}
