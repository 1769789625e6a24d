//! Callers of all kinds, which note whatever is not a good answer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::{Client, PATIENCE, Response};

/// What the callers have seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) answers: usize,
    pub(super) cold: usize,
    pub(super) streams: usize,
    /// Connections that were closed because an answer said so.
    pub(super) farewells: usize,
    pub(super) failures: Vec<String>,
}

/// Callers that call until they are told to finish.
pub(super) struct Load {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    report: Mutex<Report>,
    more: Condvar,
    over: AtomicBool,
}

/// Keeps a connection for as long as it may, and never asks twice.
struct Caller {
    name: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
    client: Option<Client>,
}

/// One call; the number is that of the caller's calls so far.
type Call = fn(&mut Caller, usize);

impl Load {
    pub(super) fn start(address: SocketAddr) -> Load {
        let shared = Arc::<Shared>::default();
        let kinds: [(&'static str, usize, Call); 6] = [
            ("keep-alive", 4, |caller, _| {
                caller.get("/function/steady/work?ms=2")
            }),
            ("post", 2, |caller, _| {
                caller.post("/function/wide/echo", &[b'x'; 3000])
            }),
            ("new connection", 2, |caller, _| {
                caller.client = None;
                caller.get("/function/wide/work?ms=1");
            }),
            ("stream", 2, |caller, _| caller.stream()),
            ("brief", 2, |caller, turn| {
                caller.get("/function/brief/work?ms=1");
                // Idle for longer than its instances may be, so that it meets cold ones.
                thread::sleep(Duration::from_millis(20 + (turn % 5) as u64 * 15));
            }),
            ("slow", 2, |caller, turn| {
                caller.get("/function/slow/work?ms=1");
                thread::sleep(Duration::from_millis(20 + (turn % 7) as u64 * 15));
            }),
        ];
        let callers = kinds.into_iter().flat_map(|(name, count, call)| {
            let shared = Arc::clone(&shared);
            (0..count).map(move |_| {
                let mut caller = Caller {
                    name,
                    address,
                    shared: Arc::clone(&shared),
                    client: None,
                };
                thread::spawn(move || {
                    let mut turn = 0;
                    while !caller.shared.over.load(Ordering::Relaxed) {
                        call(&mut caller, turn);
                        turn += 1;
                    }
                })
            })
        });
        let callers = callers.collect();
        Load { shared, callers }
    }

    /// Waits for so many answers from now on.
    pub(super) fn wait_for_more(&self, count: usize) {
        let report = self.shared.lock();
        let wanted = report.answers + count;
        let (report, _) = self
            .shared
            .more
            .wait_timeout_while(report, PATIENCE, |report| report.answers < wanted)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            report.answers >= wanted,
            "the load has come to a halt: {report}"
        );
    }

    /// Lets the callers call until then.
    pub(super) fn run_until(&self, end: Instant) {
        thread::sleep(end.saturating_duration_since(Instant::now()));
    }

    /// Waits for the last answers.
    pub(super) fn finish(self) -> Report {
        self.shared.over.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.join().expect("no caller panics");
        }
        self.shared.lock().clone()
    }
}

impl Caller {
    fn get(&mut self, path: &str) {
        self.ask(&format!("GET {path}"), "", b"");
    }

    fn post(&mut self, path: &str, body: &[u8]) {
        let headers = format!("Content-Length: {}\r\n", body.len());
        if let Some(answer) = self.ask(&format!("POST {path}"), &headers, body)
            && answer.body != body
        {
            self.fail("the body came back changed");
        }
    }

    /// An answer that takes longer than an upgrade.
    fn stream(&mut self) {
        let answer = self.ask("GET /function/wide/chunked?n=40&ms=20", "", b"");
        if let Some(answer) = answer {
            match answer.text().lines().count() {
                40 => self.shared.lock().streams += 1,
                count => self.fail(&format!("{count} of 40 chunks")),
            }
        }
    }

    fn ask(&mut self, line: &str, headers: &str, body: &[u8]) -> Option<Response> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => match Client::connect(self.address) {
                Ok(client) => client,
                Err(error) => {
                    self.fail(&format!("cannot connect: {error}"));
                    return None;
                }
            },
        };
        let answer = client
            .request(line, headers, body)
            .and_then(|()| client.receive());
        let answer = match answer {
            Ok(answer) if answer.is_good() => Ok(answer),
            Ok(answer) => Err(answer.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.fail(&format!("{line}: {error}"));
                return None;
            }
        };
        let last = answer.header("connection") == Some("close");
        self.client = (!last).then_some(client);
        let mut report = self.shared.lock();
        report.answers += 1;
        report.farewells += usize::from(last);
        report.cold += usize::from(answer.header("stoker-start") == Some("cold"));
        drop(report);
        self.shared.more.notify_all();
        Some(answer)
    }

    fn fail(&mut self, what: &str) {
        self.client = None;
        let failure = format!("{}: {what}", self.name);
        self.shared.lock().failures.push(failure);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} answers, {} of them cold, {} streams, {} connections bid farewell, {} failures",
            self.answers,
            self.cold,
            self.streams,
            self.farewells,
            self.failures.len()
        )
    }
}
