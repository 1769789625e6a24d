//! The mathematics of how sure a figure is: two-sided 95 % confidence intervals.

/// What may fall outside an interval on either side.
const TAIL: f64 = 0.025;

/// The quantile 0.975 of the standard normal distribution.
pub(crate) const NORMAL: f64 = 1.959_963_984_540_054;

/// The quantile 0.975 of Student's t distribution, for so many degrees of freedom, at least 1.
///
/// A table up to 12, then the expansion 26.7.5 of Abramowitz and Stegun, "Handbook of Mathematical
/// Functions", 1964, which is right to three places there.
pub(crate) fn student(degrees: usize) -> f64 {
    // scipy.stats.t.ppf(0.975, degrees)
    const TABLE: [f64; 12] = [
        12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281, 2.201,
        2.1788,
    ];
    if let Some(&known) = TABLE.get(degrees.max(1) - 1) {
        return known;
    }
    let z = NORMAL;
    let v = degrees as f64;
    z + (z.powi(3) + z) / (4.0 * v)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v.powi(2))
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * v.powi(3))
}

/// The mean of independent figures and how far its interval reaches to either side: Student's t
/// interval. None for fewer than two.
pub(crate) fn mean(figures: &[f64]) -> Option<(f64, f64)> {
    if figures.len() < 2 {
        return None;
    }
    let count = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / count;
    let squares: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    Some((mean, student(figures.len() - 1) * error))
}

/// The fewest samples from which an interval for `quantile`, in (0, 1), can be had without knowing
/// the distribution: with fewer, the true quantile is beyond all samples too often.
pub(crate) fn samples_for(quantile: f64) -> u64 {
    let farther = quantile.max(1.0 - quantile);
    (TAIL.ln() / farther.ln()).ceil() as u64
}

/// The ranks, beginning with 1, of the two samples between which `quantile` lies; none if `count`
/// is less than [`samples_for`] that.
///
/// Order statistics, which hold for any distribution of independent samples: Hahn and Meeker,
/// "Statistical Intervals", 1991, section 5.2; for many samples by the normal approximation of
/// Conover, "Practical Nonparametric Statistics", 1999, section 3.2.
pub(crate) fn ranks(count: u64, quantile: f64) -> Option<(u64, u64)> {
    if count < samples_for(quantile) {
        return None;
    }
    let expected = count as f64 * quantile;
    let variance = expected * (1.0 - quantile);
    if variance > 100.0 {
        let reach = NORMAL * variance.sqrt();
        let low = (expected - reach).floor().max(1.0) as u64;
        let high = ((expected + reach).ceil() as u64 + 1).min(count);
        return Some((low, high));
    }
    Some(exact_ranks(count, quantile))
}

/// By summing up the binomial distribution, whose variance is small here, from both ends.
fn exact_ranks(count: u64, quantile: f64) -> (u64, u64) {
    let odds = (quantile / (1.0 - quantile)).ln();
    let n = count as f64;
    // Rank `low` is good as long as at most TAIL of the distribution is below it.
    let mut log_chance = n * (1.0 - quantile).ln();
    let mut below = 0.0;
    let mut low = 1;
    for k in 0..count {
        below += log_chance.exp();
        if below > TAIL {
            break;
        }
        low = k + 1;
        log_chance += ((n - k as f64) / (k as f64 + 1.0)).ln() + odds;
    }
    let mut log_chance = n * quantile.ln();
    let mut above = 0.0;
    let mut high = count;
    for k in (1..=count).rev() {
        above += log_chance.exp();
        if above > TAIL {
            break;
        }
        high = k;
        log_chance += (k as f64 / (n - k as f64 + 1.0)).ln() - odds;
    }
    (low.max(1), high)
}

/// How likely two groups of figures are at least this far apart if both come from one distribution:
/// two-sided, exact up to 20 figures each, above that by the normal approximation. None if there is
/// nothing in one of them.
///
/// Mann and Whitney, "On a test of whether one of two random variables is stochastically larger
/// than the other", 1947. A tie counts half, and half a point goes to "no difference".
pub(crate) fn mann_whitney(first: &[f64], second: &[f64]) -> Option<f64> {
    let (m, n) = (first.len(), second.len());
    if m == 0 || n == 0 {
        return None;
    }
    let mut smaller = 0.0;
    for a in first {
        for b in second {
            smaller += match a.total_cmp(b) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 1.0,
            };
        }
    }
    let pairs = (m * n) as f64;
    let statistic = f64::min(smaller, pairs - smaller);
    if m > 20 || n > 20 {
        let deviation = (pairs * (m + n + 1) as f64 / 12.0).sqrt();
        let z = ((pairs / 2.0 - statistic - 0.5) / deviation).max(0.0);
        return Some(2.0 * upper_tail(z));
    }
    let ways = orders(m, n);
    let all: f64 = ways.iter().sum();
    let extreme: f64 = ways.iter().take(statistic.ceil() as usize + 1).sum();
    Some((2.0 * extreme / all).min(1.0))
}

