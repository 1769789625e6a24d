//! The generator's own HTTP/1.1 client: one request at a time per connection, and the time of the
//! first byte as the connection saw it. HTTP/2 is hyper's.

mod body;
mod connection;
mod endpoint;
mod head;
mod http2;
mod tls;
mod url;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use connection::Connection;
pub(crate) use endpoint::Endpoint;
pub(crate) use http2::Multiplexed;
pub(crate) use tls::{Alpn, Trust, connector};
pub(crate) use url::Url;

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Head and body, over HTTP/1.1.
    pub(crate) bytes: Vec<u8>,
    /// The same over HTTP/2, if that is spoken.
    pub(crate) http2: Option<http::Request<Bytes>>,
    /// The answer has no body whatever its head says: the method is HEAD.
    pub(crate) head_only: bool,
    /// It may be sent once more if a kept connection turns out to be closed: the method is idempotent
    /// (RFC 9110, section 9.2.2).
    pub(crate) repeatable: bool,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The final status.
    pub(crate) status: u16,
    /// When its first byte was read.
    pub(crate) first_byte: Instant,
    /// When its last byte was read.
    pub(crate) end: Instant,
    /// What the header that is watched said.
    pub(crate) watched: Option<String>,
    /// `Server-Timing`, by name.
    pub(crate) phases: Vec<(String, Duration)>,
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No connection.
    Connect(io::Error),
    /// The connection broke before the first byte of an answer.
    Unanswered(io::Error),
    /// The connection broke within the answer.
    Broken(io::Error),
    /// The answer is not HTTP/1.
    Invalid(&'static str),
    /// It took too long.
    Timeout,
}

impl Fault {
    /// What reports call it: few, whatever the text of the error.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Fault::Connect(_) => "connect",
            Fault::Unanswered(_) => "reset",
            Fault::Broken(_) => "cut off",
            Fault::Invalid(_) => "invalid answer",
            Fault::Timeout => "timeout",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Connect(error) => write!(f, "no connection: {error}"),
            Fault::Unanswered(error) => {
                write!(f, "the connection broke before the answer: {error}")
            }
            Fault::Broken(error) => write!(f, "the connection broke within the answer: {error}"),
            Fault::Invalid(what) => write!(f, "the answer is not HTTP/1.1: {what}"),
            Fault::Timeout => f.write_str("no whole answer in time"),
        }
    }
}
