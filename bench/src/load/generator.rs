//! One thread's part of the generator.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::pacer::Pacer;
use super::streams::{Place, Streams};
use super::tally::{Sample, Tally, Wanted};
use super::{Counters, Plan, Work};
use crate::client::{Connection, Fault, Multiplexed, Reply};
use crate::stop::Stop;

/// How long requests in flight are waited for when the run is stopped.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A target that is overloaded may put off the last requests so long beyond the schedule; what is not
/// sent by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tallies by slot; shared with whoever harvests them.
pub(super) type Tallies = Arc<Mutex<Vec<Tally>>>;

/// One thread's part of the generator; its connections outlive a plan.
pub(super) struct Generator {
    pub(super) work: Arc<Work>,
    pub(super) tallies: Tallies,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: Stop,
    /// Connections that carry nothing, by endpoint, the one used last at the end.
    pub(super) idle: RefCell<Vec<Vec<Connection>>>,
    /// Those of HTTP/2, by endpoint.
    pub(super) streams: RefCell<Vec<Streams>>,
    /// Of HTTP/2, to one endpoint; set by each plan.
    pub(super) most_connections: Cell<usize>,
}

/// This thread's share of a plan.
#[derive(Clone)]
pub(super) struct Share {
    pub(super) plan: Arc<Plan>,
    /// Every so many of the arrivals, from this one on.
    pub(super) every: usize,
    pub(super) first: usize,
    pub(super) begin: Instant,
}

impl Generator {
    /// Sends what is due and waits for the answers.
    pub(super) async fn run(self: &Rc<Self>, share: &Share) -> io::Result<()> {
        let plan = &share.plan;
        let in_flight = plan.in_flight.div_ceil(share.every).max(1);
        let room = Arc::new(Semaphore::new(in_flight));
        self.most_connections
            .set(in_flight.div_ceil(self.work.streams.max(1)));
        let mut sent = JoinSet::new();
        tokio::select! {
            biased;
            () = self.stop.wait() => {}
            result = self.send(share, &room, &mut sent) => result?,
        }
        let all = async { while sent.join_next().await.is_some() {} };
        let stopped = async {
            self.stop.wait().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            biased;
            () = all => {}
            () = stopped => {}
        }
        Ok(())
    }

    async fn send(
        self: &Rc<Self>,
        share: &Share,
        room: &Arc<Semaphore>,
        sent: &mut JoinSet<()>,
    ) -> io::Result<()> {
        let pacer = Pacer::new(self.work.spin)?;
        let limit = share.plan.schedule.limit().map(|limit| share.begin + limit);
        let arrivals = share.plan.schedule.arrivals();
        let mut own = arrivals.skip(share.first).step_by(share.every);
        let hopeless = share
            .plan
            .schedule
            .expected()
            .map(|time| share.begin + time + PATIENCE);
        // What is due before this had to wait for a connection.
        let mut held_up_until = None;
        while let Some(arrival) = own.next() {
            let due = arrival.at.map(|at| share.begin + at);
            if let Some(due) = due {
                pacer.until(due).await?;
            }
            let (permit, waited) = enter(room).await;
            if waited {
                held_up_until = Some(Instant::now());
            }
            // Of requests that are all due by now, none need be waited for.
            if self.stop.is_set() || limit.is_some_and(|limit| Instant::now() >= limit) {
                break;
            }
            if due.is_some() && hopeless.is_some_and(|hopeless| Instant::now() >= hopeless) {
                let unsent = 1 + own.count() as u64;
                self.with_tally(share.plan.slot, |tally| tally.note_unsent(unsent));
                break;
            }
            let turn = Turn {
                due,
                held_up: due.is_some_and(|due| Some(due) < held_up_until),
                request: arrival.index % self.work.requests.len(),
                wanted: share.plan.wanted,
                slot: share.plan.slot,
            };
            let generator = Rc::clone(self);
            sent.spawn_local(async move { generator.take(turn, permit).await });
            while sent.try_join_next().is_some() {}
        }
        Ok(())
    }

