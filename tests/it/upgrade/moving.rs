//! What moves with an upgrade besides requests: output, an operator's wish, the name of the service.

use std::fs;
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use super::workers_of;
use crate::harness::{Function, Gateway, PATIENCE, Site, wait_until};

/// Answers requests, and prints numbered lines in two pieces without end.
const CHATTY: &str = "
import socket, sys, threading, time
def talk():
    n = 0
    while True:
        sys.stdout.write(f'line {n} ')
        sys.stdout.flush()
        time.sleep(0.0005)
        sys.stdout.write('ends\\n')
        sys.stdout.flush()
        n += 1
threading.Thread(target=talk, daemon=True).start()
s = socket.socket(fileno=3)
while True:
    c, _ = s.accept()
    while c.recv(65536):
        c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
    c.close()
";

/// The lines that the function printed, as they are in its log.
fn printed(gateway: &Gateway) -> Vec<String> {
    let path = gateway.site().directory().join("state/logs/f.log");
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let printed = lines.filter_map(|line| Some(line[line.find("line ")?..].trim().to_owned()));
    printed.collect()
}

#[test]
fn every_line_of_output_is_kept_once() {
    let function =
        Function::new("inherit", &["python3", "-c", CHATTY]).scaling(1, 1, "min-scale = 1");
    let mut gateway = Site::new("").function("f", &function).start();
    gateway.get("/function/f/").good();
    for round in 1..=5 {
        let seen = printed(&gateway).len();
        wait_until("it prints on", || printed(&gateway).len() > seen + 50);
        gateway.upgrade();
        gateway.get("/function/f/").good();
        assert_eq!(workers_of(&gateway, "f").len(), 1, "upgrade {round}");
    }
    let seen = printed(&gateway).len();
    wait_until("it prints on", || printed(&gateway).len() > seen + 50);
    for (number, line) in printed(&gateway).iter().enumerate() {
        assert_eq!(*line, format!("line {number} ends"));
    }
}

#[test]
fn what_an_operator_holds_is_held_on() {
    let function = Function::fixture("inherit").scaling(1, 4, "idle-timeout = \"50ms\"");
    let mut gateway = Site::new("").function("f", &function).start();
    let held = gateway.try_admin(&["scale", "f", "3"]);
    held.expect("three are held");
    wait_until("three are up", || workers_of(&gateway, "f").len() == 3);
    let before = workers_of(&gateway, "f");
    gateway.upgrade();
    let shown = gateway.try_admin(&["ls", "--json"]).expect("a list");
    assert!(shown.contains("\"scale_override\":3"), "{shown}");
    assert_eq!(workers_of(&gateway, "f"), before);
    gateway
        .try_admin(&["scale", "f", "auto"])
        .expect("it is let go");
    wait_until("all are idle for too long", || {
        workers_of(&gateway, "f").is_empty()
    });
}

#[test]
fn a_signal_upgrades_and_the_service_manager_follows() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let site = Site::new("").function("f", &function);
    let manager = UnixDatagram::bind(site.notify()).expect("can be bound");
    manager
        .set_read_timeout(Some(PATIENCE))
        .expect("can be set");
    let hear = || {
        let mut buffer = [0; 200];
        let length = loop {
            match manager.recv(&mut buffer) {
                // With a timeout it is, when the machine was frozen meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                length => break length.expect("it is told"),
            }
        };
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut gateway = site.start();
    let first = gateway.pids_of_gateways()[0];
    assert_eq!(hear(), format!("MAINPID={first}\nREADY=1"));
    gateway.get("/function/f/work").good();
    gateway.signal(Signal::USR2);
    let said = hear();
    let second = said
        .strip_prefix("MAINPID=")
        .and_then(|rest| rest.strip_suffix("\nREADY=1"));
    let second: u32 = second
        .and_then(|pid| pid.parse().ok())
        .expect("another process");
    assert_ne!(first, second);
    gateway.follow(second);
    let answer = gateway.get("/function/f/work").good();
    assert_eq!(answer.header("stoker-start"), Some("warm"));
    gateway.wait_for_former();
    assert_eq!(gateway.pids_of_gateways(), [second]);
}

#[test]
fn addresses_come_and_go_with_the_file() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let mut gateway = Site::new("").function("f", &function).start();
    gateway.get("/function/f/work").good();
    let file = gateway.site().file();
    let text = fs::read_to_string(&file).expect("can be read");
    let socket = gateway.site().directory().join("more.sock");
    let more = text.replace("listen = [", "listen = [\"unix:more.sock\", ");
    fs::write(&file, more).expect("can be written");
    gateway.upgrade();
    gateway.get("/function/f/work").good();
    let ask = || std::os::unix::net::UnixStream::connect(&socket);
    let mut client = crate::harness::Client::over(ask().expect("it listens there too"));
    client.get("/function/f/work").expect("an answer").good();
    drop(client);
    fs::write(&file, text).expect("can be written");
    gateway.upgrade();
    gateway.wait_for_former();
    assert!(ask().is_err(), "nobody listens there any more");
    gateway.get("/function/f/work").good();
}

/// The kernel may still be closing what the killed one had.
#[test]
fn a_gateway_that_is_started_right_after_a_kill_gets_its_address() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let mut gateway = Site::new("").function("f", &function).start();
    let address = gateway.address();
    let file = gateway.site().file();
    let text = fs::read_to_string(&file).expect("can be read");
    fs::write(&file, text.replace("127.0.0.1:0", &address.to_string())).expect("can be written");
    for _ in 0..5 {
        // A connection that is open keeps the dying one busy.
        let mut open = gateway.connect();
        open.get("/function/f/work").expect("an answer").good();
        gateway.signal(Signal::KILL);
        gateway.restart_at_once();
        assert_eq!(gateway.address(), address);
        assert!(open.is_closed_within(PATIENCE));
    }
}
