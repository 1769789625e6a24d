//! Traces that are made up: what each shows is stated, and a seed settles the rest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::f64::consts::TAU;
use std::time::Duration;

use clap::ValueEnum;
use stoker_traces::random::Random;

use crate::chance::{self, Purpose};

const DAY_S: f64 = 86_400.0;
const HOUR_S: f64 = 3_600.0;

/// How far the rate of `diurnal` goes above and below its mean, as a share.
const SWING: f64 = 0.8;
/// The share of the hours in which a function of `diurnal` has a burst.
const BURST_SHARE: f64 = 0.25;
/// How many times higher the rate is in a burst.
const BURST_FACTOR: f64 = 10.0;
/// The shortest and the longest burst, seconds.
const BURST_S: (f64, f64) = (10.0, 60.0);
/// Periods of the timers, seconds: function `i` has the `i`th, and so on in turn.
const PERIODS_S: [f64; 7] = [60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0];
/// A timer is late by at most this share of its period, and by at most so many seconds.
const LATE: (f64, f64) = (0.01, 2.0);

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Poisson arrivals at constant rates
    Steady,
    /// Rates that follow the hour of the day, and bursts of ten times the rate
    Diurnal,
    /// Timers with periods of 1 minute to 1 hour, each call up to 2 s late
    Timers,
}

/// How much of it.
#[derive(Clone, Debug)]
pub(crate) struct MakeOptions {
    pub(crate) kind: Kind,
    pub(crate) length: Duration,
    pub(crate) functions: u32,
    /// Calls per second of all functions together, on average and without bursts; timers have
    /// their periods.
    pub(crate) rate: f64,
}

/// Calls that are made one after the other.
#[derive(Debug)]
pub(crate) struct Made {
    options: MakeOptions,
    seed: u64,
    functions: Vec<Maker>,
    /// The next call of each function.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    at: f64,
}

#[derive(Debug)]
struct Maker {
    name: String,
    key: u64,
    /// Calls per second on average, or the period of a timer.
    pace: f64,
    draws: u64,
}

impl Made {
    pub(crate) fn new(options: &MakeOptions, seed: u64) -> Self {
        // Popularity after Zipf: function i is called 1 / (i + 1) times as often as the first.
        let weight = |index: u32| 1.0 / f64::from(index + 1);
        let sum: f64 = (0..options.functions).map(weight).sum();
        let functions = (0..options.functions).map(|index| {
            let name = format!("{}-{index}", options.kind.name());
            let pace = match options.kind {
                Kind::Timers => PERIODS_S[index as usize % PERIODS_S.len()],
                Kind::Steady | Kind::Diurnal => options.rate * weight(index) / sum,
            };
            Maker {
                key: chance::key(seed, &name),
                name,
                pace,
                draws: 0,
            }
        });
        let mut made = Made {
            seed,
            functions: functions.collect(),
            next: BinaryHeap::new(),
            at: 0.0,
            options: options.clone(),
        };
        for index in 0..made.functions.len() {
            if let Some(first) = made.plan(index, 0.0) {
                made.next.push(Reverse((first, index)));
            }
        }
        made
    }

    /// When the next call comes, and which function is called.
    pub(crate) fn next_call(&mut self) -> Option<(Duration, usize)> {
        let &Reverse((nanos, index)) = self.next.peek()?;
        let at = Duration::from_nanos(nanos);
        self.at = at.as_secs_f64();
        let next = self.plan(index, self.at);
        if let Some(mut first) = self.next.peek_mut() {
            match next {
                Some(next) => *first = Reverse((next, index)),
                None => {
                    PeekMut::pop(first);
                }
            }
        }
        Some((at, index))
    }

    /// What a function is called.
    pub(crate) fn name(&self, index: usize) -> &str {
        self.functions.get(index).map_or("", |maker| &maker.name)
    }

    /// The share that was made, by time.
    pub(crate) fn progress(&self) -> f64 {
        self.at / self.options.length.as_secs_f64().max(1e-9)
    }

    /// What it is.
    pub(crate) fn note(&self) -> String {
        let MakeOptions {
            functions, rate, ..
        } = self.options;
        let seed = self.seed;
        match self.options.kind {
            Kind::Steady => format!(
                "made (seed {seed}): {functions} functions with Poisson arrivals, {rate} per second \
                 in all, the nth function 1/n as often as the first"
            ),
            Kind::Diurnal => format!(
                "made (seed {seed}): {functions} functions, {rate} calls per second in all on \
                 average, the nth function 1/n as often as the first, 80 % more at noon and less at \
                 midnight, in a quarter of the hours 10 to 60 s at ten times the rate"
            ),
            Kind::Timers => format!(
                "made (seed {seed}): {functions} timers with periods of 1 minute to 1 hour, each call \
                 late by up to 1 % of the period and 2 s"
            ),
        }
    }

