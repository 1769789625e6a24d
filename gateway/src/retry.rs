//! Whether a request that failed may be sent once more.

mod tape;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::Method;
use stoker_config::RetrySpec;

use crate::upstream::{Exchange, Framing, Head};

pub(crate) use tape::Tape;

/// Seconds that the budget looks back.
const WINDOW: u64 = 10;

/// Retries of one function against its requests, over the last ten seconds, as the budgets of
/// Finagle and Envoy have it: a share of the requests and a few per second besides. Without it
/// retries would double the load of a function that fails because of its load.
#[derive(Debug)]
pub(crate) struct Budget {
    origin: Instant,
    requests: Counts,
    retries: Counts,
}

/// Counts per second, of the last ten.
#[derive(Debug, Default)]
struct Counts([AtomicU64; WINDOW as usize]);

/// The attempts of one request.
pub(crate) struct Attempts<'a> {
    spec: &'a RetrySpec,
    budget: &'a Budget,
    /// The head, if the request may have to be sent again as a whole.
    head: Option<Head>,
    /// That may be done although an instance may have seen it.
    idempotent: bool,
    framing: Framing,
    made: u32,
}

/// How a request is sent once more.
pub(crate) enum Again {
    /// Nothing of it was taken; it goes on as it is.
    Unsent,
    /// From the beginning.
    Whole(Head, Framing),
}

impl Budget {
    /// With nothing counted; `origin` is not later than any other time that it is told.
    pub(crate) fn new(origin: Instant) -> Self {
        Budget {
            origin,
            requests: Counts::default(),
            retries: Counts::default(),
        }
    }

    /// Counts a request.
    pub(crate) fn note_request(&self, now: Instant) {
        self.requests.add(self.second(now));
    }

    /// Takes one retry out of the budget, if there is one left:
    /// `retries <= requests * budget_percentage / 100 + budget_minimum * 10`, both of the last ten
    /// seconds.
    pub(crate) fn take(&self, spec: &RetrySpec, now: Instant) -> bool {
        let second = self.second(now);
        // Counted first and looked at then: at worst two at once are both refused.
        self.retries.add(second);
        let share = self.requests.sum(second) as f64 * spec.budget_percentage / 100.0;
        let minimum = u64::from(spec.budget_minimum) * WINDOW;
        // The cast rounds down.
        let allowed = self.retries.sum(second) <= minimum + share as u64;
        if !allowed {
            self.retries.undo(second);
        }
        allowed
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_secs()
    }
}

