//! What is simulated.

use std::time::Duration;

use crate::sim::{Arrival, Faults, Random, Spread, burst, poisson};
use crate::{
    Admission, Aggregation, Backoff, Freeze, Health, Policy, ScaleSpec, SpareSpec, Timestamp,
};

/// One revision, the requests for it, and the world round it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The settings.
    pub spec: ScaleSpec,
    /// The requests; they arrive in the order of their times, equal times in the order given.
    pub arrivals: Vec<Arrival>,
    /// From the start of an instance to its readiness.
    pub start_time: Spread,
    /// From the stop of an instance to its end.
    pub stop_time: Spread,
    /// What goes wrong.
    pub faults: Faults,
    /// When the revision is retired.
    pub retire_at: Timestamp,
    /// The gateway ends then, instead of only the revision.
    pub shut_down: bool,
}

impl Scenario {
    /// A perfect world; the revision is retired as soon as the last request has arrived.
    pub fn new(spec: ScaleSpec, arrivals: Vec<Arrival>) -> Self {
        let last = arrivals.iter().map(|arrival| arrival.at).max();
        Scenario {
            spec,
            arrivals,
            start_time: Spread::Fixed(Duration::from_millis(100)),
            stop_time: Spread::Fixed(Duration::from_millis(10)),
            faults: Faults::default(),
            retire_at: last.unwrap_or(Timestamp::ZERO) + Duration::from_nanos(1),
            shut_down: false,
        }
    }

    /// A small, wild world: any settings, random load and bursts, everything goes wrong at times.
    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let spec = random_spec(&mut random);
        let length = Duration::from_secs(5 + random.below(60));
        let service = match random.below(3) {
            0 => Spread::Fixed(Duration::from_millis(20)),
            1 => Spread::Exponential(Duration::from_millis(300)),
            _ => Spread::LogNormal(Duration::from_millis(50), 2.0),
        };
        let rate = 25.0 / length.as_secs_f64();
        let mut arrivals = poisson(Timestamp::ZERO, length, rate, service, &mut random);
        for _ in 0..random.below(3) {
            let at = Timestamp::ZERO + random.within(length);
            let patience = random.within(Duration::from_secs(20));
            let count = random.below(20) as usize;
            arrivals.extend(burst(at, count, service.sample(&mut random), patience));
        }
        if random.chance(0.6) {
            for arrival in &mut arrivals {
                arrival.patience = random.within(Duration::from_secs(2));
            }
        }
        let faults = random_faults(&mut random, length);
        let slowest = Duration::from_millis(1 + random.below(3_000));
        Scenario {
            start_time: Spread::Uniform(Duration::from_millis(1), slowest),
            stop_time: Spread::Exponential(Duration::from_millis(1 + random.below(2_000))),
            faults,
            retire_at: Timestamp::ZERO + random.within(length * 2),
            shut_down: random.chance(0.3),
            ..Scenario::new(spec, arrivals)
        }
    }
}

fn random_spec(random: &mut Random) -> ScaleSpec {
    let concurrency = 1 + random.below(4) as u32;
    let min_scale = random.below(3) as u32;
    let seconds = |random: &mut Random, bound| Duration::from_secs(random.below(bound));
    ScaleSpec {
        policy: Policy::ALL[random.below(Policy::ALL.len() as u64) as usize],
        concurrency,
        target: f64::from(concurrency),
        target_utilization_percentage: 70.0,
        min_scale,
        max_scale: min_scale + 1 + random.below(6) as u32,
        initial_scale: random.below(3) as u32,
        activation_scale: 1 + random.below(2) as u32,
        idle_timeout: seconds(random, 10),
        stable_window: Duration::from_secs(6 + random.below(30)),
        metric_aggregation_algorithm: Aggregation::Linear,
        panic_window_percentage: 10.0,
        panic_threshold_percentage: 200.0,
        max_scale_up_rate: 2.0 + random.below(1_000) as f64,
        max_scale_down_rate: 2.0,
        scale_down_delay: if random.chance(0.3) {
            seconds(random, 10)
        } else {
            Duration::ZERO
        },
        scale_to_zero_grace_period: seconds(random, 10),
        scale_to_zero_retention: seconds(random, 10),
        tick_interval: Duration::from_secs(2),
        histogram_range: Duration::from_secs(60),
        wait_p99: Duration::from_millis(50),
        max_idle_percentage: 0.0,
        start_price: 5.0,
        max_starting: 1 + random.below(4) as u32,
        max_waiters: 1 + random.below(40) as u32,
        admission: match random.chance(0.5) {
            true => Admission::Deadline,
            false => Admission::Off,
        },
        health: Health {
            failures: random.below(4) as u32,
            ejection: Duration::from_millis(random.below(3_000)),
            max_ejection: seconds(random, 20),
            max_ejected_percentage: random.below(101) as f64,
            replace_after: 1 + random.below(4) as u32,
        },
        slow_start: if random.chance(0.3) {
            seconds(random, 10)
        } else {
            Duration::ZERO
        },
        backoff: Backoff {
            initial: Duration::from_millis(1 + random.below(2_000)),
            max: Duration::from_secs(10),
            reject_after: 1 + random.below(4) as u32,
        },
        freeze: match random.chance(0.5) {
            true => Freeze {
                after: Some(Duration::from_millis(random.below(3_000))),
                keep_hot: random.below(3) as u32,
            },
            false => Freeze::default(),
        },
        drain_timeout: seconds(random, 6),
        stop_grace: seconds(random, 4),
        // Without a draw of its own, so that the stories of all seeds stay what they were.
        spares: concurrency
            .is_multiple_of(2)
            .then_some(spares(min_scale, concurrency)),
    }
}

fn spares(least: u32, more: u32) -> SpareSpec {
    SpareSpec {
        least,
        most: least + more,
        idle_timeout: Duration::from_secs(3),
        eager: more == 4,
        refill: Duration::from_millis(10),
    }
}

fn random_faults(random: &mut Random, length: Duration) -> Faults {
    // Each kind is absent in most worlds, or every story would be the same mess.
    let rare = |random: &mut Random, most: f64| {
        if random.chance(0.4) {
            random.unit() * most
        } else {
            0.0
        }
    };
    let times = |random: &mut Random| {
        let count = random.below(4).saturating_sub(1);
        (0..count)
            .map(|_| Timestamp::ZERO + random.within(length))
            .collect::<Vec<_>>()
    };
    let evictions = times(random);
    let holds = times(random).into_iter().map(|at| {
        let desired = random.chance(0.6).then(|| random.below(5) as u32);
        (at, desired)
    });
    let holds = holds.collect();
    let takeovers = times(random);
    let reclaims = times(random);
    let pressures = times(random).into_iter();
    let pressures = pressures.map(|at| (at, random.below(3) as u32)).collect();
    Faults {
        slow_start: rare(random, 0.5),
        held_start: rare(random, 1.0),
        failed_start: rare(random, 1.0),
        never_listened: rare(random, 0.5),
        exit: rare(random, 0.3),
        unhealthy: rare(random, 0.2),
        sick: rare(random, 0.5),
        fail: rare(random, 1.0),
        leave: rare(random, 0.5),
        leave_at_grant: rare(random, 0.3),
        stubborn: rare(random, 0.5),
        early_tick: rare(random, 1.0),
        evictions,
        reclaims,
        holds,
        takeovers,
        pressures,
    }
}
