//! `stoker top` against a running gateway, once and in a terminal.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::harness::{Function, Gateway, Site, in_parallel, wait_until};

fn gateway() -> Gateway {
    Site::new("")
        .function("shop", &Function::fixture("inherit"))
        .function("idle", &Function::fixture("inherit"))
        .start()
}

fn socket(gateway: &Gateway) -> String {
    let path = gateway.site().directory().join("state/admin.sock");
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn top(gateway: &Gateway, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .arg("top")
        .args(arguments)
        .args(["--admin", &socket(gateway)])
        .output()
        .expect("the binary can be executed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn once_prints_a_table() {
    let gateway = gateway();
    gateway.get("/function/shop/pid").good();
    let text = top(
        &gateway,
        &["--once", "--interval", "100ms", "--sort", "instances"],
    );
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..3], ["FUNCTION", "REQ/S", "ERR/S"], "{text}");
    let column = |name| {
        lines[0]
            .iter()
            .position(|other| *other == name)
            .expect("a column")
    };
    assert_eq!((lines[1][0], lines[2][0]), ("shop", "idle"), "{text}");
    assert_eq!(
        (lines[1][column("READY")], lines[2][column("READY")]),
        ("1", "0")
    );
}

#[test]
fn instances_that_are_set_aside_are_counted() {
    let gateway = crate::health::pair("[health]\nfailures = 2\nejection = \"5m\"");
    for _ in 0..2 {
        let lost = gateway.get("/function/f/close");
        lost.problem(502, "instance-lost");
    }
    let rows: Value =
        serde_json::from_str(&top(&gateway, &["--json", "--interval", "100ms"])).expect("JSON");
    let states = &rows[0]["states"];
    assert_eq!(
        (&states["ready"], &states["aside"]),
        (&2.into(), &1.into()),
        "{rows}"
    );
    let text = top(&gateway, &["--once", "--interval", "100ms"]);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let mut headings = lines[0].iter();
    let column = headings.position(|name| *name == "ASIDE");
    assert_eq!(lines[1][column.expect("a column")], "1", "{text}");
}

#[test]
fn json_has_rates_of_the_time_between() {
    let gateway = gateway();
    gateway.get("/function/shop/pid").good();
    let shown = in_parallel(2, |index| match index {
        0 => top(&gateway, &["--json", "--interval", "2s"]),
        _ => {
            // All through the two seconds, so some come between the two looks.
            let mut client = gateway.connect();
            for _ in 0..50 {
                let path = "/function/shop/work?ms=50";
                client.get(path).expect("an answer").good();
            }
            String::new()
        }
    });
    let rows: Value = serde_json::from_str(&shown[0]).expect("JSON");
    let shop = &rows[0];
    assert_eq!(shop["name"], "shop");
    assert!(
        shop["requests_per_second"].as_f64().expect("a rate") > 0.0,
        "{rows}"
    );
    assert!(
        shop["warm_p50_seconds"].as_f64().expect("a time") > 0.02,
        "{rows}"
    );
    assert_eq!(shop["errors_per_second"], 0.0);
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .arg("top")
        .stdin(Stdio::null())
        .output()
        .expect("the binary can be executed");
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--once"), "{errors}");
}

/// Runs a program in a terminal of its own, and says at the end how it ended and whether the
/// terminal's settings are as they were.
const TERMINAL: &str = r#"
import fcntl, os, pty, select, struct, sys, termios
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], sys.argv[1:])
ended = os.pidfd_open(pid)
while True:
    ready, _, _ = select.select([0, master, ended], [], [])
    if master in ready:
        os.write(1, os.read(master, 65536))
    elif ended in ready:
        break
    elif 0 in ready:
        os.write(master, os.read(0, 1024))
_, status = os.waitpid(pid, 0)
same = termios.tcgetattr(slave) == before
os.write(1, f"\nended with {os.waitstatus_to_exitcode(status)}, terminal restored: {same}\n".encode())
"#;

/// `stoker top` in a terminal.
struct Terminal {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(gateway: &Gateway) -> Terminal {
        let mut child = Command::new("python3")
            .args(["-c", TERMINAL, env!("CARGO_BIN_EXE_stoker")])
            .args(["top", "--interval", "100ms", "--admin", &socket(gateway)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there: scripts/setup-tests installs it");
        let said = Arc::<Mutex<String>>::default();
        let (writer, mut output) = (Arc::clone(&said), child.stdout.take().expect("is piped"));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                writer.lock().expect("no panic").push_str(&text);
            }
        });
        Terminal { child, said }
    }

    fn press(&mut self, keys: &str) {
        self.said.lock().expect("no panic").clear();
        let mut input = self.child.stdin.as_ref().expect("is piped");
        input.write_all(keys.as_bytes()).expect("it reads");
        input.flush().expect("it reads");
    }

    /// Waits for a word: blanks that were there already are not drawn again.
    fn wait_for(&self, text: &str) {
        let said = || self.said.lock().expect("no panic").clone();
        wait_until(text, || said().contains(text));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn in_a_terminal_it_follows_keys_and_leaves_it_as_it_was() {
    let mut gateway = gateway();
    gateway.get("/function/shop/pid").good();
    let mut terminal = Terminal::start(&gateway);
    terminal.wait_for("\u{1b}[?1049h");
    terminal.wait_for("shop");
    terminal.press("?");
    terminal.wait_for("columns");
    terminal.press("x/shop\r\r");
    terminal.wait_for("INSTANCE");
    terminal.press("\u{1b}");
    terminal.wait_for("order:");

    // The gateway goes and comes back.
    gateway.signal(rustix::process::Signal::KILL);
    gateway.kill();
    terminal.wait_for("gateway:");
    gateway.restart();
    terminal.press("\r");
    terminal.wait_for("manifest");

    terminal.press("q");
    terminal.wait_for("ended with 0, terminal restored: True");
    terminal.wait_for("\u{1b}[?1049l");
}
