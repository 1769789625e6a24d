//! A driver with a spawner of its own, and small programs.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use stoker_core::{InstanceId, StartFailure};
use stoker_scaler::driver::{
    Driver, Endpoint, Exit, Isolation, LaunchSpec, Resources, SocketKind, Started,
};
use stoker_scaler::process::{Output, OutputStream, ProcessDriver, ProcessSettings};
use stoker_scaler::spawner::{Connection, SpawnerSettings, launch_or_join};

/// Nothing in these tests takes longer unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Limits that tests wait out, tried in turn: the first one that this machine, which may be busy,
/// does not exceed by itself.
pub(crate) const LIMITS: [Duration; 4] = [
    Duration::from_millis(300),
    Duration::from_secs(2),
    Duration::from_secs(10),
    PATIENCE,
];

/// Answers one line with "hello" for as long as it lives; the socket is called `s`. Whoever tries
/// whether it listens is gone before the answer.
pub(crate) const SERVE: &str = "
while True:
    c, _ = s.accept()
    try:
        c.recv(100)
        c.sendall(b'hello')
    except OSError:
        pass
    c.close()
";

/// A python program on a port.
pub(crate) const ON_PORT: &str = "
import os, socket
s = socket.socket()
s.bind(('127.0.0.1', int(os.environ['PORT'])))
s.listen(9)
";

/// Below those that the kernel gives to clients.
const FIRST_PORT: u16 = 20_000;
/// Ports that are claimed at once.
const BLOCK: u16 = 20;

/// A gateway with a state directory of its own.
pub(crate) struct Bench {
    pub(crate) driver: ProcessDriver,
    pub(crate) settings: SpawnerSettings,
    pub(crate) process: ProcessSettings,
    pub(crate) outputs: Outputs,
}

/// What the hook was given.
#[derive(Clone, Default)]
pub(crate) struct Outputs(Arc<Mutex<Vec<Output>>>);

/// A new directory, short enough for sockets.
pub(crate) fn state_dir() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = PathBuf::from(format!("/tmp/stk-{}-{count}", std::process::id()));
    fs::remove_dir_all(&path).ok();
    path
}

/// Settings for the helper beside the tests.
pub(crate) fn settings() -> SpawnerSettings {
    let mut settings = SpawnerSettings::new(state_dir());
    settings.executable = PathBuf::from(env!("CARGO_BIN_EXE_stoker-test-spawner"));
    settings.arguments = Vec::new();
    settings.grace = Duration::from_secs(30);
    settings
}

/// Ports that no other test has, in this process or in others, and in which nothing lingers of a
/// former run.
pub(crate) fn ports(count: u16) -> ProcessSettings {
    static CLAIMED: Mutex<(u16, Vec<OwnedFd>)> = Mutex::new((0, Vec::new()));
    let mut claimed = CLAIMED.lock().unwrap();
    let (next, claims) = &mut *claimed;
    let mut run = Vec::new();
    while run.len() < usize::from(count.div_ceil(BLOCK)) {
        match claim(*next) {
            Some(claim) => run.push(claim),
            None => run.clear(),
        }
        *next += 1;
    }
    let first = FIRST_PORT + (*next - run.len() as u16) * BLOCK;
    claims.append(&mut run);
    ProcessSettings {
        ports: first..=first + count - 1,
        ..ProcessSettings::default()
    }
}

/// Claims a block of ports, by a name that goes with this process.
fn claim(block: u16) -> Option<OwnedFd> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let name = format!("stoker-test-ports-{block}");
    let flags = SocketFlags::CLOEXEC;
    let claim =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).unwrap();
    let name = SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap();
    rustix::net::bind(&claim, &name).ok()?;
    let first = FIRST_PORT + block * BLOCK;
    (first..first + BLOCK).all(is_quiet).then_some(claim)
}

fn is_quiet(port: u16) -> bool {
    use rustix::net::{AddressFamily, SocketType};
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).is_ok()
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(settings(), ports(20))
    }

    pub(crate) fn with(settings: SpawnerSettings, process: ProcessSettings) -> Bench {
        let connection = launch_or_join(&settings).expect("a spawner");
        Bench::over(connection, settings, process)
    }

    pub(crate) fn over(
        connection: Connection,
        settings: SpawnerSettings,
        process: ProcessSettings,
    ) -> Bench {
        let outputs = Outputs::default();
        let kept = outputs.clone();
        let hook = Arc::new(move |output| kept.0.lock().unwrap().push(output));
        let driver = ProcessDriver::new(process.clone(), connection, hook).expect("a runtime");
        Bench {
            driver,
            settings,
            process,
            outputs,
        }
    }

    /// Starts `spec` as instance `1-count`.
    pub(crate) async fn start(
        &self,
        count: u32,
        spec: LaunchSpec,
    ) -> Result<Started, StartFailure> {
        let started = self.driver.start(id(count), &Arc::new(spec)).await;
        started.inspect(|started| assert!(started.pid.is_some()))
    }

    /// Why `spec` does not start.
    pub(crate) async fn refusal(&self, count: u32, spec: LaunchSpec) -> StartFailure {
        self.start(count, spec)
            .await
            .expect_err("it must not start")
    }

    /// The same of what is executed, but too slow for its start timeout: the first of [`LIMITS`]
    /// that is long enough to find `expected` wrong with it.
    pub(crate) async fn late(&self, spec: LaunchSpec, expected: &str) -> (StartFailure, Duration) {
        for (count, limit) in (11..).zip(LIMITS) {
            let mut spec = spec.clone();
            spec.start_timeout = limit;
            let failure = self.refusal(count, spec).await;
            if failure.detail.starts_with(expected) {
                return (failure, limit);
            }
        }
        panic!("it is never found that it {expected}");
    }

    /// The next exit.
    pub(crate) async fn exit(&self) -> Exit {
        tokio::time::timeout(PATIENCE, self.driver.exited())
            .await
            .expect("something ends")
    }

    /// Ends everything.
    pub(crate) async fn finish(self) {
        self.driver.shutdown().await.expect("the spawner ends");
        fs::remove_dir_all(&self.settings.state_dir).ok();
    }
}

