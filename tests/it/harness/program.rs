//! Clients that are not ours: programs that are run, spoken to line by line, and ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};

use super::PATIENCE;
use super::process::Handle;

/// A running program with its standard streams; dropping it kills it and what it started.
pub(crate) struct Program {
    name: String,
    child: Child,
    handle: Handle,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts it. A program that is missing is a failure of the test: nothing was shown without it.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Program {
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} cannot be run: {error}; scripts/setup-tests installs it")
            });
        let handle = Handle::of(child.id());
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take().expect("is piped");
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output
                .read_until(b'\n', &mut line)
                .is_ok_and(|count| count > 0)
            {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches('\n').trim_end_matches('\r');
                if sender.send(text.to_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        let mut errors = child.stderr.take().expect("is piped");
        let errors = thread::spawn(move || {
            let mut bytes = Vec::new();
            errors.read_to_end(&mut bytes).ok();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Program {
            name: format!("{name} {}", arguments.join(" ")),
            input: child.stdin.take(),
            child,
            handle,
            lines,
            errors: Some(errors),
        }
    }

    /// Starts a script of `tests/it/protocols/programs` in the tests' Python environment.
    pub(crate) fn python(script: &str, arguments: &[&str]) -> Program {
        let (interpreter, script) = (python(), script_path(script));
        let all: Vec<&str> = [script.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        Program::start(&interpreter, &all)
    }

    /// Runs a program to its end and returns what it wrote; it must end well.
    pub(crate) fn run(name: &str, arguments: &[&str]) -> String {
        Program::start(name, arguments).finish()
    }

    /// The next line that it writes.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => self.fail(match error {
                RecvTimeoutError::Timeout => "wrote no line in time",
                RecvTimeoutError::Disconnected => "ended before it wrote a line",
            }),
        }
    }

    /// Asserts what the next line is.
    pub(crate) fn expect(&mut self, wanted: &str) {
        let line = self.line();
        if line != wanted {
            self.fail(&format!("wrote {line:?} in place of {wanted:?}"));
        }
    }

    /// Reads on until a line holds `part`, and returns that.
    pub(crate) fn expect_part(&mut self, part: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Writes a line to it.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its input is open");
        let written = input.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written.and_then(|()| input.flush()) {
            self.fail(&format!("does not take {line:?}: {error}"));
        }
    }

    /// Waits for its end, which must be a good one, and returns the rest of what it wrote.
    pub(crate) fn finish(mut self) -> String {
        drop(self.input.take());
        let mut rest = String::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    rest.push_str(&line);
                    rest.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("did not end in time"),
            }
        }
        if !self.handle.wait(PATIENCE) {
            self.fail("did not end in time");
        }
        let status = self.child.wait().expect("it has ended");
        if !status.success() {
            self.fail(&format!("ended with {status}; it wrote {rest}"));
        }
        rest
    }

    fn kill(&mut self) {
        // As long as it is not waited for, its id is its own.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            kill_process_group(group, Signal::KILL).ok();
        }
        self.child.wait().ok();
    }

    fn fail(&mut self, what: &str) -> ! {
        self.kill();
        let errors = self.errors.take().and_then(|thread| thread.join().ok());
        let rest: Vec<String> = self.lines.try_iter().collect();
        panic!(
            "{} {what}; after that it wrote {rest:?}, and as errors {}",
            self.name,
            errors.unwrap_or_default()
        );
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What has ended well was waited for, and its id may be another's.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
        }
    }
}

/// The interpreter that has the packages of `tests/it/protocols/requirements.txt`.
pub(crate) fn python() -> String {
    let path = format!("{}/target/test-venv/bin/python", env!("CARGO_MANIFEST_DIR"));
    let exists = PathBuf::from(&path).exists();
    assert!(exists, "there is no {path}: scripts/setup-tests makes it");
    path
}

/// A script of `tests/it/protocols/programs`.
pub(crate) fn script_path(name: &str) -> String {
    let path = format!(
        "{}/tests/it/protocols/programs/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    assert!(PathBuf::from(&path).exists(), "there is no {path}");
    path
}
