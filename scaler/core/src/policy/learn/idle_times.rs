//! For how long a function is empty between its requests.

use std::time::Duration;

use crate::Timestamp;
use crate::words::{Reader, Words};

/// Steps of the histogram.
const BINS: usize = 240;
/// Idle times that must have been seen before anything is predicted.
const ENOUGH: u32 = 8;
/// With so many, all counts are halved, so that old ones count less and less.
const MANY: u32 = 1 << 16;

/// The histogram of a function's idle times and the windows that follow from it, as in the hybrid
/// histogram policy of Shahrad et al., "Serverless in the Wild", USENIX ATC 2020, section 4.2.
///
/// An idle time is what passes from the end of the last request until the next one comes. Those
/// within the range are counted in 240 bins, of a minute each with the paper's range of four hours;
/// others only in sum. The 5th percentile, rounded down to the beginning of its bin and less 10 %,
/// is the time before which no request is expected; the 99th, rounded up to the end of its bin and
/// 10 % more, that after which none is expected any more. A histogram is representative if the
/// coefficient of variation of its counts is at least 2, that is, if it is not flat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IdleTimes {
    range: Duration,
    counts: Box<[u32; BINS]>,
    /// Sum of the counts.
    within: u32,
    /// Sum of their squares.
    squares: u64,
    /// Idle times beyond the range.
    beyond: u32,
    empty_since: Option<Timestamp>,
    /// What follows from all that.
    pattern: IdlePattern,
}

/// What the idle times seen so far tell about the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdlePattern {
    /// How many there were.
    pub seen: u32,
    /// What follows from them.
    pub forecast: Forecast,
}

/// When the next request is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forecast {
    /// Too few idle times were seen to tell.
    #[default]
    Unknown,
    /// They are too evenly spread to tell.
    Scattered,
    /// More than half of them were longer than the range.
    Beyond,
    /// So long after the last one, at the earliest and at the latest.
    Between(Duration, Duration),
}

impl IdleTimes {
    /// Nothing seen yet; the range must not be zero.
    pub(super) fn new(range: Duration) -> Self {
        IdleTimes {
            range: range.max(Duration::from_nanos(BINS as u64)),
            counts: Box::new([0; BINS]),
            within: 0,
            squares: 0,
            beyond: 0,
            empty_since: None,
            pattern: IdlePattern::default(),
        }
    }

    /// Forgets all if the range is another one.
    pub(super) fn set_range(&mut self, range: Duration) {
        let fresh = IdleTimes::new(range);
        if fresh.range != self.range {
            *self = IdleTimes {
                empty_since: self.empty_since,
                ..fresh
            };
        }
    }

    /// From now on there are `level` requests in the function.
    pub(super) fn changed(&mut self, level: u32, now: Timestamp) {
        if level == 0 {
            self.empty_since = Some(now);
        } else if let Some(since) = self.empty_since.take() {
            self.record(now.since(since));
        }
    }

    /// What is known now.
    pub(crate) fn pattern(&self) -> IdlePattern {
        self.pattern
    }

    pub(super) fn save(&self, words: &mut Words) {
        words.span(self.range);
        words.count(self.beyond);
        words.time_or_none(self.empty_since);
        self.counts.iter().for_each(|count| words.count(*count));
    }

    pub(super) fn load(range: Duration, words: &mut Reader<'_>) -> Option<Self> {
        let mut found = IdleTimes::new(range);
        let known = words.span()? == found.range;
        found.beyond = words.count()?.min(MANY);
        found.empty_since = words.time_or_none()?;
        for place in 0..BINS {
            let count = words.count()?.min(MANY);
            found.counts[place] = count;
            found.within += count;
            found.squares += u64::from(count).pow(2);
        }
        if !known {
            found.set_range(Duration::ZERO);
            found.set_range(range);
        }
        found.pattern = found.predict();
        Some(found)
    }

    fn record(&mut self, idle: Duration) {
        let bin = idle.as_nanos() * BINS as u128 / self.range.as_nanos();
        match usize::try_from(bin).ok().filter(|bin| *bin < BINS) {
            None => self.beyond += 1,
            Some(bin) => {
                let count = &mut self.counts[bin];
                self.squares += 2 * u64::from(*count) + 1;
                *count += 1;
                self.within += 1;
            }
        }
        if self.within.max(self.beyond) >= MANY {
            self.halve();
        }
        self.pattern = self.predict();
    }

    fn halve(&mut self) {
        self.beyond /= 2;
        (self.within, self.squares) = (0, 0);
        for count in self.counts.iter_mut() {
            *count /= 2;
            self.within += *count;
            self.squares += u64::from(*count).pow(2);
        }
    }

