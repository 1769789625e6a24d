//! The gateway's side of the beginning: joins the spawner of a former gateway, or launches one.
//!
//! All of it blocks, within bounds: it runs before the runtime does.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags};

use super::cgroup::CgroupSettings;
use super::lock::StateLock;
use super::orphans::collect_orphans;
use super::packet::{Inbox, Packet, widen};
use super::protocol::{Event, Request, VERSION};

mod join;

/// How long the spawner of a former gateway may take to answer a greeting.
const GREETING: Duration = Duration::from_secs(5);

/// How long a new one may take until then, on a machine that is busy. If it ends, that is seen.
const LAUNCH: Duration = Duration::from_secs(60);

/// A spawner that has another gateway, or is about to end.
const REFUSED: io::ErrorKind = io::ErrorKind::ResourceBusy;

/// The state directory's path may not be longer, for the names of Unix sockets below it may not
/// exceed 107 bytes.
const MAX_STATE_DIR: usize = 70;

/// How to launch a spawner and what it shall do when the gateway is gone.
#[derive(Clone, Debug)]
pub struct SpawnerSettings {
    /// Where sockets and locks are. Made if it is not there; its path is at most 70 bytes long.
    pub state_dir: PathBuf,
    /// What is executed.
    pub executable: PathBuf,
    /// Its arguments before the state directory.
    pub arguments: Vec<OsString>,
    /// How long workers run on without a gateway, to be adopted by the next; none: they are stopped
    /// as soon as the gateway is gone.
    pub adoption: Option<Duration>,
    /// From SIGTERM to SIGKILL when everything is stopped.
    pub grace: Duration,
    /// Whether instances get control groups, and where.
    pub cgroups: CgroupSettings,
    /// Networks that are kept ready, once an instance has wanted one of its own.
    pub spare_networks: usize,
    /// Programs of which a process waits to become the next instance: those started last.
    pub stubs: usize,
}

impl SpawnerSettings {
    /// `stoker spawner` of this very program; no adoption, 10 s of grace, control groups if
    /// possible, 8 spare networks, 4 stubs.
    pub fn new(state_dir: impl Into<PathBuf>) -> SpawnerSettings {
        SpawnerSettings {
            state_dir: state_dir.into(),
            executable: this_program(),
            arguments: vec![OsString::from("spawner")],
            adoption: None,
            grace: Duration::from_secs(10),
            cgroups: CgroupSettings::default(),
            spare_networks: 8,
            stubs: 4,
        }
    }
}

/// A connection to a spawner, and the right to the state directory.
#[derive(Debug)]
pub struct Connection {
    pub(crate) spawner: Spawner,
    /// With the state directory's real path.
    pub(crate) settings: SpawnerSettings,
    pub(crate) lock: StateLock,
    /// Another gateway leads, for now.
    pub(crate) heir: bool,
    workers: usize,
}

/// A connected spawner.
#[derive(Debug)]
pub(crate) struct Spawner {
    pub(crate) socket: OwnedFd,
    pub(crate) pid: u32,
    /// To signal it and nobody else; none if the kernel has no pidfds.
    pub(crate) process: Option<OwnedFd>,
    /// To reap it; none if it was launched by a former gateway.
    pub(crate) child: Option<Child>,
}

/// This very program: by its path, which is also right where another program stands in for it, as
/// valgrind does, or by the kernel's link once the file was replaced.
fn this_program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    fs::read_link(&link)
        .ok()
        .filter(|path| path.exists())
        .unwrap_or(link)
}

impl Connection {
    /// The spawner's process.
    pub fn spawner_pid(&self) -> u32 {
        self.spawner.pid
    }

    /// How many workers of a former gateway it has.
    pub fn workers(&self) -> usize {
        self.workers
    }
}

impl Spawner {
    /// One that has just answered, so that its pid is its own.
    fn new(socket: OwnedFd, pid: u32, child: Option<Child>) -> Spawner {
        let process = Pid::from_raw(pid.cast_signed())
            .and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        widen(&socket);
        Spawner {
            socket,
            pid,
            process,
            child,
        }
    }
}

/// Joins the spawner that a former gateway left in the state directory, or launches one, after
/// collecting what a dead one left.
///
/// To be called before threads are started, with the runtime's among them. Fails if another gateway
/// uses the state directory.
pub fn launch_or_join(settings: &SpawnerSettings) -> io::Result<Connection> {
    let mut settings = settings.clone();
    settings.state_dir = prepare_directories(&settings.state_dir)?;
    let lock = StateLock::take(&settings.state_dir)?;
    if let Some((spawner, workers)) = join::join_patiently(&settings)? {
        collect_orphans(&settings.state_dir, Some(spawner.pid))?;
        return Ok(Connection {
            spawner,
            settings,
            lock,
            heir: false,
            workers,
        });
    }
    remove_leftovers(&settings.state_dir)?;
    let spawner = launch(&settings)?;
    Ok(Connection {
        spawner,
        settings,
        lock,
        heir: false,
        workers: 0,
    })
}

