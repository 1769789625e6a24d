//! A request and its answer over any stream.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const END_OF_CHUNKS: &[u8] = b"0\r\n\r\n";
const BUFFER: usize = 16 * 1024;

/// What matters of a response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Stoker-Start`.
    pub(crate) start: String,
    /// `Server-Timing`, all of them.
    pub(crate) timing: String,
}

/// A request without a body.
pub(crate) fn request(method: &str, path: &str, close: bool) -> Vec<u8> {
    let connection = if close { "Connection: close\r\n" } else { "" };
    let length = if method == "POST" {
        "Content-Length: 0\r\n"
    } else {
        ""
    };
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{connection}{length}\r\n").into_bytes()
}

/// The time to the first byte, and the answer.
pub(crate) type Timed = (Duration, Answer);

/// Sends a request; the time from `begun` to the first byte, and the answer, read whole.
pub(crate) fn exchange<S: Read + Write>(
    stream: &mut S,
    request: &[u8],
    begun: Instant,
) -> io::Result<Timed> {
    stream.write_all(request)?;
    receive(stream, begun)
}

/// What is left of [`exchange`] once the request is sent.
pub(crate) fn receive<S: Read>(stream: &mut S, begun: Instant) -> io::Result<Timed> {
    let mut input = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let mut first_byte = None;
    loop {
        let count = stream.read(&mut buffer)?;
        let first_byte = *first_byte.get_or_insert_with(|| begun.elapsed());
        input.extend_from_slice(&buffer[..count]);
        if let Some(answer) = whole(&input, count == 0)? {
            return Ok((first_byte, answer));
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The answer, if all of it is there.
fn whole(input: &[u8], ended: bool) -> io::Result<Option<Answer>> {
    let Some(at) = input
        .windows(END_OF_HEAD.len())
        .position(|four| four == END_OF_HEAD)
    else {
        return Ok(None);
    };
    let body = &input[at + END_OF_HEAD.len()..];
    let head = str::from_utf8(&input[..at]).map_err(io::Error::other)?;
    let mut lines = head.split("\r\n");
    let status = status(lines.next().unwrap_or_default())?;
    let mut answer = Answer {
        status,
        start: String::new(),
        timing: String::new(),
    };
    let mut length = if status == 204 || status == 304 {
        Some(0)
    } else {
        None
    };
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.parse().map_err(io::Error::other)?),
            "transfer-encoding" => chunked = true,
            "stoker-start" => value.clone_into(&mut answer.start),
            "server-timing" if answer.timing.is_empty() => value.clone_into(&mut answer.timing),
            "server-timing" => answer.timing.extend([", ", value]),
            _ => {}
        }
    }
    let complete = match length {
        _ if chunked => body.ends_with(END_OF_CHUNKS),
        Some(length) => body.len() >= length,
        None => ended,
    };
    Ok(complete.then_some(answer))
}

fn status(line: &str) -> io::Result<u16> {
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.ok_or_else(|| io::Error::other(format!("no HTTP status in {line:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str, ended: bool) -> Option<Answer> {
        whole(input.as_bytes(), ended).expect("well-formed")
    }

    #[test]
    fn with_a_length() {
        let input = "HTTP/1.1 200 OK\r\nstoker-start: cold\r\nServer-Timing: a;dur=1\r\n\
            server-timing: b\r\nContent-Length: 2\r\n\r\nab";
        assert!(read(&input[..input.len() - 1], false).is_none());
        let answer = read(input, false).expect("whole");
        assert_eq!((answer.status, &*answer.start), (200, "cold"));
        assert_eq!(answer.timing, "a;dur=1, b");
    }

    #[test]
    fn without_a_length() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        assert!(read(&chunked[..chunked.len() - 2], false).is_none());
        assert!(read(chunked, false).is_some());
        assert!(read("HTTP/1.1 204 No Content\r\n\r\n", false).is_some());
        let open = "HTTP/1.1 200 OK\r\n\r\nab";
        assert!(read(open, false).is_none());
        assert!(read(open, true).is_some());
    }
}
