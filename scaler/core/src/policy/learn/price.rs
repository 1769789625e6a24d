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
        match self.log > 0.0 {
            true => self.log.exp(),
            false => 1.0,
        }
    }

    /// The share of late requests lately.
    pub(super) fn late_share(&self) -> f64 {
        match self.requests > 0.0 {
            true => self.late / self.requests,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: f64 = 8.0;

    #[test]
    fn late_requests_raise_it_and_the_others_lower_it() {
        let mut price = Price::default();
        for _ in 0..100 {
            price.note(None, 0.0, LIMIT);
        }
        assert_eq!((price.factor(), price.late_share()), (1.0, 0.0));
        price.note(Some(Fault::Ours), 0.0, LIMIT);
        let raised = price.factor();
        assert!(raised > 1.1 && raised < 1.2, "{raised}");
        for _ in 0..400 {
            price.note(None, 0.0, LIMIT);
        }
        assert_eq!(price.factor(), 1.0);
    }

    #[test]
    fn it_is_bounded() {
        let mut price = Price::default();
        for _ in 0..100_000 {
            price.note(Some(Fault::Ours), 0.0, LIMIT);
        }
        assert!((price.factor() - LIMIT.exp()).abs() < 1e-6);
        price.note(None, 0.0, -3.0);
        assert_eq!(price.factor(), 1.0);
    }

    #[test]
    fn what_nobody_could_help_is_made_up_for() {
        let mut price = Price::default();
        price.note(Some(Fault::Ours), 0.0, LIMIT);
        let before = price.factor();
        for _ in 0..5 {
            price.note(Some(Fault::Nobodys), 0.0, LIMIT);
        }
        // Five late ones are nine in a thousand of 555.
        for _ in 0..500 {
            price.note(None, 0.0, LIMIT);
        }
        assert_eq!(price.factor(), before);
    }

    /// Whatever share a price leads to, as long as a higher price leads to a lower one, the share
    /// comes out right.
    #[test]
    fn the_share_is_held() {
        for steepness in [0.5_f64, 1.0, 2.0] {
            let mut price = Price::default();
            let (mut due, mut late, mut last) = (0.0, 0, 0);
            for number in 0..200_000 {
                due += 0.2 * price.factor().powf(-steepness);
                let is_late = due >= 1.0;
                if is_late {
                    due -= 1.0;
                    late += 1;
                    last += u32::from(number >= 100_000);
                }
                price.note(is_late.then_some(Fault::Ours), 0.0, LIMIT);
            }
            assert!(late <= 2_000, "{late} of 200000 at {steepness}");
            assert!((700..=1_000).contains(&last), "{last} of 100000");
        }
    }
}
