//! What happens when the machine runs short of memory.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stoker_core::Timestamp;

use super::stall::StallWatch;
use super::{Scaler, Shared};
use crate::Function;

/// The part of the frozen instances that may go in one round.
const RELEASED_PART: usize = 4;

/// When memory is short, and when frozen instances give theirs back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PressureSettings {
    /// When they do.
    pub reclaim: Reclaim,
    /// How often the machine is asked.
    pub interval: Duration,
    /// It is short if less than this part of it is available, in percent.
    pub below_percentage: f64,
    /// It is scarce if programs stood still for want of it for this part of the time since it was asked
    /// last, in percent; 0 for never.
    pub stalled_percentage: f64,
}

/// What is known of the machine's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryState {
    /// See [`PressureSettings::below_percentage`].
    pub(crate) available_percentage: f64,
    /// See [`PressureSettings::stalled_percentage`]; 0 if it is not known.
    pub(crate) stalled_percentage: f64,
}

/// What is done about it, besides freezing what is idle and having it give its memory back.
#[derive(Clone, Copy, Debug)]
struct Measures {
    /// What is kept ready for starts of functions without requests goes.
    forgo_spares: bool,
    /// A part of what gave its memory back goes.
    release: bool,
}

/// When frozen instances give their memory back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reclaim {
    /// As soon as they are frozen.
    Always,
    /// While memory is short.
    #[default]
    Pressure,
    /// Never.
    Off,
}

impl<C: Send + 'static> Scaler<C> {
    /// Looks at the machine's memory from now on, as long as a function has idle instances frozen or
    /// processes kept ready, and calls [`Scaler::relieve`] while it is short. While it is only scarce,
    /// nothing is stopped: what is idle gives its memory back, and what is kept ready goes. To be called
    /// once.
    pub fn watch_memory(&self, settings: PressureSettings) {
        self.shared.set_reclaim(settings.reclaim);
        let shared = Arc::clone(&self.shared);
        self.shared.runtime.spawn(async move {
            let (mut rounds, mut stalls) = (0, StallWatch::new());
            loop {
                tokio::time::sleep(settings.interval).await;
                let concerns = |it: &Arc<Function<C>>| it.may_freeze() || it.has_spares();
                if !shared.functions().iter().any(concerns) {
                    (rounds, stalls) = (0, StallWatch::new());
                    continue;
                }
                // Without the kernel's word there is no reason to act.
                let state = MemoryState {
                    available_percentage: available_percentage().unwrap_or(100.0),
                    stalled_percentage: stalls.look(Instant::now()).unwrap_or(0.0),
                };
                let measures = settings.measures(state, rounds);
                rounds = match state.available_percentage < settings.below_percentage {
                    true => rounds + 1,
                    false => 0,
                };
                if let Some(measures) = measures {
                    shared.relieve(measures, state);
                }
            }
        });
    }

    /// Memory is short: `available_percentage` of it is available. Every function whose idle
    /// instances are frozen at times has them frozen now and give their memory back. If `further`,
    /// a quarter of those that had done so before goes, at least one, those first that are idle for
    /// the longest time; and what is kept ready for the starts of functions without requests goes.
    pub fn relieve(&self, further: bool, available_percentage: f64) {
        let measures = Measures {
            forgo_spares: further,
            release: further,
        };
        let state = MemoryState {
            available_percentage,
            stalled_percentage: 0.0,
        };
        self.shared.relieve(measures, state);
    }
}

impl PressureSettings {
    /// What is to be done, if anything, after so many looks in a row at which it was short.
    fn measures(&self, state: MemoryState, rounds: u32) -> Option<Measures> {
        let short = state.available_percentage < self.below_percentage;
        let limit = self.stalled_percentage;
        let scarce = limit > 0.0 && state.stalled_percentage >= limit;
        (short || scarce).then_some(Measures {
            forgo_spares: scarce || rounds > 0,
            release: short && rounds > 0,
        })
    }
}

impl<C: Send + 'static> Shared<C> {
    /// When frozen instances give their memory back.
    pub(crate) fn reclaim(&self) -> Reclaim {
        self.reclaim.get().copied().unwrap_or_default()
    }

    fn set_reclaim(&self, reclaim: Reclaim) {
        // The first word stands.
        self.reclaim.set(reclaim).ok();
    }

    fn relieve(&self, measures: Measures, memory: MemoryState) {
        let functions = self.functions();
        let freezing = || functions.iter().filter(|it| it.may_freeze());
        let mut release: HashMap<u32, u32> = HashMap::new();
        if measures.release {
            let mut frozen: Vec<_> = freezing().flat_map(reclaimed).collect();
            frozen.sort_unstable();
            let count = frozen.len().div_ceil(RELEASED_PART);
            for (_, number) in frozen.into_iter().take(count) {
                *release.entry(number).or_default() += 1;
            }
        }
        if measures.forgo_spares {
            for function in functions.iter().filter(|it| it.has_spares()) {
                function.apply(stoker_core::Event::ForgoSpares);
            }
        }
        for function in freezing() {
            let release = release.get(&function.number()).copied().unwrap_or(0);
            function.relieve(release, memory);
        }
    }
}

/// Since when each instance is idle that is frozen and gave its memory back.
fn reclaimed<C: Send + 'static>(
    function: &Arc<Function<C>>,
) -> impl Iterator<Item = (Timestamp, u32)> + use<C> {
    let number = function.number();
    let instances = function.view().pool.instances.into_iter();
    instances.filter_map(move |it| {
        let reclaimed = it.frozen.is_some_and(|frozen| frozen.reclaimed);
        Some((it.idle_since.filter(|_| reclaimed)?, number))
    })
}

/// Memory that programs could have without others losing theirs, of all (`MemAvailable` and
/// `MemTotal` of proc(5)).
fn available_percentage() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    parse(&text).ok_or_else(|| io::Error::other("/proc/meminfo says nothing of memory"))
}

fn parse(text: &str) -> Option<f64> {
    let value = |name: &str| -> Option<f64> {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let (available, total) = (value("MemAvailable:")?, value("MemTotal:")?);
    (total > 0.0).then(|| available / total * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_goes_by_what_is_known() {
        let settings = PressureSettings {
            reclaim: Reclaim::Pressure,
            interval: Duration::from_secs(1),
            below_percentage: 10.0,
            stalled_percentage: 20.0,
        };
        let done = |settings: PressureSettings, available, stalled, rounds| {
            let state = MemoryState {
                available_percentage: available,
                stalled_percentage: stalled,
            };
            let measures = settings.measures(state, rounds);
            measures.map(|it| (it.forgo_spares, it.release))
        };
        assert_eq!(done(settings, 10.0, 19.9, 0), None);
        assert_eq!(done(settings, 9.9, 0.0, 0), Some((false, false)));
        assert_eq!(done(settings, 9.9, 0.0, 1), Some((true, true)));
        assert_eq!(done(settings, 50.0, 20.0, 0), Some((true, false)));
        assert_eq!(done(settings, 9.9, 20.0, 0), Some((true, false)));
        let never = PressureSettings {
            stalled_percentage: 0.0,
            ..settings
        };
        assert_eq!(done(never, 50.0, 100.0, 0), None);
    }

    #[test]
    fn the_share_of_memory_that_is_available() {
        let text = "MemTotal:       8000 kB\nMemFree:  12 kB\nMemAvailable:   2000 kB\n";
        assert_eq!(parse(text), Some(25.0));
        assert_eq!(parse("MemTotal: 8000 kB\n"), None);
        let here = available_percentage().unwrap();
        assert!((0.0..=100.0).contains(&here), "{here}");
    }
}
