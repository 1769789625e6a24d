//! One connection to an instance.

use std::io;
use std::time::{Duration, Instant};

use stoker_config::Contract;
use stoker_scaler::driver::Endpoint;

use super::fresh::Fresh;
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
    /// To a program that stands still, and speaks HTTP/1.1 when it runs.
    Fresh(Fresh),
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
            Connection::Fresh(fresh) => fresh.hold(place),
        }
    }

    /// This one, for a request; none if the instance has closed it, or sent what nobody asked for.
    pub(crate) fn into_usable(self, now: Instant) -> Option<Self> {
        let usable = match &self {
            Connection::Http1(socket) => socket.is_usable(now),
            Connection::Http2(client) => client.is_usable(),
            Connection::Fresh(fresh) => fresh.is_usable(),
        };
        match self {
            _ if !usable => None,
            Connection::Fresh(fresh) => fresh.into_socket().ok().map(Connection::Http1),
            used => Some(used),
        }
    }
}
