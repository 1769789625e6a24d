//! As much HTTP/1.1 as a function behind the gateway needs.

use std::io::{self, BufRead, Read, Write};

/// Bytes of a request's head, and of all line ends and sizes in a chunked body.
const MAX_HEAD: u64 = 64 << 10;
/// Bytes of a body.
const MAX_BODY: u64 = 20 << 20;

/// A request with its body.
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// After the `?`.
    pub query: String,
    /// Whole.
    pub body: Vec<u8>,
    /// The client wants no further answers.
    pub is_last: bool,
}

/// An answer.
pub struct Response {
    /// With its reason: `200 OK`.
    pub status: &'static str,
    /// Its content type.
    pub kind: &'static str,
    /// Whole.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer that says what is wrong with the request.
    pub fn refuse(status: &'static str, why: &str) -> Response {
        Response {
            status,
            kind: "text/plain; charset=utf-8",
            body: format!("{why}\n").into(),
        }
    }

    /// In one write, so that it goes out in one packet if it fits.
    pub fn write(&self, output: &mut impl Write, is_last: bool) -> io::Result<()> {
        let Response { status, kind, body } = self;
        let connection = if is_last { "Connection: close\r\n" } else { "" };
        let length = body.len();
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{connection}\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        output.write_all(&bytes)
    }
}

/// How a body ends.
enum Framing {
    Length(u64),
    Chunked,
    Unknown,
}

impl Request {
    /// The next request, if there is one; or the answer to one that is not understood.
    pub fn read<S: Read + Write>(
        stream: &mut io::BufReader<S>,
    ) -> io::Result<Result<Option<Request>, Response>> {
        let bad = |why| Ok(Err(Response::refuse("400 Bad Request", why)));
        let Some(line) = read_line(stream, MAX_HEAD)? else {
            return Ok(Ok(None));
        };
        let [method, target, version] = line.split(' ').collect::<Vec<_>>()[..] else {
            return bad("a request has a method, a target and a version");
        };
        let mut request = Request {
            method: method.into(),
            query: target.split_once('?').unwrap_or_default().1.into(),
            body: Vec::new(),
            is_last: version == "HTTP/1.0",
        };
        let (mut framing, mut expects) = (Framing::Length(0), false);
        let mut room = MAX_HEAD;
        loop {
            let Some(line) = read_line(stream, room)? else {
                return bad("the head has no end");
            };
            if line.is_empty() {
                break;
            }
            room -= line.len() as u64;
            let (name, value) = line.split_once(':').unwrap_or_default();
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => framing = framing.with_length(value),
                "transfer-encoding" => framing = framing.with_coding(value),
                "connection" => request.is_last |= value.eq_ignore_ascii_case("close"),
                "expect" => expects = value.eq_ignore_ascii_case("100-continue"),
                _ => {}
            }
        }
        if let Framing::Length(MAX_BODY..) = framing {
            return Ok(Err(too_large()));
        }
        if expects {
            stream
                .get_mut()
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match framing {
            Framing::Length(length) => {
                if stream
                    .by_ref()
                    .take(length)
                    .read_to_end(&mut request.body)? as u64
                    != length
                {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(Ok(Some(request)))
            }
            Framing::Chunked => {
                Ok(read_chunks(stream)?.map(|body| Some(Request { body, ..request })))
            }
            Framing::Unknown => bad("the length of the body is not clear"),
        }
    }
}

impl Framing {
    fn with_length(self, value: &str) -> Framing {
        match (self, value.parse()) {
            (Framing::Length(0), Ok(length)) => Framing::Length(length),
            _ => Framing::Unknown,
        }
    }

    fn with_coding(self, value: &str) -> Framing {
        match self {
            Framing::Length(0) if value.eq_ignore_ascii_case("chunked") => Framing::Chunked,
            _ => Framing::Unknown,
        }
    }
}

fn read_chunks(input: &mut impl BufRead) -> io::Result<Result<Vec<u8>, Response>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(input, MAX_HEAD)?.unwrap_or_default();
        let size = line.split(';').next().unwrap_or_default().trim();
        let Ok(size) = u64::from_str_radix(size, 16) else {
            return Ok(Err(Response::refuse(
                "400 Bad Request",
                "a chunk has no size",
            )));
        };
        if size == 0 {
            // The trailers, up to an empty line.
            while read_line(input, MAX_HEAD)?.is_some_and(|line| !line.is_empty()) {}
            return Ok(Ok(body));
        }
        if size > MAX_BODY - body.len() as u64 {
            return Ok(Err(too_large()));
        }
        if input.by_ref().take(size).read_to_end(&mut body)? as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_line(input, MAX_HEAD)?;
    }
}

/// One line without its end, at most so long; `None` at the end of the input.
fn read_line(input: &mut impl BufRead, most: u64) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    input.by_ref().take(most).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

fn too_large() -> Response {
    Response::refuse("413 Content Too Large", "the body is larger than 20 MiB")
}
