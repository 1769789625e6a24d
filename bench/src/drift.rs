//! Whether a figure changes over a long run.

use crate::intervals::upper_tail;

/// A trend among figures that were measured one after the other at equal distances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trend {
    /// The median slope between any two of them (Theil 1950, Sen 1968), per step.
    pub(crate) slope: f64,
    /// That slope over the whole run, relative to the median.
    pub(crate) share: f64,
    /// The two-sided probability of as much order among figures without a trend (Mann 1945, Kendall
    /// 1975; normal approximation with correction for continuity, ties ignored).
    pub(crate) p: f64,
}

/// Fewer figures tell no trend.
const LEAST: usize = 8;

impl Trend {
    /// None for fewer than 8 figures, or if their median is zero.
    pub(crate) fn of(figures: &[f64]) -> Option<Trend> {
        let count = figures.len();
        let middle = median(figures.to_vec())?;
        if count < LEAST || middle == 0.0 {
            return None;
        }
        let mut order = 0.0;
        let mut slopes = Vec::with_capacity(count * (count - 1) / 2);
        for (early, earlier) in figures.iter().enumerate() {
            for (late, later) in figures.iter().enumerate().skip(early + 1) {
                let rise = later - earlier;
                slopes.push(rise / (late - early) as f64);
                if rise != 0.0 {
                    order += rise.signum();
                }
            }
        }
        let slope = median(slopes)?;
        let n = count as f64;
        let variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
        let z = (order.abs() - 1.0).max(0.0) / variance.sqrt();
        Some(Trend {
            slope,
            share: slope * (n - 1.0) / middle,
            p: (2.0 * upper_tail(z)).min(1.0),
        })
    }

    /// Whether it is more than noise.
    pub(crate) fn is_certain(&self) -> bool {
        self.p < 0.01
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        length if length % 2 == 1 => Some(figures[middle]),
        _ => Some(f64::midpoint(figures[middle - 1], figures[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoker_traces::random::Random;

    #[test]
    fn a_leak_is_seen() {
        let mut random = Random::new(3);
        let leak: Vec<f64> = (0..30)
            .map(|step| 100.0 + f64::from(step) + 3.0 * random.normal())
            .collect();
        let trend = Trend::of(&leak).expect("there are enough");
        assert!(trend.is_certain(), "{trend:?}");
        assert!((trend.slope - 1.0).abs() < 0.2, "{trend:?}");
        assert!((trend.share - 29.0 / 114.5).abs() < 0.06, "{trend:?}");
    }

    /// At a level of 1 %, noise is taken for a trend once in a hundred times.
    #[test]
    fn noise_is_not() {
        let mut random = Random::new(5);
        let certain = (0..1000)
            .filter(|_| {
                let noise: Vec<f64> = (0..30).map(|_| 100.0 + random.normal()).collect();
                Trend::of(&noise).expect("there are enough").is_certain()
            })
            .count();
        assert!(certain < 25, "{certain} of 1000");
    }

    #[test]
    fn a_few_tell_nothing() {
        assert_eq!(Trend::of(&[1.0, 2.0, 3.0]), None);
        assert_eq!(Trend::of(&[0.0; 20]), None);
    }
}
