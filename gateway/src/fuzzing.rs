//! Parsers of what strangers send, for the fuzz targets; no part of the interface.
//!
//! What takes its input in pieces takes it in pieces of `step` bytes here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::request::Parts;
use http::{HeaderMap, Method};
use stoker_config::{Network, PathPattern, RouteSpec};

use crate::identity::RequestId;
use crate::io::{frames as http2, scan::HeadScan};
use crate::proxy::admit;
use crate::proxy::patience;
use crate::proxy_protocol::{self, Header};
use crate::router::Router;
use crate::tunnel::frames as websocket;
use crate::upstream::chunked::{Decoded, Decoder};
use crate::upstream::{Framing, ResponseHead, copy_fields};
use crate::{client_address as behind, path, upgrade};

pub use crate::access::fuzzing::*;

/// A path as it is routed.
pub fn normalise(path: &str) -> Option<String> {
    path::normalise(path).ok().map(|path| path.into_owned())
}

/// One segment without percent codes.
pub fn decode(segment: &str) -> Option<Vec<u8>> {
    path::decode(segment).ok().map(|name| name.into_owned())
}

/// The index of the pattern that matches, and what it captures.
pub fn route(patterns: &[PathPattern], path: &str) -> Option<(usize, Vec<String>)> {
    let mut router = Router::new("/function");
    for (index, pattern) in patterns.iter().enumerate() {
        let route = RouteSpec {
            host: None,
            path: pattern.clone(),
            methods: Vec::new(),
            strip_prefix: index % 2 == 0,
        };
        router.add(&index.to_string().into(), &[route], &Arc::new(index));
    }
    let routed = router.route("", path, "GET").ok()?;
    let values = routed.parameters.iter();
    let values = values.map(|(_, value)| (*value).to_owned()).collect();
    Some((**routed.target, values))
}

/// The head of a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// End-to-end fields.
    pub headers: HeaderMap,
    /// Where the body ends.
    pub framing: String,
    /// Another request may follow.
    pub reusable: bool,
    /// Bytes after it.
    pub rest: Vec<u8>,
}

/// The head at the start of `input`; `None` if it is not whole.
///
/// # Errors
/// What is wrong with it.
pub fn response_head(input: &[u8], step: usize, method: &Method) -> Result<Option<Head>, String> {
    let mut buffer = BytesMut::new();
    let mut pieces = input.chunks(step.max(1));
    loop {
        if let Some(head) = ResponseHead::parse(&mut buffer, method, false)? {
            buffer.extend(pieces.flatten());
            return Ok(Some(Head {
                status: head.status.as_u16(),
                headers: head.headers,
                framing: match head.framing {
                    Framing::None => "none".into(),
                    Framing::Length(length) => length.to_string(),
                    Framing::Chunked => "chunked".into(),
                    Framing::Close => "close".into(),
                },
                reusable: head.reusable,
                rest: buffer.to_vec(),
            }));
        }
        match pieces.next() {
            Some(piece) => buffer.extend_from_slice(piece),
            None => return Ok(None),
        }
    }
}

/// Content, trailers and what follows the message.
pub type Chunked = (Vec<u8>, HeaderMap, Vec<u8>);

/// The content of chunked data; `None` if it is not whole.
///
/// # Errors
/// What is wrong with it.
pub fn chunked(input: &[u8], step: usize) -> Result<Option<Chunked>, &'static str> {
    let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::new());
    let (mut pieces, mut content) = (input.chunks(step.max(1)), Vec::new());
    loop {
        match decoder.decode(&mut buffer)? {
            Decoded::Data(data) => content.extend_from_slice(&data),
            Decoded::End => {
                buffer.extend(pieces.flatten());
                let trailers = decoder.take_trailers().unwrap_or_default();
                return Ok(Some((content, trailers, buffer.to_vec())));
            }
            Decoded::NeedMore => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => return Ok(None),
            },
        }
    }
}

/// Whether a head has both a length and a coding.
pub fn has_both(head: &[u8], step: usize) -> bool {
    let mut scan = HeadScan::default();
    head.chunks(step.max(1)).for_each(|piece| scan.feed(piece));
    scan.has_both()
}

/// The lines of a request's id and trace.
pub fn identity(headers: &HeaderMap) -> Vec<u8> {
    let mut out = BytesMut::new();
    RequestId::of(headers).encode(&mut out);
    out.to_vec()
}

/// The end-to-end fields of a request as lines.
pub fn fields(headers: &HeaderMap) -> Vec<u8> {
    let mut out = BytesMut::new();
    copy_fields(headers, &mut out, |_| true);
    out.to_vec()
}

/// Where the frames of a WebSocket stream end.
pub fn websocket_ends(stream: &[u8], step: usize) -> Vec<usize> {
    let (mut frames, mut ends, mut at) = (websocket::Frames::default(), Vec::new(), 0);
    while at < stream.len() {
        let end = at.saturating_add(step.max(1)).min(stream.len());
        at += frames.feed_one(&stream[at..end]);
        if frames.is_between() {
            ends.push(at);
        }
    }
    ends
}

/// Whether HTTP/2 frames after a preface are let through if `limit` of them may carry nothing.
pub fn http2_frames(stream: &[u8], step: usize, limit: u32) -> bool {
    let mut frames = http2::Frames::new(limit, Instant::now());
    stream.chunks(step.max(1)).all(|piece| frames.feed(piece))
}

/// What the head of a request is admitted as.
#[derive(Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Who is asked.
    pub host: String,
    /// There is a body.
    pub body: bool,
    /// What it asks to be switched to.
    pub upgrade: Option<Vec<u8>>,
}

/// Admits a request with a body of at most `limit` bytes.
pub fn admit(parts: &Parts, limit: u64, both: bool) -> Option<Admitted> {
    Some(Admitted {
        host: admit::host(parts).ok()?.to_owned(),
        body: admit::length(parts, limit, both).ok()?,
        upgrade: upgrade::wanted(parts).map(|value| value.as_bytes().to_vec()),
    })
}

/// A header of the PROXY protocol has at most these many bytes.
pub const PROXY_HEADER_BYTES: usize = proxy_protocol::LONGEST;

/// A header of the PROXY protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// `relayed`, `unknown` or `local`.
    pub kind: &'static str,
    /// From where and to where.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Its bytes.
    pub consumed: usize,
}

/// The header at the start of `bytes`; `None` if it is not whole.
///
/// # Errors
/// What is wrong with it.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, &'static str> {
    let (kind, addresses, consumed) = match proxy_protocol::parse(bytes) {
        Header::Incomplete => return Ok(None),
        Header::Invalid(why) => return Err(why),
        Header::Relayed {
            source,
            destination,
            consumed,
        } => ("relayed", Some((source, destination)), consumed),
        Header::Unknown { consumed } => ("unknown", None, consumed),
        Header::Local { consumed } => ("local", None, consumed),
    };
    Ok(Some(ProxyHeader {
        kind,
        addresses,
        consumed,
    }))
}

/// How long a caller waits for a slot.
pub fn caller_wait(headers: &HeaderMap) -> Option<Duration> {
    patience::of(headers)
}

/// How long a gRPC call may take.
pub fn call_deadline(headers: &HeaderMap) -> Option<Duration> {
    patience::of_call(headers)
}

/// The client's address.
pub fn client_address(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[Network],
) -> Option<IpAddr> {
    behind::client_address(peer, headers, trusted)
}
