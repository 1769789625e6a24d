//! A function whose other side is the test itself: it sees every byte, and says what it is told to.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Function;

mod message;

pub(crate) use message::Message;

/// Takes the connections of a function. What it gets it takes strictly: whatever is not the one
/// plain form of HTTP/1.1 is noted as a fault, so that nothing ambiguous passes unseen.
pub(crate) struct Upstream {
    path: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whole requests in the order in which they were whole.
    requests: Vec<Message>,
    /// What was no plain request.
    faults: Vec<String>,
    scripts: Vec<Script>,
}

/// What a request is answered with, in place of a 200 that tells its line.
#[derive(Clone)]
pub(crate) struct Script {
    /// Part of the target of those whom it is for.
    pub(crate) target: String,
    /// The answer, byte for byte.
    pub(crate) answer: Vec<u8>,
    pub(crate) when: When,
    /// The connection ends after it.
    pub(crate) close: bool,
}

/// When an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// When the request is whole.
    Whole,
    /// When its head is; the rest is never read.
    Head,
}

impl Upstream {
    /// Begins to listen.
    pub(crate) fn new(name: &str) -> Upstream {
        let path = std::env::temp_dir().join(format!("st-{}-{name}.up", std::process::id()));
        std::fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).expect("a Unix socket can be bound");
        let shared = Arc::<Shared>::default();
        let ours = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&ours);
                thread::spawn(move || shared.serve(&stream));
            }
        });
        Upstream { path, shared }
    }

    /// The function that brings its connections here.
    pub(crate) fn function(&self) -> Function {
        let path = self.path.to_str().expect("the path is plain");
        Function::fixture("inherit").env("FIXTURE_RELAY", path)
    }

    /// Answers in this way from now on.
    pub(crate) fn script(&self, script: Script) {
        self.shared.lock().scripts.push(script);
    }

    /// The requests that came since this was last asked.
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.shared.lock().requests)
    }

    /// What came and was not plain HTTP/1.1 so far. A message that ends too early is no fault.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.shared.lock().faults.clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        std::fs::remove_file(Path::new(&self.path)).ok();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one connection to its end.
    fn serve(&self, stream: &UnixStream) {
        let mut read = Vec::new();
        loop {
            match self.serve_one(stream, &mut read) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    if error.kind() == io::ErrorKind::Other {
                        let got = String::from_utf8_lossy(&read);
                        self.lock().faults.push(format!("{error} in {got:?}"));
                    }
                    break;
                }
            }
        }
        stream.shutdown(Shutdown::Both).ok();
    }

    /// One request; false if the connection ends after it.
    fn serve_one(&self, mut stream: &UnixStream, read: &mut Vec<u8>) -> io::Result<bool> {
        let head = loop {
            if let Some(end) = find(read, b"\r\n\r\n") {
                break Message::head(&read[..end + 4]).map_err(io::Error::other)?;
            }
            fill(stream, read)?;
        };
        let script = self.script_for(&head.target);
        let early = script.as_ref().is_some_and(|s| s.when == When::Head);
        let (message, used) = loop {
            match head.clone().body(read).map_err(io::Error::other)? {
                Some(whole) => break whole,
                None if early => break (head, read.len()),
                None => fill(stream, read)?,
            }
        };
        read.drain(..used);
        let answer = match &script {
            Some(script) => script.answer.clone(),
            None => default_answer(&message),
        };
        self.lock().requests.push(message);
        stream.write_all(&answer)?;
        let close = script.is_some_and(|script| script.close);
        if close {
            stream.shutdown(Shutdown::Write)?;
            io::copy(&mut &*stream, &mut io::sink())?;
        }
        Ok(!close)
    }

    fn script_for(&self, target: &str) -> Option<Script> {
        let state = self.lock();
        let mut scripts = state.scripts.iter();
        scripts.find(|s| target.contains(&s.target)).cloned()
    }
}

/// Tells which request it answers.
fn default_answer(message: &Message) -> Vec<u8> {
    let body = format!("{} {}", message.method, message.target);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let body = if message.method == "HEAD" { "" } else { &body };
    format!("{head}{body}").into_bytes()
}

fn fill(mut stream: &UnixStream, read: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    match super::client::read_once(&mut stream, &mut buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            read.extend_from_slice(&buffer[..count]);
            Ok(())
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