/// In how many of all orders of `m` and `n` figures the statistic is 0, 1, 2 and so on: the Gaussian
/// binomial coefficient, factor by factor.
fn orders(m: usize, n: usize) -> Vec<f64> {
    let size = m * n + 1;
    let mut ways = vec![0.0; size];
    ways[0] = 1.0;
    for i in 1..=m {
        for at in (n + i..size).rev() {
            ways[at] -= ways[at - n - i];
        }
        for at in i..size {
            ways[at] += ways[at - i];
        }
    }
    ways
}

/// What of the standard normal distribution is above `z`, at least 0, right to seven places:
/// Abramowitz and Stegun, 26.2.17.
pub(crate) fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * polynomial
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.t.ppf(0.975, degrees)
    #[test]
    fn student_is_that_of_scipy() {
        for (degrees, wanted) in [
            (1, 12.7062),
            (4, 2.7764),
            (13, 2.16037),
            (15, 2.13145),
            (30, 2.04227),
            (100, 1.98397),
            (1000, 1.96234),
        ] {
            let got = student(degrees);
            assert!(
                (got - wanted).abs() < 5e-4,
                "{degrees}: {got}, not {wanted}"
            );
        }
    }

    /// scipy.stats.t.interval(0.95, 4, loc=11, scale=scipy.stats.sem([10, 12, 11, 13, 9]))
    #[test]
    fn mean_is_that_of_scipy() {
        let (mean, reach) = mean(&[10.0, 12.0, 11.0, 13.0, 9.0]).unwrap();
        assert!((mean - 11.0).abs() < 1e-9);
        assert!((reach - 1.963_243).abs() < 1e-4, "{reach}");
        assert_eq!(super::mean(&[1.0]), None);
    }

    /// Sums of scipy.stats.binom: the largest l with cdf(l - 1) <= 0.025, the smallest u with
    /// sf(u - 1) <= 0.025.
    #[test]
    fn ranks_are_those_of_scipy() {
        for (count, quantile, low, high) in [
            (6, 0.5, 1, 6),
            (36, 0.9, 29, 36),
            (100, 0.5, 40, 61),
            (200, 0.9, 171, 189),
            (368, 0.99, 360, 368),
            (500, 0.99, 490, 500),
            (1000, 0.99, 983, 997),
            (3688, 0.999, 3680, 3688),
            (5000, 0.999, 4990, 5000),
        ] {
            assert_eq!(
                ranks(count, quantile),
                Some((low, high)),
                "{count} {quantile}"
            );
        }
        // The approximation; exactly (469, 532).
        assert_eq!(ranks(1000, 0.5), Some((469, 532)));
    }

    #[test]
    fn too_few_samples_have_no_ranks() {
        for (quantile, needed) in [(0.5, 6), (0.9, 36), (0.99, 368), (0.999, 3688)] {
            assert_eq!(samples_for(quantile), needed);
            assert_eq!(ranks(needed - 1, quantile), None);
        }
    }

    /// scipy.stats.mannwhitneyu(..., method='exact')
    #[test]
    fn mann_whitney_is_that_of_scipy() {
        for (first, second, wanted) in [
            (
                &[1.0, 2.0, 3.0, 4.0, 5.0][..],
                &[6.0, 7.0, 8.0, 9.0, 10.0][..],
                0.007_936_5,
            ),
            (
                &[1.0, 3.0, 5.0, 7.0, 9.5],
                &[2.0, 4.0, 6.0, 8.0, 10.0],
                0.690_476,
            ),
            (&[1.0, 2.0, 3.0, 7.0], &[4.0, 5.0, 6.0, 8.0, 9.0], 0.111_111),
        ] {
            let chance = mann_whitney(first, second).unwrap();
            assert!((chance - wanted).abs() < 1e-5, "{chance}, not {wanted}");
        }
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[1.0], &[1.0]), Some(1.0));
    }

    /// scipy.stats.mannwhitneyu(range(25), [x + 7.5 for x in range(25)],
    /// method='asymptotic')
    #[test]
    fn many_figures_are_approximated() {
        let first: Vec<f64> = (0..25).map(f64::from).collect();
        let second: Vec<f64> = first.iter().map(|x| x + 7.5).collect();
        let chance = mann_whitney(&first, &second).unwrap();
        assert!((chance - 0.002_035_16).abs() < 1e-5, "{chance}");
    }
}
