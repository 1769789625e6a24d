//! Limits and isolation of instances through the whole gateway.

use crate::harness::{Function, Gateway, Site};

/// Answers with its pid and its host's name, and takes 200 MiB when asked for `/grow`.
const PROGRAM: &str = "
import os, socket
s = socket.socket(fileno=3)
while True:
    c, _ = s.accept()
    if b'/grow' in c.recv(9999):
        b = bytearray(200 << 20)
    body = f'{os.getpid()} {socket.gethostname()}'
    c.sendall(f'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}'.encode())
    c.close()
";

fn function(tables: &str) -> Function {
    let command = ["python3", "-S", "-E", "-c", PROGRAM];
    Function::new("inherit", &command)
        .scaling(1, 1, "")
        .with(tables)
}

/// None where the machine does not let us: why.
fn started(gateway: &Gateway) -> Result<String, String> {
    let answer = gateway.get("/function/f");
    match answer.is_good() {
        true => Ok(answer.text()),
        false => Err(answer.text()),
    }
}

#[test]
fn a_request_that_takes_too_much_memory_ends_its_instance_with_the_reason() {
    let function = function("[resources]\nmemory = \"64MiB\"\nprocesses = 8");
    let gateway = Site::new("").function("f", &function).start();
    if let Err(why) = started(&gateway) {
        assert!(why.contains("cannot limit memory"), "{why}");
        return eprintln!("not tested: {why}");
    }
    let lost = gateway.get("/function/f/grow");
    let detail = lost.problem(502, "instance-lost");
    assert!(
        detail.contains("it used more than resources.memory = 64MiB"),
        "{detail}"
    );
    started(&gateway).expect("another instance");
}

#[test]
fn limits_without_groups_are_refused_with_the_reason() {
    let function = function("[resources]\ncpu = 0.5");
    let gateway = Site::new("[cgroups]\nenabled = false")
        .function("f", &function)
        .start();
    let why = started(&gateway).expect_err("it must not start");
    assert!(
        why.contains("cannot limit cpu: cgroups.enabled is false"),
        "{why}"
    );
}

#[test]
fn an_isolated_instance_outlives_an_upgrade() {
    let function = function(
        "[isolation]\nnamespaces = [\"mount\", \"pid\", \"ipc\", \"uts\", \"net\"]\n\
         seccomp = \"default\"\nread-only = true",
    );
    let mut gateway = Site::new("").function("f", &function).start();
    match started(&gateway) {
        Ok(text) => assert_eq!(text, "1 f"),
        Err(why) => {
            assert!(why.contains("cannot make the namespaces"), "{why}");
            return eprintln!("not tested: {why}");
        }
    }
    let before = gateway.workers();
    gateway.upgrade();
    assert_eq!(started(&gateway).as_deref(), Ok("1 f"));
    assert_eq!(gateway.workers(), before, "it is the same one");
}
