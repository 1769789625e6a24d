//! `soak`: one load for hours, and whether anything drifts.

use std::time::{Duration, Instant};

use super::cold_beside;
use super::warm::Load;
use crate::drift::Trend;
use crate::load::{Running, Wanted};
use crate::report::Repetition;
use crate::run::{Bench, Failure};

/// The name of the series.
const NAME: &str = "soak";

/// What is measured. The load's repetitions are windows, which follow each other without a gap.
#[derive(Clone, Debug)]
pub(crate) struct Soak {
    /// What is applied; its duration is that of all.
    pub(crate) load: Load,
    /// Equal parts that are compared.
    pub(crate) windows: u32,
}

impl Soak {
    /// Measures.
    pub(crate) fn run(&self, bench: &mut Bench) -> Result<(), Failure> {
        self.load.warm_up(bench)?;
        let window = self.load.duration / self.windows.max(1);
        let plan = self.load.plan(1, self.load.duration, Wanted::Both);
        let mut running = bench.crew.begin(plan);
        let mut since = running.begin;
        for number in 1..=self.windows {
            bench
                .progress
                .part(format!("soak {number}/{}", self.windows));
            // The last one goes on until the last answer.
            let until = match number == self.windows {
                true => Duration::MAX,
                false => {
                    (running.begin + window * number).saturating_duration_since(Instant::now())
                }
            };
            let over = self.window(bench, &mut running, until)?;
            let now = Instant::now();
            self.harvest(bench, now.saturating_duration_since(since));
            since = now;
            if over {
                break;
            }
        }
        self.note_drift(bench);
        Ok(())
    }

    fn window(
        &self,
        bench: &mut Bench,
        running: &mut Running,
        time: Duration,
    ) -> Result<bool, Failure> {
        bench.wait(running, Some(self.load.duration), time)
    }

    fn harvest(&self, bench: &mut Bench, elapsed: Duration) {
        let (mut main, cold, _) = bench.harvest(0, elapsed, self.load.rate);
        let resident = bench
            .admin
            .as_ref()
            .and_then(|admin| admin.resident_bytes());
        if let Some(bytes) = resident {
            main.figures.insert("rss_bytes".into(), bytes);
        }
        bench.add(NAME, main);
        bench.add_if_any(&cold_beside(NAME), cold);
    }

    fn note_drift(&self, bench: &mut Bench) {
        let Some(series) = bench.series.iter().find(|series| series.name == NAME) else {
            return;
        };
        let windows = &series.repetitions;
        let quantile = |share| {
            move |window: &Repetition| {
                let quantile = window.first_byte.quantile(share)?;
                Some(quantile.as_secs_f64())
            }
        };
        let notes: Vec<String> = [
            told("p50 to the first byte", windows, quantile(0.5)),
            told("p99 to the first byte", windows, quantile(0.99)),
            told("the gateway's resident memory", windows, |window| {
                window.figures.get("rss_bytes").copied()
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        bench.notes.extend(notes);
    }
}

/// Whether a figure drifts over the windows; none if there are too few of them.
fn told(
    what: &str,
    windows: &[Repetition],
    figure: impl Fn(&Repetition) -> Option<f64>,
) -> Option<String> {
    let figures: Vec<f64> = windows.iter().filter_map(figure).collect();
    let trend = Trend::of(&figures)?;
    let percent = trend.share * 100.0;
    Some(match trend.is_certain() {
        true => format!(
            "drift: {what} changes by {percent:+.1} % over the run (Mann-Kendall p = {:.4})",
            trend.p
        ),
        false => format!(
            "no drift: {what} has no trend beyond noise ({percent:+.1} % over the run, Mann-Kendall \
             p = {:.2})",
            trend.p
        ),
    })
}