    /// One request, from its sending to its entry in the tally.
    async fn take(&self, turn: Turn, permit: OwnedSemaphorePermit) {
        let sent = Instant::now();
        let exchange = self.exchange(turn.request, turn.slot);
        let result = match tokio::time::timeout(self.work.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Timeout),
        };
        drop(permit);
        let sample = Sample {
            due: turn.due,
            sent,
            held_up: turn.held_up,
            result,
        };
        let good = self.with_tally(turn.slot, |tally| {
            tally.note(&sample, turn.wanted, &self.work.cold_header.1)
        });
        let counter = match good {
            true => &self.counters.answered,
            false => &self.counters.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// On a kept connection if there is one. A server may close one just when a request comes, which
    /// no caller can know; so that one is sent again, as every client does (RFC 9112, section 9.3.1),
    /// and its time goes on.
    async fn exchange(&self, request: usize, slot: usize) -> Result<Reply, Fault> {
        let (endpoint, request) = &self.work.requests[request];
        let watch = &self.work.cold_header.0;
        if let Some(http2) = &request.http2 {
            let request = (http2, request.repeatable);
            return self.exchange_in_stream(*endpoint, request, slot).await;
        }
        if let Some(mut connection) = self.kept(*endpoint) {
            match connection.exchange(request, watch).await {
                Err(Fault::Unanswered(_)) if request.repeatable => {
                    self.with_tally(slot, |tally| tally.resent += 1);
                }
                result => {
                    self.keep(*endpoint, connection);
                    return result;
                }
            }
        }
        let mut connection = Connection::open(&self.work.endpoints[*endpoint]).await?;
        let reply = connection.exchange(request, watch).await?;
        self.keep(*endpoint, connection);
        Ok(reply)
    }

    /// The same over HTTP/2, beside others on a connection.
    async fn exchange_in_stream(
        &self,
        endpoint: usize,
        (request, repeatable): (&http::Request<Bytes>, bool),
        slot: usize,
    ) -> Result<Reply, Fault> {
        let watch = &self.work.cold_header.0;
        let target = &self.work.endpoints[endpoint];
        if !self.work.keeps_connections {
            return Multiplexed::open(target)
                .await?
                .exchange(request, watch)
                .await;
        }
        let place = self.enter(endpoint);
        let result = place
            .connection(target)
            .await?
            .exchange(request, watch)
            .await;
        if !matches!(result, Err(Fault::Unanswered(_)) if place.kept && repeatable) {
            return result;
        }
        self.with_tally(slot, |tally| tally.resent += 1);
        drop(place);
        let place = self.enter(endpoint);
        place
            .connection(target)
            .await?
            .exchange(request, watch)
            .await
    }

    fn enter(&self, endpoint: usize) -> Place {
        let most = self.most_connections.get();
        self.streams.borrow_mut()[endpoint].enter(most)
    }

    fn kept(&self, endpoint: usize) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(endpoint)?;
        loop {
            let mut connection = idle.pop()?;
            if connection.is_usable() {
                return Some(connection);
            }
        }
    }

    fn keep(&self, endpoint: usize, mut connection: Connection) {
        let keeps = self.work.keeps_connections && connection.is_usable();
        if let Some(idle) = self.idle.borrow_mut().get_mut(endpoint).filter(|_| keeps) {
            idle.push(connection);
        }
    }

    fn with_tally<T>(&self, slot: usize, change: impl FnOnce(&mut Tally) -> T) -> T {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if tallies.len() <= slot {
            tallies.resize_with(slot + 1, Tally::default);
        }
        change(&mut tallies[slot])
    }
}

/// One request that may be sent.
struct Turn {
    due: Option<Instant>,
    held_up: bool,
    request: usize,
    wanted: Wanted,
    slot: usize,
}

/// A place among those in flight, and whether it had to be waited for.
async fn enter(room: &Arc<Semaphore>) -> (OwnedSemaphorePermit, bool) {
    match Arc::clone(room).try_acquire_owned() {
        Ok(permit) => (permit, false),
        Err(_) => {
            let permit = Arc::clone(room).acquire_owned().await;
            (permit.expect("the semaphore is never closed"), true)
        }
    }
}
