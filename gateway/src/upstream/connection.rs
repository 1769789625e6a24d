//! One connection to an instance.

use std::io;
use std::time::{Duration, Instant};

use stoker_config::Contract;
use stoker_scaler::driver::Endpoint;

use super::{Socket, http2};
use crate::share::Held;

/// One connection to an instance, owned by the slot that uses it. Over HTTP/2 too it carries one
/// request at a time: what an instance holds is counted in slots, and a slow reader of one answer
/// then holds up no other.
#[derive(Debug)]
pub enum Connection {
    /// To an HTTP/1.1 server.
    Http1(Socket),
    /// To an HTTP/2 server.
    Http2(http2::Client),
}

impl Connection {
    /// Connects to `endpoint`. `header_bytes` bounds the head of a response.
    ///
    /// # Errors
    /// What the kernel says, or `TimedOut` after `timeout`.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        contract: Contract,
        timeout: Duration,
        header_bytes: usize,
    ) -> io::Result<Self> {
        let socket = Socket::open(endpoint, timeout).await?;
        match contract {
            Contract::Http => Ok(Connection::Http1(socket)),
            Contract::H2c => http2::Client::new(socket, header_bytes)
                .await
                .map(Connection::Http2),
        }
    }

    /// Holds a place in the function's share for as long as it lives.
    pub(crate) fn hold(&mut self, place: Held) {
        match self {
            Connection::Http1(socket) => socket.hold(place),
            Connection::Http2(client) => client.hold(place),
        }
    }

    /// False if the instance has closed it, or sent what nobody asked for.
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        match self {
            Connection::Http1(socket) => socket.is_usable(now),
            Connection::Http2(client) => client.is_usable(),
        }
    }
}
