//! HTTP/2 frame by frame (RFC 9113), so that also what no library would send can be sent.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// What a connection begins with (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;

/// `SETTINGS_HEADER_TABLE_SIZE` of 0: answers come without references to earlier ones.
const NO_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer with this status and body.
    Answer(u16, String),
    /// The stream was reset with this code.
    Reset(u32),
    /// The connection ends with this code.
    GoAway(u32),
    /// The connection was closed without a word.
    Closed,
}

/// A connection whose frames are the test's own.
pub(crate) struct Http2 {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Http2 {
    /// Connects and says the preface with these settings besides.
    pub(crate) fn connect(address: SocketAddr, settings: &[u8]) -> io::Result<Http2> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut connection = Http2 {
            stream,
            read: Vec::new(),
        };
        let settings = [&NO_TABLE, settings].concat();
        connection.send([PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat())?;
        Ok(connection)
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// A second handle, to send while this one receives.
    pub(crate) fn stream(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor is free")
    }

    /// The next frame; `None` when the connection is closed.
    pub(crate) fn frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some((frame, used)) = parse(&self.read) {
                self.read.drain(..used);
                return Ok(Some(frame));
            }
            let mut buffer = [0; 16 << 10];
            match super::client::read_once(&mut self.stream, &mut buffer) {
                Ok(0) => return Ok(None),
                Err(error) if super::client::is_closing(&error) => return Ok(None),
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the gateway has ended the connection; what it said before is dropped.
    pub(crate) fn is_ended(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("can be set");
        let ended = loop {
            match self.frame() {
                Ok(None) => break true,
                Ok(Some(frame)) if frame.kind == GOAWAY => break true,
                Ok(Some(_)) => {}
                Err(_) => break false,
            }
        };
        self.stream.set_nonblocking(false).expect("can be set");
        ended
    }

    /// Reads until it is known what becomes of the request on `stream`; settings are acknowledged
    /// and windows opened again meanwhile.
    pub(crate) fn outcome(&mut self, stream: u32) -> io::Result<Outcome> {
        let (mut status, mut body) = (0, Vec::new());
        while let Some(frame) = self.frame()? {
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => {
                    self.send(self::frame(SETTINGS, ACK, 0, &[])).ok();
                }
                GOAWAY => return Ok(Outcome::GoAway(code(&frame.payload[4..]))),
                _ if frame.stream != stream => {}
                RST_STREAM => return Ok(Outcome::Reset(code(&frame.payload))),
                HEADERS if status < 200 => {
                    status = status_of(&frame.payload)
                        .ok_or_else(|| io::Error::other("there is no status"))?;
                }
                DATA => body.extend_from_slice(&frame.payload),
                _ => {}
            }
            let answered = matches!(frame.kind, HEADERS | DATA) && frame.stream == stream;
            if answered && frame.flags & END_STREAM != 0 {
                let body = String::from_utf8_lossy(&body).into_owned();
                return Ok(Outcome::Answer(status, body));
            }
        }
        Ok(Outcome::Closed)
    }

    /// A GET on a stream of its own.
    pub(crate) fn get(&mut self, stream: u32, path: &str) -> io::Result<Outcome> {
        self.send(get(stream, path))?;
        self.outcome(stream)
    }
}

/// The bytes of a GET.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "stoker.test"),
        (":path", path),
    ];
    headers(stream, END_STREAM | END_HEADERS, &fields)
}

/// The bytes of a frame (RFC 9113 section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("frames are short");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The bytes of a HEADERS frame.
pub(crate) fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(fields))
}

/// Fields as literals without indexing and without Huffman's code (RFC 7541 section 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        push_text(&mut bytes, name);
        push_text(&mut bytes, value);
    }
    bytes
}

/// A length with a prefix of seven bits (RFC 7541 section 5.1), and the text.
pub(crate) fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        bytes.push(length as u8);
    } else {
        bytes.push(127);
        length -= 127;
        while length >= 128 {
            bytes.push((length % 128) as u8 | 128);
            length /= 128;
        }
        bytes.push(length as u8);
    }
    bytes.extend_from_slice(text.as_bytes());
}

fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let head = bytes.get(..9)?;
    let length = code(&[0, head[0], head[1], head[2]]) as usize;
    let payload = bytes.get(9..9 + length)?.to_vec();
    let frame = Frame {
        kind: head[3],
        flags: head[4],
        stream: code(&head[5..9]) & 0x7fff_ffff,
        payload,
    };
    Some((frame, 9 + length))
}

fn code(bytes: &[u8]) -> u32 {
    let bytes = bytes.get(..4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(u32::MAX, u32::from_be_bytes)
}

/// The status at the beginning of a block: from the static table, or as digits, in Huffman's code
/// or not (RFC 7541 appendices A and B).
fn status_of(block: &[u8]) -> Option<u16> {
    let updates = block.iter().take_while(|&byte| byte & 0xe0 == 0x20).count();
    let block = &block[updates..];
    let text = match *block.first()? {
        byte @ 0x88..=0x8e => {
            let known = [200, 204, 206, 304, 400, 404, 500];
            return known.get(usize::from(byte - 0x88)).copied();
        }
        0x08 | 0x18 | 0x48 => block.get(2..2 + usize::from(block.get(1)? & 0x7f))?,
        _ => return None,
    };
    if block[1] & 0x80 == 0 {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let bits = text
        .iter()
        .fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    let (mut left, mut status) = (8 * text.len() as u32, 0);
    for _ in 0..3 {
        let peek = |count: u32| (bits >> (left - count)) & ((1 << count) - 1);
        let (digit, count) = match peek(5) {
            digit @ 0..=2 => (digit, 5),
            _ => (peek(6) - 0b01_1001 + 3, 6),
        };
        left -= count;
        status = status * 10 + u16::try_from(digit).ok()?;
    }
    Some(status)
}
