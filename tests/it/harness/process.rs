//! Processes: which there are, how they end, what they hold.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What a process is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Gateway,
    Spawner,
    /// Was cloned by the spawner and waits to execute a program.
    Waiting,
    Worker,
}

/// A process that is not a zombie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) role: Role,
}

/// A process that is watched, and cannot be mistaken for another that gets its id.
pub(crate) struct Handle(Option<OwnedFd>);

impl Handle {
    /// Of a process, which may be gone already.
    pub(crate) fn of(pid: u32) -> Handle {
        let pid = Pid::from_raw(pid.cast_signed());
        Handle(pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()))
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends a signal; nothing happens if the process is gone.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.0 {
            pidfd_send_signal(process, signal).ok();
        }
    }

    /// Waits until it has ended; false if it did not in time.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let Some(process) = &self.0 else { return true };
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(process, PollFlags::IN)];
            match poll(&mut fds, Some(&timespec(left))) {
                Ok(ready) if ready > 0 => return true,
                Err(rustix::io::Errno::INTR) => {}
                _ => return false,
            }
        }
    }
}

/// For calls that wait.
pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: time.as_secs().cast_signed(),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// The processes that belong to a gateway in `directory`: known by their arguments, or by the
/// environment that the spawner gives to its workers.
pub(crate) fn belonging_to(directory: &Path) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc can be read");
    let own = std::process::id();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<Process> = pids
        .filter(|&pid| pid != own)
        .filter_map(|pid| identify(pid, directory))
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

fn identify(pid: u32, directory: &Path) -> Option<Process> {
    let directory = directory.to_str().expect("the directory's name is plain");
    let line = command_line(pid)?;
    let arguments: Vec<&[u8]> = line.split(|&byte| byte == 0).collect();
    let named = |text: &&[u8]| text.starts_with(format!("{directory}/").as_bytes());
    let role = match arguments[..] {
        [b"stoker-spawner", ..] if arguments.iter().any(named) => match parent_of(pid) {
            Some(parent) if command_line(parent)? == line => Role::Waiting,
            _ => Role::Spawner,
        },
        [_, b"serve", file, ..] if named(&file) => Role::Gateway,
        _ => {
            let scope = variable(pid, "STOKER_SCOPE")?;
            (Path::new(&scope).starts_with(directory)).then_some(Role::Worker)?
        }
    };
    Some(Process { pid, role })
}

fn command_line(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok()
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

/// A variable of the environment that a process was started with.
pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let values = environment.split(|&byte| byte == 0);
    let value = values
        .filter_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .next()?;
    String::from_utf8(value.to_vec()).ok()
}

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// The most that was resident so far.
    pub(crate) peak: u64,
    /// Pages of files among what is resident: of programs, mostly.
    pub(crate) files: u64,
}

/// What a process holds now.
pub(crate) fn memory(pid: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse::<u64>().ok())
            .expect("the kernel tells memory")
            << 10
    };
    Memory {
        resident: kilobytes("VmRSS:"),
        peak: kilobytes("VmHWM:"),
        files: kilobytes("RssFile:"),
    }
}