impl Outputs {
    /// All that an instance wrote to its output, once it and its descendants are gone.
    pub(crate) fn all(&self, count: u32) -> String {
        self.read(count, OutputStream::Stdout, |_| false)
    }

    /// The first line of an instance's output.
    pub(crate) fn line(&self, count: u32) -> String {
        let text = self.read(count, OutputStream::Stdout, |text| text.contains('\n'));
        text.lines().next().unwrap_or_default().to_owned()
    }

    pub(crate) fn read(
        &self,
        count: u32,
        stream: OutputStream,
        enough: impl Fn(&str) -> bool,
    ) -> String {
        let pipe = self.pipe(count, stream);
        let mut file = fs::File::from(pipe);
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        let deadline = Instant::now() + PATIENCE;
        while !enough(&text) {
            assert!(Instant::now() < deadline, "no end of {text:?}");
            let mut poll = [PollFd::new(&file, PollFlags::IN)];
            let second = rustix::event::Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            };
            rustix::event::poll(&mut poll, Some(&second)).expect("can poll");
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
        text
    }

    /// Waits until the pipes of an instance are handed out: it is executed.
    pub(crate) async fn wait_for(&self, count: u32) {
        let handed_out = || {
            self.0
                .lock()
                .unwrap()
                .iter()
                .any(|output| output.instance == id(count))
        };
        eventually("the pipes are handed out", handed_out).await;
    }

    /// All that a parent that has ended wrote.
    pub(crate) async fn of_parent(&self) -> String {
        let is_its =
            |output: &Output| output.instance.pool() == 0 && output.stream == OutputStream::Stderr;
        eventually("its pipes are handed out", || {
            self.0.lock().unwrap().iter().any(is_its)
        })
        .await;
        let pipe = {
            let outputs = self.0.lock().unwrap();
            outputs
                .iter()
                .find(|it| is_its(it))
                .unwrap()
                .pipe
                .try_clone()
                .unwrap()
        };
        let mut text = String::new();
        fs::File::from(pipe).read_to_string(&mut text).unwrap();
        text
    }

    fn pipe(&self, count: u32, stream: OutputStream) -> OwnedFd {
        let outputs = self.0.lock().unwrap();
        let mut found = outputs.iter().rev();
        let output = found.find(|output| output.instance == id(count) && output.stream == stream);
        output
            .expect("its pipes were handed out")
            .pipe
            .try_clone()
            .expect("descriptors left")
    }
}

/// The `count`th instance of the only pool.
pub(crate) fn id(count: u32) -> InstanceId {
    InstanceId::new(1, count)
}

/// A launch of `command`.
pub(crate) fn spec(socket: SocketKind, command: &[&str]) -> LaunchSpec {
    LaunchSpec {
        function: Arc::from("greet"),
        revision: Arc::from("r1"),
        number: None,
        command: command.iter().map(ToString::to_string).collect(),
        runtime: None,
        environment: Vec::new(),
        working_directory: PathBuf::from("/"),
        socket,
        user: None,
        rlimits: Vec::new(),
        resources: Resources::default(),
        isolation: Isolation::default(),
        start_timeout: PATIENCE,
    }
}

/// A launch of a python program.
pub(crate) fn python(socket: SocketKind, program: &str) -> LaunchSpec {
    spec(socket, &["python3", "-S", "-E", "-u", "-c", program])
}

/// A launch of a shell program.
pub(crate) fn shell(socket: SocketKind, program: &str) -> LaunchSpec {
    spec(socket, &["sh", "-c", program])
}

/// What an instance answers.
pub(crate) fn ask(endpoint: &Endpoint) -> String {
    fn talk(mut stream: impl Read + std::io::Write) -> String {
        stream.write_all(b"hi\n").expect("can write");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("can read");
        answer
    }
    match endpoint {
        Endpoint::Tcp(address) => talk(TcpStream::connect(address).expect("can connect")),
        Endpoint::Unix(path) => talk(UnixStream::connect(path).expect("can connect")),
    }
}

/// Whether a process runs; zombies do not.
pub(crate) fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" Z"))
    })
}

/// Waits until a process is gone.
pub(crate) async fn gone(pid: u32) {
    eventually(&format!("process {pid} ends"), || !runs(pid)).await;
}

/// Waits until something is so that has no event.
pub(crate) async fn eventually(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
