//! Chance from a seed.

use std::time::Duration;

/// A small generator of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Equal seeds give equal sequences.
    pub fn new(seed: u64) -> Self {
        Random { state: seed }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, zero if that is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of a wide product is even enough for any bound used here.
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in `probability` of all cases.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A time from zero to `length`.
    pub fn within(&mut self, length: Duration) -> Duration {
        length.mul_f64(self.unit())
    }
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// Always the same.
    Fixed(Duration),
    /// Even between two times.
    Uniform(Duration, Duration),
    /// Exponential with this mean: memoryless, coefficient of variation 1.
    Exponential(Duration),
    /// Log-normal with this median and this standard deviation of the logarithm: heavy-tailed.
    LogNormal(Duration, f64),
}

impl Spread {
    /// One sample, at most a day.
    pub fn sample(&self, random: &mut Random) -> Duration {
        match *self {
            Spread::Fixed(time) => time,
            Spread::Uniform(least, most) => least + random.within(most.saturating_sub(least)),
            Spread::Exponential(mean) => scale(mean, -(1.0 - random.unit()).ln()),
            Spread::LogNormal(median, sigma) => {
                // Box and Muller.
                let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * random.unit()).cos();
                scale(median, (sigma * normal).exp())
            }
        }
    }
}

fn scale(time: Duration, factor: f64) -> Duration {
    const DAY: f64 = 86_400.0;
    Duration::from_secs_f64((time.as_secs_f64() * factor).min(DAY))
}