    /// The call of a function that comes after `now`, in nanoseconds, if it is within the trace.
    fn plan(&mut self, index: usize, now: f64) -> Option<u64> {
        let end = self.options.length.as_secs_f64();
        let maker = &mut self.functions[index];
        let at = match self.options.kind {
            Kind::Steady => now + maker.gap(maker.pace),
            Kind::Diurnal => maker.diurnal(now, end),
            Kind::Timers => maker.timer(),
        };
        (at < end).then_some((at * 1e9) as u64)
    }
}

impl Maker {
    fn draw(&mut self) -> Random {
        self.draws += 1;
        chance::draw(self.key, Purpose::Gap, self.draws)
    }

    /// Of a Poisson process.
    fn gap(&mut self, rate: f64) -> f64 {
        -(1.0 - self.draw().unit()).ln() / rate.max(1e-12)
    }

    /// By thinning (Lewis and Shedler, 1979), hour by hour.
    fn diurnal(&mut self, mut now: f64, end: f64) -> f64 {
        while now < end {
            let hour = (now / HOUR_S).floor();
            let burst = self.burst(hour);
            let most = self.pace * (1.0 + SWING) * burst.map_or(1.0, |_| BURST_FACTOR);
            let next = now + self.gap(most);
            let over = (hour + 1.0) * HOUR_S;
            if next >= over {
                // Memoryless: what comes after the hour is drawn there.
                now = over;
                continue;
            }
            now = next;
            // Lowest at midnight, which is where the trace begins.
            let day = 1.0 - SWING * (TAU * now / DAY_S).cos();
            let bursts = burst.is_some_and(|(from, to)| (from..to).contains(&now));
            let rate = self.pace * day * if bursts { BURST_FACTOR } else { 1.0 };
            if self.draw().unit() * most < rate {
                return now;
            }
        }
        end
    }

    /// From and to, if the hour has one.
    fn burst(&self, hour: f64) -> Option<(f64, f64)> {
        let mut draw = chance::draw(self.key, Purpose::Plan, hour as u64);
        if draw.unit() >= BURST_SHARE {
            return None;
        }
        let length = BURST_S.0 + (BURST_S.1 - BURST_S.0) * draw.unit();
        let from = hour * HOUR_S + (HOUR_S - length) * draw.unit();
        Some((from, from + length))
    }

    /// Each call is late by its own chance; it does not put off those after it.
    fn timer(&mut self) -> f64 {
        let phase = chance::draw(self.key, Purpose::Plan, 0).unit() * self.pace;
        let count = self.draws as f64;
        let late = (LATE.0 * self.pace).min(LATE.1) * self.draw().unit();
        phase + count * self.pace + late
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Steady => "steady",
            Kind::Diurnal => "diurnal",
            Kind::Timers => "timer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(kind: Kind, hours: u64, seed: u64) -> Vec<(Duration, usize)> {
        let options = MakeOptions {
            kind,
            length: Duration::from_secs(3_600 * hours),
            functions: 7,
            rate: 2.0,
        };
        let mut made = Made::new(&options, seed);
        std::iter::from_fn(|| made.next_call()).collect()
    }

    #[test]
    fn calls_are_in_order_and_a_seed_gives_the_same() {
        for kind in [Kind::Steady, Kind::Diurnal, Kind::Timers] {
            let calls = all(kind, 3, 1);
            assert!(calls.windows(2).all(|pair| pair[0].0 <= pair[1].0));
            assert_eq!(calls, all(kind, 3, 1));
            assert_ne!(calls, all(kind, 3, 2));
        }
    }

    #[test]
    fn rates_are_what_was_asked_for() {
        let steady = all(Kind::Steady, 10, 1).len() as f64 / 36_000.0;
        assert!((steady - 2.0).abs() < 0.05, "{steady}");
        // Bursts add a quarter of 35 s of nine times the rate to each hour: about 2 %.
        let diurnal = all(Kind::Diurnal, 48, 1);
        let rate = diurnal.len() as f64 / 172_800.0;
        assert!((1.9..2.3).contains(&rate), "{rate}");
        let noon = diurnal.iter().filter(|(at, _)| {
            let hour = at.as_secs() / 3_600 % 24;
            (10..14).contains(&hour)
        });
        assert!(noon.count() as f64 > 1.5 * diurnal.len() as f64 / 6.0);
    }

    #[test]
    fn timers_keep_their_periods() {
        let calls = all(Kind::Timers, 10, 1);
        let minute: Vec<f64> = calls
            .iter()
            .filter(|(_, index)| *index == 0)
            .map(|(at, _)| at.as_secs_f64())
            .collect();
        assert_eq!(minute.len(), 600);
        for pair in minute.windows(2) {
            assert!((pair[1] - pair[0] - 60.0).abs() <= 0.6);
        }
        let hourly = calls.iter().filter(|(_, index)| *index == 6);
        assert_eq!(hourly.count(), 10);
    }
}
