//! What it is worth that a request is not late.

/// The share of requests that may be late, a little less than the 1 % that a 99th percentile
/// allows.
const SHARE: f64 = 0.009;
/// How fast the price follows: one late request makes it larger by this power of e, and
/// `1 / SHARE` ones in time undo that.
const RATE: f64 = 0.15;
/// Requests that come while an instance starts, at which the price follows half as fast.
const LAG: f64 = 8.0;
/// Late requests that are made up for at most.
const MOST_DEBT: f64 = 100.0;
/// Requests over which the share is shown.
const MEMORY: f64 = 20_000.0;

/// The price of a late request, which rises while more than [`SHARE`] of the requests are late and
/// falls while fewer are.
///
/// Its logarithm is the running sum `RATE * (late - SHARE)`, held at zero and more: the share is
/// `SHARE` exactly when it stays where it is, so it is held on the average however the price and the
/// share depend on each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::policy) struct Price {
    pub(super) log: f64,
    /// Late requests that nothing could have helped and that are not made up for yet.
    pub(super) debt: f64,
    pub(super) late: f64,
    pub(super) requests: f64,
}

/// Why a request was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An instance was let go that would have served it.
    Ours,
    /// There had never been as much to do before.
    Nobodys,
}

impl Price {
    /// A request was answered. `limit` is the largest power of e by which the price may rise.
    ///
    /// One that was late though nothing that was known could have helped does not raise the price,
    /// but keeps it from falling for as many requests as it takes to make up for it.
    pub(super) fn note(&mut self, late: Option<Fault>, lag: f64, limit: f64) {
        let share = (2.0 * SHARE - self.late_share()).clamp(SHARE / 3.0, SHARE);
        let change = match late {
            Some(Fault::Ours) => 1.0 - share,
            Some(Fault::Nobodys) => {
                self.debt = (self.debt + 1.0 - share).min(MOST_DEBT);
                0.0
            }
            None if self.debt > 0.0 => {
                self.debt = (self.debt - share).max(0.0);
                0.0
            }
            None => -share,
        };
        let rate = RATE / (1.0 + lag / LAG);
        self.log = (self.log + rate * change).clamp(0.0, limit.max(0.0));
        let late = f64::from(u8::from(late.is_some()));
        if self.requests >= MEMORY {
            self.late /= 2.0;
            self.requests /= 2.0;
        }
        self.late += late;
        self.requests += 1.0;
    }

    /// How many times more than a start alone the delay that it makes is worth; 1 as long as few
    /// enough requests are late.
    pub(super) fn factor(&self) -> f64 {
        self.log.exp()
    }

    /// The share of late requests lately.
    pub(super) fn late_share(&self) -> f64 {
        match self.requests > 0.0 {
            true => self.late / self.requests,
            false => 0.0,
        }
    }
}