/// Joins the spawner of a living gateway, to succeed it, and shares its `lock` of the state
/// directory.
///
/// # Errors
/// If there is no spawner, if it is of another release, or if it refuses.
pub fn join_as_heir(settings: &SpawnerSettings, lock: OwnedFd) -> io::Result<Connection> {
    let mut settings = settings.clone();
    settings.state_dir = prepare_directories(&settings.state_dir)?;
    let (spawner, workers) = join::join_living(&settings)?;
    Ok(Connection {
        spawner,
        settings,
        lock: StateLock::share(lock),
        heir: true,
        workers,
    })
}

/// Launches a spawner where none lives, after collecting what a dead one left.
pub(crate) fn launch(settings: &SpawnerSettings) -> io::Result<Spawner> {
    collect_orphans(&settings.state_dir, None)?;
    fs::remove_file(socket_path(&settings.state_dir)).or_else(absent)?;
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut child = Command::new(&settings.executable)
        .arg0("stoker-spawner")
        .args(&settings.arguments)
        .arg(&settings.state_dir)
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| {
            let executable = settings.executable.display();
            io::Error::new(
                error.kind(),
                format!("cannot execute {executable}: {error}"),
            )
        })?;
    match greet(&ours, settings, false, LAUNCH) {
        Ok(Some((_, pid, _))) => Ok(Spawner::new(ours, pid, Some(child))),
        answer => {
            child.kill().ok();
            child.wait().ok();
            let cause = match answer {
                Err(error) => error.to_string(),
                Ok(_) => "it ended at once".to_owned(),
            };
            Err(io::Error::other(format!(
                "cannot launch the spawner: {cause}"
            )))
        }
    }
}

/// Makes the directories below the state directory; its real path.
fn prepare_directories(state_dir: &Path) -> io::Result<PathBuf> {
    // Workers of other users must reach their own sockets below it, and see no more.
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o711);
    builder.create(state_dir)?;
    let real = fs::canonicalize(state_dir)?;
    if real.to_str().is_none() {
        let detail = format!(
            "the path of the state directory {} is not UTF-8",
            real.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, detail));
    }
    if real.as_os_str().len() > MAX_STATE_DIR {
        let detail = format!(
            "the path of the state directory {} is longer than {MAX_STATE_DIR} bytes, so sockets \
             below it could not be bound",
            real.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, detail));
    }
    builder.create(real.join("run"))?;
    Ok(real)
}

/// Where a spawner listens for the next gateway.
pub(super) fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("spawner.sock")
}

/// Says hello; version, process and workers of the spawner, or none if it is gone.
fn greet(
    socket: &OwnedFd,
    settings: &SpawnerSettings,
    heir: bool,
    patience: Duration,
) -> io::Result<Option<(u32, u32, usize)>> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let hello = Request::Hello {
        version: VERSION,
        adoption_ms: settings.adoption.map(millis),
        grace_ms: millis(settings.grace),
        heir,
        cgroups: settings.cgroups.clone(),
        spare_networks: settings.spare_networks,
        stubs: settings.stubs,
    };
    rustix::net::sockopt::set_socket_timeout(socket, Timeout::Recv, Some(patience))?;
    match Packet::new(&hello, Vec::new())?.send(socket) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        result => result?,
    }
    match Inbox::new().receive::<Event>(socket) {
        Ok(Some((
            Event::Welcome {
                version,
                pid,
                workers,
            },
            _,
        ))) => {
            rustix::net::sockopt::set_socket_timeout(socket, Timeout::Recv, None)?;
            rustix::io::ioctl_fionbio(socket, true)?;
            Ok(Some((version, pid, workers)))
        }
        Ok(Some((Event::Refused { reason }, _))) => Err(io::Error::new(REFUSED, reason)),
        Ok(Some(_)) => Err(io::Error::other(
            "it did not answer a greeting with a greeting",
        )),
        Ok(None) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::Error::other(format!(
            "it did not answer within {patience:?}"
        ))),
        Err(error) => Err(error),
    }
}

/// Removes the sockets of the workers of a spawner that is gone.
fn remove_leftovers(state_dir: &Path) -> io::Result<()> {
    let run = state_dir.join("run");
    fs::remove_dir_all(&run).or_else(absent)?;
    DirBuilder::new().mode(0o711).create(run)
}

/// What is to be removed may be missing.
pub(super) fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}
