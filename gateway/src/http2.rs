//! HTTP/2 from callers: hyper speaks it, and what it leaves to us is bounded here.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use stoker_config::GatewaySpec;
use tokio::sync::Notify;

use crate::caller::Caller;
use crate::gateway::Gateway;
use crate::io::CallerIo;
use crate::proxy;
use crate::response::Shared;

/// Calls to be counted together against `http2.resets`.
const RESET_WINDOW: Duration = Duration::from_secs(10);
/// Between two looks at a connection: at most this, and a quarter of what is looked for.
const LOOK: Duration = Duration::from_secs(5);

/// The requests under way on one HTTP/2 connection.
pub(crate) struct Streams {
    live: AtomicU32,
    /// Those of them that are not answered yet.
    waiting: AtomicU32,
    /// Those of them whose answers were cut off and are yet to be called for again.
    cut: AtomicU32,
    books: Mutex<Books>,
    begun: Instant,
    /// When something of an answer was last taken, in milliseconds from `begun`.
    taken: AtomicU64,
    /// More resets than these within the window are too many.
    resets: u32,
    /// Told of that.
    abused: Notify,
}

struct Books {
    /// When the last request ended, while there is none.
    idle_since: Option<Instant>,
    /// Requests that the caller called off since then.
    resets: (Instant, u32),
    /// Answers under way. A caller that takes nothing is not seen by hyper, which only waits for
    /// room, nor by the socket.
    transfers: Vec<std::sync::Weak<Shared>>,
}

impl Streams {
    /// None yet; the caller may call off at most `resets` within ten seconds.
    pub(crate) fn new(now: Instant, resets: u32) -> Self {
        Streams {
            live: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            cut: AtomicU32::new(0),
            begun: now,
            taken: AtomicU64::new(0),
            resets,
            abused: Notify::new(),
            books: Mutex::new(Books {
                idle_since: Some(now),
                resets: (now, 0),
                transfers: Vec::new(),
            }),
        }
    }

    /// A request is there.
    pub(crate) fn enter(&self) {
        if self.live.fetch_add(1, Ordering::AcqRel) == 0 {
            self.books.lock().idle_since = None;
        }
    }

    /// A request is over.
    pub(crate) fn leave(&self) {
        if self.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.books.lock().idle_since = Some(Instant::now());
        }
    }

    /// Watches over an answer until it is dropped.
    pub(crate) fn watch(&self, transfer: &Arc<Shared>) {
        let mut books = self.books.lock();
        let transfers = &mut books.transfers;
        // Whenever the list would grow, the dead go first: it never holds many more than live.
        if transfers.len() == transfers.capacity() {
            transfers.retain(|transfer| transfer.strong_count() > 0);
        }
        transfers.push(Arc::downgrade(transfer));
    }

    /// The caller takes something of an answer.
    pub(crate) fn took(&self, now: Instant) {
        self.taken.store(self.millis(now), Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.begun);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Counts a request that was called off before it was answered.
    fn reset(&self, now: Instant) {
        let mut books = self.books.lock();
        let (since, count) = &mut books.resets;
        if now.duration_since(*since) > RESET_WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count > self.resets {
            self.abused.notify_one();
        }
    }

    /// An answer that was cut off is gone.
    pub(crate) fn forget_cut(&self) {
        self.cut.fetch_sub(1, Ordering::AcqRel);
    }

    /// Cuts off the answers of which the caller has taken nothing for `patience`; true if there
    /// were some, it has taken nothing of any other either, and no other is under way.
    fn cut_stalled(&self, now: Instant, patience: Duration) -> bool {
        let watched: Vec<_> = {
            let mut books = self.books.lock();
            books
                .transfers
                .retain(|transfer| transfer.strong_count() > 0);
            books.transfers.iter().filter_map(|w| w.upgrade()).collect()
        };
        let mut any = false;
        for transfer in watched {
            if transfer.cut_if_stalled(now, patience) {
                self.cut.fetch_add(1, Ordering::AcqRel);
                any = true;
            }
        }
        let taken = self.taken.load(Ordering::Relaxed);
        let quiet = u128::from(self.millis(now).saturating_sub(taken)) >= patience.as_millis();
        any && quiet && self.under_way() == 0
    }

    /// Requests that are answered and not cut off.
    fn under_way(&self) -> u32 {
        let [live, waiting, cut] =
            [&self.live, &self.waiting, &self.cut].map(|count| count.load(Ordering::Acquire));
        live.saturating_sub(waiting.saturating_add(cut))
    }

    fn is_idle_for(&self, now: Instant, patience: Duration) -> bool {
        let since = self.books.lock().idle_since;
        since.is_some_and(|since| now.saturating_duration_since(since) >= patience)
    }
}

