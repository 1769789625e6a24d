//! One connection: reads requests, answers them in order.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::head::{Parsed, Request, parse};

const SMALL_BODY: &[u8] = b"Hello, World!";
const LARGE_BODY: usize = 64 * 1024;
const WORK: Duration = Duration::from_millis(20);
/// Heads beyond this are refused.
const HEAD_LIMIT: usize = 64 * 1024;

static SMALL: LazyLock<Answer> = LazyLock::new(|| Answer::new(SMALL_BODY));
static LARGE: LazyLock<Answer> = LazyLock::new(|| Answer::new(&[b'x'; LARGE_BODY]));
const REFUSAL: &[u8] =
    b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A response, made once.
struct Answer {
    bytes: Vec<u8>,
    head: usize,
}

impl Answer {
    fn new(body: &[u8]) -> Self {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut bytes = head.clone().into_bytes();
        bytes.extend_from_slice(body);
        Self {
            bytes,
            head: head.len(),
        }
    }

    fn to(&'static self, request: Request) -> &'static [u8] {
        if request.head_only {
            &self.bytes[..self.head]
        } else {
            &self.bytes
        }
    }
}

/// What the server has to do after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for more of the caller.
    Read,
    /// Wait until the caller takes more.
    Write,
    /// Forget the connection.
    Close,
}

/// One connection and where it stands.
pub(crate) struct Connection {
    socket: OwnedFd,
    /// Input that is not used yet; empty in the usual case.
    input: Vec<u8>,
    /// The request whose body is being read, with what is left of it.
    reading: Option<Request>,
    /// What is left of the answer that the caller did not take at once.
    output: &'static [u8],
    closing: bool,
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            input: Vec::new(),
            reading: None,
            output: &[],
            closing: false,
        }
    }

    /// Reads once and answers all that is complete; `scratch` is shared by all connections.
    pub(crate) fn readable(&mut self, scratch: &mut [u8]) -> Next {
        let count = match recv(&self.socket, &mut *scratch, RecvFlags::empty()) {
            Ok((0, _)) => return Next::Close,
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Next::Read,
            Err(_) => return Next::Close,
        };
        let new = &scratch[..count];
        if self.input.is_empty() {
            let used = self.answer(new);
            self.input.extend_from_slice(&new[used..]);
        } else {
            self.input.extend_from_slice(new);
            self.answer_stored();
        }
        self.next()
    }

    /// Writes on, then answers what came in meanwhile.
    pub(crate) fn writable(&mut self) -> Next {
        self.write(self.output);
        self.answer_stored();
        self.next()
    }

    fn next(&self) -> Next {
        if !self.output.is_empty() {
            Next::Write
        } else if self.closing || self.input.len() > HEAD_LIMIT {
            Next::Close
        } else {
            Next::Read
        }
    }

    fn answer_stored(&mut self) {
        let mut input = std::mem::take(&mut self.input);
        let used = self.answer(&input);
        input.drain(..used);
        self.input = input;
    }

    /// Answers the requests at the front of `input`; the number of bytes used.
    fn answer(&mut self, input: &[u8]) -> usize {
        let mut used = 0;
        while self.output.is_empty() && !self.closing {
            let rest = &input[used..];
            let Some(request) = self.reading.as_mut() else {
                match parse(rest) {
                    Parsed::Partial => break,
                    Parsed::Bad => self.refuse(),
                    Parsed::Head { length, request } => {
                        self.reading = Some(request);
                        used += length;
                    }
                }
                continue;
            };
            let taken = request.body.min(rest.len());
            request.body -= taken;
            used += taken;
            if request.body > 0 {
                break;
            }
            let request = *request;
            self.reading = None;
            self.closing = request.close;
            if request.slow {
                // As a program with one request at a time would work: nothing else is served.
                std::thread::sleep(WORK);
            }
            self.write(if request.large {
                LARGE.to(request)
            } else {
                SMALL.to(request)
            });
        }
        used
    }

    fn refuse(&mut self) {
        self.closing = true;
        self.write(REFUSAL);
    }

    fn write(&mut self, mut bytes: &'static [u8]) {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => {
                    self.closing = true;
                    bytes = &[];
                }
            }
        }
        self.output = bytes;
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
