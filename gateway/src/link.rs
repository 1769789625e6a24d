//! What the requests of one caller's connection share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::access::Place;
use crate::http2::Streams;
use crate::io::Turns;
use crate::overload::Open;
use crate::watchdog::Watchdog;

/// What the requests of one connection share.
pub(crate) struct Link {
    protocol: Protocol,
    shutdown: watch::Receiver<bool>,
    /// Counts the connection as open, for as long as anything of it goes on.
    open: Arc<Open>,
}

/// How the caller speaks.
enum Protocol {
    Http1(Arc<Turns>),
    Http2(Arc<Streams>),
}

/// Our turn to answer a request, over when this is dropped.
pub(crate) struct OurTurn {
    /// Watches over the request's deadlines. Over HTTP/1.1 it stays armed from turn to turn, so
    /// that most requests set no timer.
    pub(crate) watchdog: Watchdog,
    /// Of a function whose requests are bounded in number.
    pub(crate) place: Option<Place>,
    of: Of,
}

/// Where a turn comes from.
enum Of {
    Http1(Arc<Turns>),
    Http2(Arc<Streams>),
}

impl Link {
    /// A connection over which one request comes after the other.
    pub(crate) fn http1(
        turns: Arc<Turns>,
        shutdown: watch::Receiver<bool>,
        open: Arc<Open>,
    ) -> Self {
        Link {
            protocol: Protocol::Http1(turns),
            shutdown,
            open,
        }
    }

    /// A connection over which requests come at once.
    pub(crate) fn http2(
        streams: Arc<Streams>,
        shutdown: watch::Receiver<bool>,
        open: Arc<Open>,
    ) -> Self {
        Link {
            protocol: Protocol::Http2(streams),
            shutdown,
            open,
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        use crate::overload::Connections;

        let open = Connections::new(1)
            .enter(false)
            .expect("there is room for one");
        Link::http1(Arc::default(), watch::channel(false).1, Arc::new(open))
    }

    /// A request is there.
    pub(crate) fn begin(&self) -> OurTurn {
        match &self.protocol {
            Protocol::Http1(turns) => OurTurn {
                watchdog: turns.take(),
                place: None,
                of: Of::Http1(Arc::clone(turns)),
            },
            Protocol::Http2(streams) => {
                streams.enter();
                OurTurn {
                    watchdog: Watchdog::default(),
                    place: None,
                    of: Of::Http2(Arc::clone(streams)),
                }
            }
        }
    }

    /// True if the head of the current request had both a length and a transfer coding. hyper takes
    /// the length away before anybody can see it.
    pub(crate) fn has_both(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(turns) => turns.has_both(),
            Protocol::Http2(_) => false,
        }
    }

    /// Turns true when the gateway ends.
    pub(crate) fn shutdown(&self) -> watch::Receiver<bool> {
        self.shutdown.clone()
    }

    /// Turns true when another gateway has taken over.
    pub(crate) fn left(&self) -> watch::Receiver<bool> {
        self.open.left()
    }

    /// How long the connection may be idle that could be for `longest` otherwise.
    pub(crate) fn idle(&self, longest: Duration) -> Duration {
        self.open.idle(longest)
    }

    /// Holds the connection open in the count.
    pub(crate) fn hold(&self) -> Arc<Open> {
        Arc::clone(&self.open)
    }
}

impl OurTurn {
    /// The streams of an HTTP/2 connection.
    pub(crate) fn streams(&self) -> Option<&Arc<Streams>> {
        match &self.of {
            Of::Http1(_) => None,
            Of::Http2(streams) => Some(streams),
        }
    }
}

impl Drop for OurTurn {
    fn drop(&mut self) {
        match &self.of {
            Of::Http1(turns) => turns.give_back(std::mem::take(&mut self.watchdog)),
            Of::Http2(streams) => streams.leave(),
        }
    }
}
