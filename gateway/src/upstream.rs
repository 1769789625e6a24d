//! HTTP towards the instances.
//!
//! The HTTP/1.1 side is our own, on httparse, because a slot owns its connection: whether a byte of
//! a request was written decides whether it may be tried again, the connection is driven by the
//! very task that serves the caller, and no channel lies between the two. HTTP/2 is the h2 crate's.

pub(crate) mod chunked;
mod connection;
mod exchange;
mod fields;
pub(crate) mod fresh;
mod head;
mod http1;
mod http2;
mod socket;
mod unix;

pub use connection::Connection;
pub(crate) use exchange::{Exchange, ExchangeError, Head};
pub(crate) use fields::{FieldMap, FieldSink, copy_fields, has_token, takes_trailers};
pub(crate) use head::{Framing, ResponseHead};
pub use http2::Client;
pub use socket::Socket;
