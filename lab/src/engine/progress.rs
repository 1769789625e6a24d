//! How a replay stands that goes on.

use std::time::Duration;

use stoker_core::Timestamp;

use super::Engine;

/// How a replay of one function stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Calls so far.
    pub calls: u64,
    /// Calls that waited and got a slot.
    pub delayed: u64,
    /// Calls that got none.
    pub refused: u64,
    /// Half of the calls that got a slot waited no longer.
    pub wait_p50: Duration,
    /// 99 % of them did.
    pub wait_p99: Duration,
    /// None of them waited longer.
    pub wait_max: Duration,
    /// Instances started.
    pub starts: u64,
    /// Instances now.
    pub instances: u32,
    /// Instances times time.
    pub instance_seconds: f64,
}

impl Engine {
    /// Plays what is planned up to a time, without a call.
    pub fn play(&mut self, until: Timestamp) {
        self.play_until(until);
        if until > self.now {
            self.advance(until);
        }
    }

    /// How the replay stands, if it is of one function.
    pub fn progress(&mut self) -> Progress {
        let now = self.now;
        let Some(function) = self.functions.first_mut() else {
            return Progress::default();
        };
        let count = function.count;
        let served = count.served;
        let waits = &self.tally.waits;
        let at_once = served.saturating_sub(waits.len());
        let quantile = |share: f64| {
            let rank = (share * served as f64).ceil() as u64;
            match rank.checked_sub(at_once) {
                None | Some(0) => Duration::ZERO,
                Some(rank) => {
                    let of_waits = rank as f64 / waits.len() as f64;
                    Duration::from_nanos(waits.value_at_quantile(of_waits))
                }
            }
        };
        Progress {
            calls: count.arrivals,
            delayed: count.delayed,
            refused: count.refused,
            wait_p50: quantile(0.5),
            wait_p99: quantile(0.99),
            wait_max: self.tally.longest_wait,
            starts: count.starts,
            instances: function.alive,
            instance_seconds: function.alive_time(now) as f64 / 1e9,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stoker_core::ScaleSpec;

    use super::*;
    use crate::{Arrival, Setup, Times, World};

    #[test]
    fn a_replay_that_goes_on_tells_what_one_that_ended_does() {
        let changes: stoker_config::Changes = "on-arrival,idle-timeout=10s".parse().unwrap();
        let spec: Arc<ScaleSpec> = changes.apply(None).unwrap().scaling;
        let world = World {
            tail: Duration::ZERO,
            ..World::default()
        };
        let start = Arc::new(Times::Fixed(Duration::from_millis(200)));
        let mut engine = Engine::new(world);
        let function = engine.add(
            "f",
            Setup {
                start,
                ..Setup::new(spec)
            },
        );
        let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
        for seconds in [1, 5, 100] {
            engine.feed(Arrival {
                at: at(seconds),
                function,
                service: Duration::from_millis(100),
                start: None,
            });
        }
        engine.play(at(130));
        let progress = engine.progress();
        assert_eq!(
            (progress.calls, progress.delayed, progress.starts),
            (3, 2, 2)
        );
        assert_eq!((progress.instances, progress.refused), (0, 0));
        assert!(progress.wait_max >= Duration::from_millis(200));
        assert!(progress.wait_p50 >= Duration::from_millis(199));
        let report = engine.finish();
        assert_eq!(report.starts, progress.starts);
        assert!((report.instance_seconds - progress.instance_seconds).abs() < 1e-6);
    }
}
