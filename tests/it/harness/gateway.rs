//! The running binary.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::{self, Handle, Memory, Process, Role};
use super::{Client, PATIENCE, Response, Site};

/// `stoker serve`, from its start until nothing is left of it.
///
/// Dropping it ends it with SIGTERM and asserts that no process is left behind.
pub(crate) struct Gateway {
    site: Site,
    running: Running,
    /// Those that it took over from, oldest first.
    former: Vec<Handle>,
    /// Children that were replaced, to be reaped.
    children: Vec<Child>,
    /// It was killed, so what it leaves behind is no fault.
    killed: bool,
}

/// One process of the binary.
struct Running {
    child: Child,
    handle: Handle,
    /// In the order of the listeners.
    addresses: Vec<SocketAddr>,
    errors: Arc<Lines>,
    startup: Duration,
}

impl Running {
    fn start(site: &Site, open_files: Option<u32>) -> Running {
        let begun = Instant::now();
        let binary = env!("CARGO_BIN_EXE_stoker");
        let mut command = match open_files {
            None => Command::new(binary),
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell.args([
                    "-c",
                    "ulimit -n $0 && exec \"$@\"",
                    &limit.to_string(),
                    binary,
                ]);
                shell
            }
        };
        let mut child = command
            .arg("serve")
            .arg(site.file())
            // A service manager, if the test is one.
            .envs(Some(("NOTIFY_SOCKET", site.notify())).filter(|(_, path)| path.exists()))
            // Where it makes itself known to commands: not to those of whoever runs the tests.
            .env("XDG_RUNTIME_DIR", site.directory())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be executed");
        let handle = Handle::of(child.id());
        let errors = Lines::follow(child.stderr.take().expect("is piped"));
        let said = first_line(child.stdout.take().expect("is piped"));
        let line = said.recv_timeout(PATIENCE).unwrap_or_default();
        let startup = begun.elapsed();
        let listeners = line.rsplit_once(" on ").map(|(_, listeners)| listeners);
        // Of each, the words in brackets may have commas of their own.
        let words = listeners.unwrap_or_default().split([' ', ',']);
        let addresses: Vec<SocketAddr> = words.filter_map(|word| word.parse().ok()).collect();
        if addresses.is_empty() {
            handle.kill();
            child.wait().ok();
            panic!(
                "stoker does not serve; it said {line:?} and {}",
                errors.text()
            );
        }
        Running {
            child,
            handle,
            addresses,
            errors,
            startup,
        }
    }
}

impl Gateway {
    /// Starts the binary for `site` and waits until it accepts.
    pub(crate) fn start(site: Site) -> Gateway {
        Gateway::start_within(site, None)
    }

    /// The same, with so many open files at most.
    pub(crate) fn start_within(site: Site, open_files: Option<u32>) -> Gateway {
        let running = Running::start(&site, open_files);
        Gateway {
            site,
            running,
            former: Vec::new(),
            children: Vec::new(),
            killed: false,
        }
    }

    /// Has a new process of the same binary take over; its process.
    pub(crate) fn upgrade(&mut self) -> u32 {
        let pid = self.try_upgrade(&[]);
        pid.unwrap_or_else(|error| panic!("{error}; {}", self.running.errors.text()))
    }

    /// Starts another one in place of this one, which is being killed.
    pub(crate) fn restart_at_once(&mut self) {
        self.killed = true;
        self.restart();
    }

    /// Runs a command of the admin API; what it prints, or complains of.
    pub(crate) fn try_admin(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
            .args(arguments)
            .arg("--admin")
            .arg(self.site.directory().join("state/admin.sock"))
            .output()
            .expect("the binary can be executed");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Runs `stoker upgrade` with these arguments; the new process, or what it complains of.
    pub(crate) fn try_upgrade(&mut self, arguments: &[&str]) -> Result<u32, String> {
        let said = self.try_admin(&[&["upgrade"], arguments].concat())?;
        let pid = said.split_whitespace().nth(1);
        let pid = pid.and_then(|pid| pid.parse().ok()).expect("it says which");
        self.follow(pid);
        Ok(pid)
    }

    /// This process is the one from now on.
    pub(crate) fn follow(&mut self, pid: u32) {
        let former = std::mem::replace(&mut self.running.handle, Handle::of(pid));
        self.former.push(former);
    }

    /// The process of the gateway.
    pub(crate) fn pids_of_gateways(&self) -> Vec<u32> {
        self.pids(Role::Gateway)
    }

    /// Waits until none is left of those that were replaced.
    pub(crate) fn wait_for_former(&self) {
        for former in &self.former {
            assert!(
                former.wait(PATIENCE),
                "a former gateway does not end; they said {}",
                self.running.errors.text()
            );
        }
    }

    /// Starts another one in place of this one, which was killed.
    pub(crate) fn restart(&mut self) {
        assert!(self.killed, "there is one already");
        let former = std::mem::replace(&mut self.running, Running::start(&self.site, None));
        self.children.push(former.child);
        self.killed = false;
    }

    /// From its execution until it said that it serves.
    pub(crate) fn startup(&self) -> Duration {
        self.running.startup
    }

    /// Where callers connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener(0)
    }

