//! The program without a gateway.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::exchange::{receive, request};
use crate::sample::{Sample, Samples};
use crate::spawn::Launcher;

/// Above every descriptor that the child replaces: one that stays in place would close on exec.
const ABOVE_INHERITED: i32 = 10;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the program and asks it one thing, again and again.
pub(crate) struct Bare {
    launcher: Launcher,
    socket: PathBuf,
    request: Vec<u8>,
}

impl Bare {
    pub(crate) fn new(program: &Path, directory: &Path) -> io::Result<Self> {
        Ok(Self {
            launcher: Launcher::new(program)?,
            socket: directory.join("bare.sock"),
            request: request("GET", "/", false),
        })
    }

    /// One start; what the gateway does too, from the socket on, is within the time.
    pub(crate) fn sample(&mut self) -> io::Result<Samples> {
        let begun = Instant::now();
        let listener = raised(UnixListener::bind(&self.socket)?.into())?;
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(&self.request)?;
        let running = self.launcher.start(&listener)?;
        let answer = receive(&mut stream, begun);
        drop(running);
        fs::remove_file(&self.socket)?;
        Ok(Samples(vec![Sample::of("bare".to_owned(), "", answer)]))
    }
}

/// The same socket under a number that is out of the child's way.
fn raised(socket: OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: makes a descriptor of one that is open.
    let raised = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, ABOVE_INHERITED) };
    if raised < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(raised) })
}
