//! HTTP/1.1 towards the instances.
//!
//! This side is our own, on httparse, because a slot owns its connection: whether a byte of a
//! request was written decides whether it may be tried again, the connection is driven by the very
//! task that serves the caller, and no channel lies between the two.

mod chunked;
mod connection;
mod exchange;
mod head;

pub use connection::Connection;
pub(crate) use exchange::{Exchange, ExchangeError};
pub(crate) use head::{Framing, RequestHead, ResponseHead, line};
