//! Making the next request cold.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Bench, Failure};

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

impl Force {
    /// Makes the next request to each target cold.
    pub(crate) fn apply(&self, bench: &Bench) -> Result<(), Failure> {
        match &self.way {
            Way::Evict => bench.admin()?.evict(&bench.functions)?,
            Way::Command(command) => run(command)?,
            Way::Wait(time) => sleep(*time, bench),
        }
        sleep(self.settle, bench);
        Ok(())
    }
}

fn sleep(time: Duration, bench: &Bench) {
    let until = Instant::now() + time;
    while !bench.stop.is_set() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        thread::sleep(left.min(LOOK));
    }
}

/// What it prints is dropped, unless it fails.
fn run(command: &str) -> Result<(), Failure> {
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output();
    let output = output.map_err(|error| {
        Failure(format!(
            "the shell for --cold-command cannot be run: {error}"
        ))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(500).collect();
    Err(Failure(format!(
        "the command of --cold-command ended with {}: {command:?} said {said:?}",
        output.status
    )))
}