    fn predict(&self) -> IdlePattern {
        let seen = self.within + self.beyond;
        let forecast = if seen < ENOUGH {
            Forecast::Unknown
        } else if self.beyond > self.within {
            Forecast::Beyond
        } else if !self.is_representative() {
            Forecast::Scattered
        } else {
            let (head, tail) = (self.bin_of(5), self.bin_of(99) + 1);
            Forecast::Between(self.edge(head * 9, 10), self.edge(tail * 11, 10))
        };
        IdlePattern { seen, forecast }
    }

    /// The coefficient of variation of the counts is at least 2: with `n` bins its square is
    /// `n * squares / within^2 - 1`.
    fn is_representative(&self) -> bool {
        BINS as u64 * self.squares >= 5 * u64::from(self.within).pow(2)
    }

    /// The bin in which the percentile of those within the range lies.
    fn bin_of(&self, percentile: u64) -> u32 {
        let rank = (u64::from(self.within) * percentile).div_ceil(100).max(1);
        let mut sum = 0;
        let below = self.counts.iter().take_while(|count| {
            sum += u64::from(**count);
            sum < rank
        });
        below.count() as u32
    }

    /// The beginning of bin `numerator / denominator`.
    fn edge(&self, numerator: u32, denominator: u32) -> Duration {
        self.range * numerator / (BINS as u32 * denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// After these idle times, in seconds.
    fn after(idle: impl IntoIterator<Item = u64>) -> IdleTimes {
        let mut times = IdleTimes::new(240 * MINUTE);
        let mut now = Timestamp::ZERO;
        times.changed(1, now);
        for seconds in idle {
            times.changed(0, now);
            now = now + Duration::from_secs(seconds);
            times.changed(1, now);
            // It changes nothing that there are more.
            times.changed(2, now);
        }
        times
    }

    fn forecast(idle: impl IntoIterator<Item = u64>) -> Forecast {
        after(idle).pattern().forecast
    }

    fn minutes(tenths: u32) -> Duration {
        MINUTE * tenths / 10
    }

    #[test]
    fn a_timer_is_expected_about_its_period() {
        // All in bin 10: from 10 min less a tenth, until 11 min and a tenth.
        let expected = Forecast::Between(minutes(90), minutes(121));
        assert_eq!(forecast([630; 8]), expected);
        // The 5th percentile of a hundred is the fifth, the 99th the 99th.
        let outliers = || [30; 4].into_iter().chain([630; 95]).chain([6_000]);
        assert_eq!(forecast(outliers()), expected);
        let more = [30, 30].into_iter().chain(outliers());
        // Six in 102: the head is in the first bin, which begins at once.
        assert_eq!(
            forecast(more),
            Forecast::Between(Duration::ZERO, minutes(121))
        );
    }

    #[test]
    fn what_is_too_little_or_too_even_or_too_long_tells_nothing() {
        assert_eq!(forecast([630; 7]), Forecast::Unknown);
        // 1 in each of 48 bins: 240 * 48 = 5 * 48^2 is just representative, one more is not.
        let spread = |bins: u64| (0..bins).map(|bin| bin * 60);
        assert!(matches!(forecast(spread(48)), Forecast::Between(..)));
        assert_eq!(forecast(spread(49)), Forecast::Scattered);
        let long = |count| std::iter::repeat_n(240 * 60, count).chain([630; 5]);
        let between = Forecast::Between(minutes(90), minutes(121));
        assert_eq!(
            (forecast(long(5)), forecast(long(6))),
            (between, Forecast::Beyond)
        );
    }

    #[test]
    fn old_idle_times_are_forgotten() {
        let mut times = after(std::iter::repeat_n(630, MANY as usize - 1));
        assert_eq!(times.within, MANY - 1);
        times.record(Duration::from_secs(630));
        assert_eq!((times.within, times.pattern().seen), (MANY / 2, MANY / 2));
        assert_eq!(times.squares, u64::from(MANY / 2).pow(2));
    }

    #[test]
    fn they_come_back_as_they_were_saved() {
        let mut times = after([10, 630, 630, 700, 99_999, 5, 5, 5, 5]);
        times.changed(0, Timestamp::from_nanos(u64::MAX / 2));
        let mut words = Words::default();
        times.save(&mut words);
        let words = words.into_inner();
        let load = |range, words| IdleTimes::load(range, &mut Reader(words));
        assert_eq!(load(240 * MINUTE, &words), Some(times.clone()));
        // With another range only the present is of use.
        let other = IdleTimes {
            empty_since: times.empty_since,
            ..IdleTimes::new(MINUTE)
        };
        assert_eq!(load(MINUTE, &words), Some(other));
        assert_eq!(load(MINUTE, &words[..50]), None);
        let mut wild = words.clone();
        wild[3..].fill(u64::from(u32::MAX));
        assert_eq!(load(240 * MINUTE, &wild).unwrap().within, 240 * MANY);
    }
}