impl Counts {
    /// Each place holds its second in the upper half and the count in the lower one.
    fn add(&self, second: u64) {
        let place = &self.0[(second % WINDOW) as usize];
        let held = place.load(Ordering::Relaxed);
        if held >> 32 == second & 0xffff_ffff {
            place.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let fresh = (second << 32) | 1;
        let replaced = place.compare_exchange(held, fresh, Ordering::Relaxed, Ordering::Relaxed);
        if replaced.is_err() {
            // Another thread has begun the new second.
            place.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn undo(&self, second: u64) {
        self.0[(second % WINDOW) as usize].fetch_sub(1, Ordering::Relaxed);
    }

    fn sum(&self, second: u64) -> u64 {
        let recent = |held: u64| {
            let age = (second & 0xffff_ffff).wrapping_sub(held >> 32);
            if age < WINDOW { held & 0xffff_ffff } else { 0 }
        };
        self.0
            .iter()
            .map(|place| recent(place.load(Ordering::Relaxed)))
            .sum()
    }
}

impl<'a> Attempts<'a> {
    /// The first attempt of a request with this head; counts it.
    pub(crate) fn new(
        (spec, budget): (&'a RetrySpec, &'a Budget),
        method: &Method,
        (head, framing): (&Head, Framing),
        now: Instant,
    ) -> Self {
        budget.note_request(now);
        let whole = spec.idempotent && is_idempotent(method);
        Attempts {
            spec,
            budget,
            head: whole.then(|| head.clone()),
            idempotent: whole,
            framing,
            made: 1,
        }
    }

    /// Keeps what it takes to send the request again if it turns out that nobody has read it; false
    /// if its body is or may be too long for that.
    pub(crate) fn keep(&mut self, head: &Head) -> bool {
        let short = match self.framing {
            Framing::None => true,
            Framing::Length(bytes) => bytes <= tape::KEPT_BYTES as u64,
            Framing::Chunked | Framing::Close => false,
        };
        if short && self.head.is_none() {
            self.head = Some(head.clone());
        }
        short
    }

    /// True if the request's body is worth keeping.
    pub(crate) fn wants_body(&self) -> bool {
        self.head.is_some() && self.framing != Framing::None
    }

    /// How the request, whose connection broke before the head of an answer, is sent once more;
    /// none if it must not be.
    pub(crate) fn next(&mut self, exchange: &mut Exchange, now: Instant) -> Option<Again> {
        if self.made >= self.spec.attempts {
            return None;
        }
        if !exchange.is_unsent() && !self.idempotent {
            return None;
        }
        let again = self.once_more(exchange)?;
        if !self.budget.take(self.spec, now) {
            return None;
        }
        self.made += 1;
        Some(again)
    }

    /// How the request is sent once more that nobody has read, for no program was executed. That
    /// is no retry: it puts no load on the function.
    pub(crate) fn once_more(&self, exchange: &mut Exchange) -> Option<Again> {
        if exchange.is_unsent() {
            return Some(Again::Unsent);
        }
        let head = self.head.as_ref()?.clone();
        let held = self.framing == Framing::None || exchange.body_mut().can_rewind();
        held.then_some(Again::Whole(head, self.framing))
    }
}

/// RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ]
    .contains(method)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spec(budget_percentage: f64, budget_minimum: u32) -> RetrySpec {
        RetrySpec {
            idempotent: true,
            attempts: 4,
            budget_percentage,
            budget_minimum,
        }
    }

    fn taken(budget: &Budget, spec: &RetrySpec, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.take(spec, now)).count()
    }

    #[test]
    fn retries_are_a_share_of_the_requests_of_ten_seconds_and_a_few() {
        let origin = Instant::now();
        let at = |seconds| origin + Duration::from_secs(seconds);
        let budget = Budget::new(origin);
        let spec = spec(20.0, 1);
        assert_eq!(taken(&budget, &spec, origin), 10);
        for second in 0..10 {
            for _ in 0..50 {
                budget.note_request(at(second));
            }
        }
        // 20 % of 500 and 10, of which 10 are gone.
        assert_eq!(taken(&budget, &spec, at(9)), 100);
        // The first second, with its 50 requests and 10 retries, is forgotten.
        assert_eq!(taken(&budget, &spec, at(10)), 0);
        assert_eq!(taken(&budget, &spec, at(18)), 0);
        assert_eq!(taken(&budget, &spec, at(19)), 10);
        assert_eq!(taken(&budget, &spec, at(1_000_000)), 10);
    }

    #[test]
    fn without_a_budget_there_is_none() {
        let now = Instant::now();
        let budget = Budget::new(now);
        budget.note_request(now);
        assert!(!budget.take(&spec(0.0, 0), now));
        assert!(budget.take(&spec(100.0, 0), now));
        assert!(!budget.take(&spec(100.0, 0), now));
    }

    #[test]
    fn only_what_may_be_repeated_is() {
        for (method, idempotent) in [
            ("GET", true),
            ("HEAD", true),
            ("PUT", true),
            ("DELETE", true),
            ("OPTIONS", true),
            ("TRACE", true),
            ("POST", false),
            ("PATCH", false),
            ("LOCK", false),
            ("get", false),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(is_idempotent(&method), idempotent, "{method}");
        }
    }
}
