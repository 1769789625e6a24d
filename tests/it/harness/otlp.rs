//! A collector: takes OTLP over HTTP and reads just enough of protobuf to tell spans.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::PATIENCE;

/// A collector that keeps what it is sent.
pub(crate) struct Collector {
    address: SocketAddr,
    received: Arc<Received>,
}

#[derive(Default)]
struct Received {
    exports: Mutex<Exports>,
    more: Condvar,
}

/// What came in.
#[derive(Default)]
struct Exports {
    spans: Vec<Span>,
    /// Of every export, its head.
    heads: Vec<String>,
}

/// One span.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) kind: u64,
    pub(crate) start_nanos: u64,
    pub(crate) end_nanos: u64,
    /// As text.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) events: usize,
    /// 2 is an error.
    pub(crate) status: u64,
}

impl Collector {
    /// One that answers with `status`.
    pub(crate) fn start(status: u16) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let received = Arc::<Received>::default();
        let writer = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let writer = Arc::clone(&writer);
                thread::spawn(move || serve(&stream, status, &writer));
            }
        });
        Collector { address, received }
    }

    /// For `traces.endpoint`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans, once there are `count` whose parent is not ours: so many requests.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Span> {
        let servers = |spans: &[Span]| spans.iter().filter(|span| span.kind == 2).count();
        let fewer = |exports: &mut Exports| servers(&exports.spans) < count;
        let exports = self.wait_while(fewer);
        assert_eq!(servers(&exports.spans), count, "{:#?}", exports.spans);
        exports.spans.clone()
    }

    /// The head of the first export, once there is one.
    pub(crate) fn first_head(&self) -> String {
        self.wait_while(|exports| exports.heads.is_empty()).heads[0].clone()
    }

    fn wait_while(&self, condition: impl FnMut(&mut Exports) -> bool) -> MutexGuard<'_, Exports> {
        let received = &self.received;
        let waited = received
            .more
            .wait_timeout_while(received.lock(), PATIENCE, condition);
        let (exports, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "the spans did not come: {:#?}",
            exports.spans
        );
        exports
    }
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, Exports> {
        self.exports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes exports until the connection is closed.
fn serve(stream: &TcpStream, status: u16, received: &Received) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().ok())?
        });
        let mut body = vec![0; length.expect("an export has a length")];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let mut exports = received.lock();
        exports.heads.push(head);
        if status == 200 {
            for resource in fields(&body).messages(1) {
                for scope in fields(resource).messages(2) {
                    exports.spans.extend(fields(scope).messages(2).map(span));
                }
            }
        }
        drop(exports);
        received.more.notify_all();
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The fields of a message: number, and number or bytes.
struct Fields<'a>(Vec<(u64, Value<'a>)>);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn fields(mut bytes: &[u8]) -> Fields<'_> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            1 => {
                let (number, rest) = bytes.split_at(8);
                bytes = rest;
                Value::Number(u64::from_le_bytes(number.try_into().expect("eight bytes")))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a sane length");
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value)
            }
            other => panic!("wire type {other}"),
        };
        all.push((key >> 3, value));
    }
    Fields(all)
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            break;
        }
    }
    value
}

impl<'a> Fields<'a> {
    fn messages(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(other, value)| match value {
            Value::Bytes(bytes) if *other == number => Some(*bytes),
            _ => None,
        })
    }

    fn text(&self, number: u64) -> String {
        let bytes = self.messages(number).next().unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn hex(&self, number: u64) -> String {
        let bytes = self.messages(number).next().unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn number(&self, number: u64) -> u64 {
        let found = self.0.iter().find_map(|(other, value)| match value {
            Value::Number(value) if *other == number => Some(*value),
            _ => None,
        });
        found.unwrap_or_default()
    }
}

fn span(bytes: &[u8]) -> Span {
    let span = fields(bytes);
    let attribute = |bytes| {
        let pair = fields(bytes);
        let value = fields(pair.messages(2).next().expect("a value"));
        let shown = match value.0.first() {
            Some((1, Value::Bytes(text))) => String::from_utf8_lossy(text).into_owned(),
            Some((2, Value::Number(flag))) => (*flag == 1).to_string(),
            Some((_, Value::Number(number))) => number.to_string(),
            _ => "false".to_owned(),
        };
        (pair.text(1), shown)
    };
    Span {
        trace: span.hex(1),
        id: span.hex(2),
        state: span.text(3),
        parent: span.hex(4),
        name: span.text(5),
        kind: span.number(6),
        start_nanos: span.number(7),
        end_nanos: span.number(8),
        attributes: span.messages(9).map(attribute).collect(),
        events: span.messages(11).count(),
        status: span
            .messages(15)
            .next()
            .map_or(0, |status| fields(status).number(3)),
    }
}
