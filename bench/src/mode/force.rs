//! Making the next request cold.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Bench, Failure};
use crate::stop::Stop;

/// How the next request is made cold, whatever the target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The gateway evicts all instances, and says when they are gone.
    Evict,
    /// A command of a shell; when it has ended well, the target is cold.
    Command(String),
    /// The target is left alone for so long.
    Wait(Duration),
}

/// How, and how long the dust settles.
#[derive(Clone, Debug)]
pub(crate) struct Force {
    /// How.
    pub(crate) way: Way,
    /// From then to the first request.
    pub(crate) settle: Duration,
}

/// Between two looks whether the run is over.
const LOOK: Duration = Duration::from_millis(20);

/// Between two looks whether a command has ended that has closed its output.
const LAST_LOOK: Duration = Duration::from_millis(1);

/// How long after a command's end by SIGINT ours may come: a terminal sends both at once.
const OWN_SIGNAL: Duration = Duration::from_secs(1);

/// Bytes that are shown of what a failed command said.
const SAID_BYTES: u64 = 500;

impl Force {
    /// Makes the next request to each target cold, or returns soon after the run was stopped.
    pub(crate) fn apply(&self, bench: &Bench) -> Result<(), Failure> {
        if bench.stop.is_set() {
            return Ok(());
        }
        let forced = match &self.way {
            Way::Evict => bench
                .admin()
                .and_then(|admin| Ok(admin.evict(&bench.functions)?)),
            Way::Command(command) => run(command, &bench.stop),
            Way::Wait(time) => {
                sleep(*time, &bench.stop);
                Ok(())
            }
        };
        // What was not waited for has not failed.
        if !bench.stop.is_set() {
            forced?;
        }
        sleep(self.settle, &bench.stop);
        Ok(())
    }
}

fn sleep(time: Duration, stop: &Stop) {
    let until = Instant::now() + time;
    while !stop.is_set() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        thread::sleep(left.min(LOOK));
    }
}

/// What it prints is dropped, unless it fails. It is killed if the run is stopped.
fn run(command: &str, stop: &Stop) -> Result<(), Failure> {
    let cannot = |error| {
        Failure(format!(
            "the shell for --cold-command cannot be run: {error}"
        ))
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let ended = ended(&mut child, stop);
    // Does nothing to one that has ended.
    child.kill().ok();
    let Some((status, said)) = ended.map_err(cannot)? else {
        child.wait().map_err(cannot)?;
        return Ok(());
    };
    if status.success() {
        return Ok(());
    }
    if was_interrupted(status) {
        sleep(OWN_SIGNAL, stop);
    }
    let said: String = said.trim().chars().take(SAID_BYTES as usize).collect();
    Err(Failure(format!(
        "the command of --cold-command ended with {status}: {command:?} said {said:?}"
    )))
}

/// How a command ended, and the beginning of what it said; none if the run was stopped before.
fn ended(child: &mut Child, stop: &Stop) -> std::io::Result<Option<(ExitStatus, String)>> {
    let (sender, said) = mpsc::channel();
    if let Some(mut errors) = child.stderr.take() {
        let read = move || {
            let mut text = Vec::new();
            // Four bytes are the longest character.
            let beginning = errors.by_ref().take(4 * SAID_BYTES).read_to_end(&mut text);
            // The rest is read so that the command can write it.
            let all = beginning.and_then(|_| std::io::copy(&mut errors, &mut std::io::sink()));
            // Nobody wants it if the run was stopped.
            sender.send(all.map(|_| text)).ok();
        };
        thread::Builder::new()
            .name("bench-command".into())
            .spawn(read)?;
    }
    let text = loop {
        match said.recv_timeout(LOOK) {
            Ok(text) => break text?,
            Err(RecvTimeoutError::Disconnected) => break Vec::new(),
            Err(RecvTimeoutError::Timeout) if stop.is_set() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    while !stop.is_set() {
        if let Some(status) = child.try_wait()? {
            return Ok(Some((status, String::from_utf8_lossy(&text).into_owned())));
        }
        thread::sleep(LAST_LOOK);
    }
    Ok(None)
}

/// Shells tell of a SIGINT that ended what they ran by 130, or die of it themselves.
fn was_interrupted(status: ExitStatus) -> bool {
    let interrupt = rustix::process::Signal::INT.as_raw();
    status.signal() == Some(interrupt) || status.code() == Some(128 + interrupt)
}
