//! A server that does as it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What becomes of a request.
pub(super) enum Act {
    /// It is answered with these lines of a head, and no body.
    Answer(&'static str),
    /// The connection is closed.
    Close,
    /// All of the server does nothing for so long, then it is answered.
    Stall(Duration),
}

/// A server that does as it is told; one thread per connection.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    act: fn(u64) -> Act,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl Server {
    /// Asks `act` what to do with each request, by its number from 0 on.
    pub(super) fn start(act: fn(u64) -> Act) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            act,
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Server { address, shared }
    }

    pub(super) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    pub(super) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let (mut held, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(count) => held.extend_from_slice(&buffer[..count]),
            }
            if !held.ends_with(b"\r\n\r\n") {
                continue;
            }
            held.clear();
            let lines = match (self.act)(self.requests.fetch_add(1, Ordering::SeqCst)) {
                Act::Answer(lines) => lines,
                Act::Close => return,
                Act::Stall(time) => {
                    thread::sleep(time);
                    ""
                }
            };
            let status = if lines.contains("broken") { 503 } else { 200 };
            let head = format!("HTTP/1.1 {status} Test\r\nContent-Length: 0\r\n{lines}\r\n");
            if stream.write_all(head.as_bytes()).is_err() {
                return;
            }
        }
    }
}