/// Serves one connection until it ends.
///
/// Beyond what hyper and h2 bound (streams, windows, header lists, empty DATA), a connection is
/// closed when it is idle for too long, whatever frames it sends, when these are too many
/// (`io/frames.rs`), and when its caller calls off too many requests (rapid reset). An answer that
/// its caller does not take gives its slot back, and a caller that takes none at all, while its next
/// requests wait for just that slot, is cut off.
pub(crate) async fn serve(
    io: CallerIo,
    gateway: &Arc<Gateway>,
    caller: &Arc<Caller>,
    streams: &Arc<Streams>,
    settings: &GatewaySpec,
) {
    let calls = Arc::clone(streams);
    let service = service_fn(move |request| {
        let (gateway, caller) = (Arc::clone(gateway), Arc::clone(caller));
        let call = Call::new(&calls);
        async move { answer(&gateway, &caller, request, call).await }
    });
    let limits = &settings.http2;
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_send_buf_size(limits.send_buffer_bytes)
        .max_header_list_size(u32::try_from(settings.limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let (mut shutdown, mut left) = (caller.link().shutdown(), caller.link().left());
    // Either is told with a GOAWAY, after which the caller goes to another connection.
    let mut down = pin!(async move {
        tokio::select! {
            _ = shutdown.wait_for(|down| *down) => {}
            _ = left.wait_for(|left| *left) => {}
        }
    });
    let (write, keep_alive) = (settings.timeouts.write, settings.timeouts.keep_alive);
    let mut look = tokio::time::interval(look_interval(write.min(keep_alive)));
    let mut closing: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            // An error here is a caller that left or broke the protocol; h2 has told it so.
            result = connection.as_mut() => return drop(result),
            () = down.as_mut(), if closing.is_none() => {
                closing = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
            () = streams.abused.notified() => return,
            _ = look.tick() => {
                let now = Instant::now();
                if streams.cut_stalled(now, write) {
                    return;
                }
                if !streams.is_idle_for(now, caller.link().idle(keep_alive)) {
                    continue;
                }
                match closing {
                    None => {
                        closing = Some(now);
                        connection.as_mut().graceful_shutdown();
                    }
                    // It had its time to take the GOAWAY.
                    Some(since) if now.duration_since(since) >= write => return,
                    Some(_) => {}
                }
            }
        }
    }
}

fn look_interval(patience: Duration) -> Duration {
    (patience / 4).clamp(Duration::from_millis(10), LOOK)
}

async fn answer(
    gateway: &Gateway,
    caller: &Caller,
    request: Request<Incoming>,
    mut call: Call,
) -> Result<http::Response<crate::response::ResponseBody>, Infallible> {
    let response = proxy::answer(gateway, caller, request).await;
    call.answered = true;
    drop(call);
    Ok(response)
}

/// A request until it is answered; dropped before, it was called off.
struct Call {
    streams: Arc<Streams>,
    answered: bool,
}

impl Call {
    fn new(streams: &Arc<Streams>) -> Self {
        streams.waiting.fetch_add(1, Ordering::AcqRel);
        Call {
            streams: Arc::clone(streams),
            answered: false,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.streams.waiting.fetch_sub(1, Ordering::AcqRel);
        if !self.answered {
            self.streams.reset(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_counted_within_a_window() {
        let start = Instant::now();
        let streams = Streams::new(start, 3);
        let resets = || streams.books.lock().resets.1;
        for _ in 0..3 {
            streams.reset(start + Duration::from_secs(1));
        }
        assert_eq!(resets(), 3);
        streams.reset(start + RESET_WINDOW + Duration::from_secs(1));
        assert_eq!(resets(), 1);
    }

    #[tokio::test]
    async fn too_many_resets_are_told() {
        let start = Instant::now();
        let streams = Streams::new(start, 3);
        for _ in 0..4 {
            streams.reset(start);
        }
        streams.abused.notified().await;
    }

    #[test]
    fn idle_is_counted_from_the_end_of_the_last_request() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let streams = Streams::new(start, 1);
        assert!(streams.is_idle_for(start + second, second));
        streams.enter();
        streams.enter();
        streams.leave();
        assert!(!streams.is_idle_for(start + 100 * second, second));
        streams.leave();
        assert!(streams.is_idle_for(Instant::now() + second, second));
        assert!(!streams.is_idle_for(Instant::now(), second));
    }
}