    /// Where callers of another listener connect: those of `listen` come first.
    pub(crate) fn listener(&self, index: usize) -> SocketAddr {
        self.running.addresses[index]
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address()).expect("the gateway accepts")
    }

    /// One GET on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.connect()
            .get(path)
            .unwrap_or_else(|error| panic!("no answer to GET {path}: {error}"))
    }

    /// One GET on a connection of its own, which may fail.
    pub(crate) fn try_get(&self, path: &str) -> std::io::Result<Response> {
        Client::connect(self.running.addresses[0])?.get(path)
    }

    /// This process is the one from now on, the other having been killed.
    pub(crate) fn adopt(&mut self, pid: u32) {
        self.follow(pid);
        self.killed = false;
    }

    /// Its directory.
    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// The memory of its process.
    pub(crate) fn memory(&self) -> Memory {
        process::memory(self.running.child.id())
    }

    /// The processes of instances, by their ids.
    pub(crate) fn workers(&self) -> Vec<u32> {
        self.pids(Role::Worker)
    }

    /// The spawner's process.
    pub(crate) fn spawner(&self) -> u32 {
        *self
            .pids(Role::Spawner)
            .first()
            .expect("there is a spawner")
    }

    /// All of its processes.
    pub(crate) fn processes(&self) -> Vec<Process> {
        process::belonging_to(self.site.directory())
    }

    fn pids(&self, role: Role) -> Vec<u32> {
        let processes = self.processes().into_iter();
        processes
            .filter(|process| process.role == role)
            .map(|process| process.pid)
            .collect()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.running.handle.signal(signal);
    }

    /// Kills it and leaves its spawner and workers alone.
    pub(crate) fn kill(&mut self) {
        self.killed = true;
        self.running.handle.kill();
        self.wait_for_end();
    }

    /// Notes that it was killed by somebody else, and waits for its end.
    pub(crate) fn is_killed(&mut self) {
        self.killed = true;
        self.wait_for_end();
    }

    fn wait_for_end(&self) {
        assert!(
            self.running.handle.wait(PATIENCE),
            "stoker does not end; it said {}",
            self.running.errors.text()
        );
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_for_end();
        self.running.child.wait().expect("it has ended")
    }

    /// True until it has ended.
    pub(crate) fn is_alive(&self) -> bool {
        !self.running.handle.wait(Duration::ZERO)
    }

    /// Waits for a line on standard error that contains all of `parts`, not before line `from`.
    pub(crate) fn wait_for_error(&self, from: usize, parts: &[&str]) -> String {
        self.running.errors.wait_for(from, parts)
    }

    /// All that it has said on standard error.
    pub(crate) fn errors(&self) -> String {
        self.running.errors.text()
    }

    /// How many lines it has said on standard error.
    pub(crate) fn error_count(&self) -> usize {
        self.running.errors.lock().len()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let panicking = thread::panicking();
        for former in &self.former {
            former.signal(Signal::TERM);
        }
        self.running.handle.signal(Signal::TERM);
        let ended = self.running.handle.wait(PATIENCE)
            && self.former.iter().all(|former| former.wait(PATIENCE));
        let left = self.processes();
        for process in &left {
            Handle::of(process.pid).kill();
        }
        self.running.handle.kill();
        self.former.iter().for_each(Handle::kill);
        self.running.child.wait().ok();
        for child in &mut self.children {
            child.wait().ok();
        }
        if panicking {
            eprintln!("stoker said: {}", self.running.errors.text());
            return;
        }
        assert!(
            ended,
            "stoker did not end on SIGTERM; it said {}",
            self.running.errors.text()
        );
        assert!(self.killed || left.is_empty(), "left behind: {left:?}");
    }
}

/// The lines of a stream so far.
struct Lines {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Lines {
    fn follow(stream: impl Read + Send + 'static) -> Arc<Lines> {
        let lines = Arc::new(Lines {
            lines: Mutex::default(),
            more: Condvar::new(),
        });
        let writer = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                writer.lock().push(line);
                writer.more.notify_all();
            }
        });
        lines
    }

    fn wait_for(&self, from: usize, parts: &[&str]) -> String {
        let fits = |line: &&String| parts.iter().all(|part| line.contains(part));
        let none = |lines: &mut Vec<String>| !lines.iter().skip(from).any(|line| fits(&line));
        let (lines, _) = self
            .more
            .wait_timeout_while(self.lock(), PATIENCE, none)
            .unwrap_or_else(PoisonError::into_inner);
        let found = lines.iter().skip(from).find(fits).cloned();
        found.unwrap_or_else(|| panic!("stoker never said {parts:?}, but {:#?}", &lines[..]))
    }

    fn text(&self) -> String {
        format!("{:#?}", &self.lock()[..])
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first line of a stream, which is read to its end so that nobody waits for us.
fn first_line(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Only the first one is waited for.
            sender.send(line).ok();
        }
    });
    receiver
}
