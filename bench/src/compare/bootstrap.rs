//! How far a figure would be off if the run were made again, by drawing its repetitions anew.

use std::collections::BTreeSet;

use super::{CompareOptions, RESOLUTION};
use crate::Histogram;
use crate::report::Series;
use crate::statistics::{Figure, Measure};
use stoker_traces::random::Random;

/// How a figure varies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) repetitions: usize,
    /// The standard deviation of the figure's logarithm; none of fewer than two repetitions.
    pub(super) deviation: Option<f64>,
}

/// Of every one of `figures`, in their order.
pub(super) fn durations(
    series: &Series,
    measure: &Measure,
    figures: &[Figure],
    options: CompareOptions,
) -> Vec<Spread> {
    let histograms = series.repetitions.iter().filter_map(|one| measure.of(one));
    let histograms: Vec<&Histogram> = histograms.filter(|one| one.count() > 0).collect();
    let grid = Grid::of(&histograms);
    let mut logarithms = vec![Vec::with_capacity(options.draws); figures.len()];
    if histograms.len() >= 2 {
        let mut random = Random::new(options.seed);
        for _ in 0..options.draws {
            let counts = grid.draw(&mut random);
            for (figure, all) in figures.iter().zip(&mut logarithms) {
                all.push(grid.figure(*figure, &counts).max(1.0).ln());
            }
        }
    }
    let spreads = logarithms.iter().map(|all| Spread {
        repetitions: histograms.len(),
        deviation: deviation(all),
    });
    spreads.collect()
}

/// Of the average of one figure per repetition.
pub(super) fn numbers(figures: &[f64], options: CompareOptions) -> Spread {
    let mut logarithms = Vec::with_capacity(options.draws);
    if figures.len() >= 2 {
        let mut random = Random::new(options.seed);
        for _ in 0..options.draws {
            let drawn = (0..figures.len()).map(|_| figures[random.below(figures.len())]);
            let mean = drawn.sum::<f64>() / figures.len() as f64;
            logarithms.push(mean.max(f64::MIN_POSITIVE).ln());
        }
    }
    Spread {
        repetitions: figures.len(),
        deviation: deviation(&logarithms),
    }
}

fn deviation(all: &[f64]) -> Option<f64> {
    if all.len() < 2 {
        return None;
    }
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let squares: f64 = all.iter().map(|one| (one - mean).powi(2)).sum();
    Some((squares / (all.len() - 1) as f64).sqrt().max(RESOLUTION))
}

/// The histograms of all repetitions on the same buckets.
struct Grid {
    /// In nanoseconds, ascending.
    values: Vec<u64>,
    /// For every repetition, the counts of those buckets that it has, by their place.
    counts: Vec<Vec<(usize, u64)>>,
}

impl Grid {
    fn of(histograms: &[&Histogram]) -> Self {
        let all = histograms.iter().flat_map(|histogram| histogram.buckets());
        let values: BTreeSet<u64> = all.map(|bucket| bucket.0).collect();
        let values: Vec<u64> = values.into_iter().collect();
        let place = |ns: u64| values.partition_point(|value| *value < ns);
        let counts = histograms.iter().map(|histogram| {
            let buckets = histogram.buckets();
            buckets.map(|(ns, count)| (place(ns), count)).collect()
        });
        Grid {
            counts: counts.collect(),
            values,
        }
    }

    /// As many repetitions as there are, each drawn from all.
    fn draw(&self, random: &mut Random) -> Vec<u64> {
        let mut sums = vec![0; self.values.len()];
        for _ in &self.counts {
            for &(place, count) in &self.counts[random.below(self.counts.len())] {
                sums[place] += count;
            }
        }
        sums
    }

    /// In nanoseconds.
    fn figure(&self, figure: Figure, counts: &[u64]) -> f64 {
        let all: u64 = counts.iter().sum();
        let Some(quantile) = figure.quantile() else {
            let each = self.values.iter().zip(counts);
            let sum: f64 = each.map(|(ns, count)| *ns as f64 * *count as f64).sum();
            return sum / all.max(1) as f64;
        };
        let rank = ((quantile * all as f64 - 1e-9).ceil() as u64).max(1);
        let mut below = 0;
        for (ns, count) in self.values.iter().zip(counts) {
            below += count;
            if below >= rank {
                return *ns as f64;
            }
        }
        0.0
    }
}
