//! A client that sends what it is told to, byte for byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{PATIENCE, Response};

/// One connection, over TCP or whatever else.
pub(crate) struct Client<S = TcpStream> {
    stream: S,
    /// Received and not yet used.
    read: Vec<u8>,
}

/// A stream whose reads have an end.
pub(crate) trait Stream: Read + Write {
    /// The longest that one read takes.
    fn limit_reads(&self, time: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn limit_reads(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

impl Stream for std::os::unix::net::UnixStream {
    fn limit_reads(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

impl Client {
    /// Connects over TCP.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client::over(stream))
    }

    /// A second handle of the connection, to send while the first one receives.
    pub(crate) fn stream(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor is free")
    }

    /// Whether the other side closes the connection within `time`, saying nothing or something.
    pub(crate) fn is_closed_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            match self.fill(deadline) {
                Ok(()) => {}
                Err(error) => return is_closing(&error),
            }
        }
    }
}

impl<S: Stream> Client<S> {
    /// Uses a connection that is open.
    pub(crate) fn over(stream: S) -> Client<S> {
        Client {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a request with these header lines, each with its line break, besides `Host`.
    pub(crate) fn request(&mut self, line: &str, headers: &str, body: &[u8]) -> io::Result<()> {
        let mut bytes =
            format!("{line} HTTP/1.1\r\nHost: stoker.test\r\n{headers}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.send(bytes)
    }

    /// A GET and its answer.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Response> {
        self.request(&format!("GET {path}"), "", b"")?;
        self.receive()
    }

    /// A POST with a length and its answer.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Response> {
        let headers = format!("Content-Length: {}\r\n", body.len());
        self.request(&format!("POST {path}"), &headers, body)?;
        self.receive()
    }

    /// Sends the head of a POST and waits until the gateway asks for the body. It does that when
    /// the request either has a slot or is in the queue: so now its place in the queue is certain.
    /// If there is an answer instead, that is the error.
    pub(crate) fn enqueue(&mut self, path: &str, body: &[u8]) -> Result<(), Response> {
        let headers = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
        self.request(&format!("POST {path}"), &headers, b"")
            .expect("can be sent");
        let answer = self
            .receive()
            .expect("the gateway asks for the body or refuses");
        if answer.status != 100 {
            return Err(answer);
        }
        Ok(())
    }

    /// Receives an answer to a request other than HEAD.
    pub(crate) fn receive(&mut self) -> io::Result<Response> {
        let deadline = Instant::now() + PATIENCE;
        let mut response = self.head_until(deadline)?;
        let coding = response.header("transfer-encoding").map(str::to_owned);
        let length = response
            .header("content-length")
            .and_then(|text| text.parse().ok());
        response.body = match (response.status, coding.as_deref(), length) {
            (100..200 | 204 | 304, ..) => Vec::new(),
            (_, Some("chunked"), _) => self.chunks(deadline)?,
            (_, Some(other), _) => return Err(invalid(&format!("the coding {other}"))),
            (_, None, Some(length)) => self.take(length, deadline)?,
            (_, None, None) => self.rest(deadline)?,
        };
        Ok(response)
    }

    /// Receives a head only.
    pub(crate) fn receive_head(&mut self) -> io::Result<Response> {
        self.head_until(Instant::now() + PATIENCE)
    }

    /// Receives so many bytes.
    pub(crate) fn receive_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.take(count, Instant::now() + PATIENCE)
    }

    /// Receives until the other side closes the connection; a reset is one way to do that.
    pub(crate) fn receive_rest(&mut self) -> io::Result<Vec<u8>> {
        match self.rest(Instant::now() + PATIENCE) {
            Err(error) if is_closing(&error) => Ok(std::mem::take(&mut self.read)),
            result => result,
        }
    }

    /// What was received beyond what was asked for.
    pub(crate) fn buffered(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.read)
    }

    fn head_until(&mut self, deadline: Instant) -> io::Result<Response> {
        loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).take(end).collect();
                return Response::parse(&head).ok_or_else(|| invalid("the head"));
            }
            self.fill(deadline)?;
        }
    }

    fn chunks(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line(deadline)?;
            let size = usize::from_str_radix(&line, 16).map_err(|_| invalid("a chunk's size"))?;
            if size == 0 {
                while !self.line(deadline)?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(size, deadline)?);
            if !self.line(deadline)?.is_empty() {
                return Err(invalid("a chunk's end"));
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.read, b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| invalid("a line"));
            }
            self.fill(deadline)?;
        }
    }

    fn take(&mut self, count: usize, deadline: Instant) -> io::Result<Vec<u8>> {
        while self.read.len() < count {
            self.fill(deadline)?;
        }
        Ok(self.read.drain(..count).collect())
    }

    fn rest(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        loop {
            match self.fill(deadline) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.read));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads once.
    fn fill(&mut self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.limit_reads(left)?;
        let mut buffer = [0; 32 << 10];
        match read_once(&mut self.stream, &mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.read.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }
}

/// Reads once. A read with a timeout fails as interrupted when the machine, or the container that
/// the tests run in, was frozen meanwhile: then it is begun again.
pub(crate) fn read_once(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether an error says that the other side closed the connection.
pub(crate) fn is_closing(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is not HTTP"))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
