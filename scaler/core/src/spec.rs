//! What an operator may set about the scaling of one function, validated.

use std::time::Duration;

/// Which policy decides how many instances there should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Start when queued work exceeds what is starting; stop an instance that was idle for a fixed
    /// time, [`ScaleSpec::idle_timeout`].
    OnArrival,
    /// Knative's pod autoscaler, term for term.
    Kpa,
    /// As on arrival, but the last instance goes and comes back by the times for which the function
    /// was empty so far: the hybrid histogram of "Serverless in the Wild".
    Histogram,
    /// Meets a stated wait at the least cost.
    Goal,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 4] = [
        Policy::OnArrival,
        Policy::Kpa,
        Policy::Histogram,
        Policy::Goal,
    ];

    /// As it is called in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::OnArrival => "on-arrival",
            Policy::Kpa => "kpa",
            Policy::Histogram => "histogram",
            Policy::Goal => "goal",
        }
    }
}

/// How the load over a window is averaged, by Knative's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregation {
    /// Every moment of the window counts the same.
    #[default]
    Linear,
    /// Each second counts less than the next one by a constant factor.
    WeightedExponential,
}

/// The scaling of one function. Knative's knobs have Knative's names and meanings.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleSpec {
    /// The policy in force.
    pub policy: Policy,
    /// Hard limit of requests at once per instance, at least 1.
    pub concurrency: u32,
    /// Soft load per instance that the scaler aims at, before utilization; in (0, concurrency].
    /// `kpa` only.
    pub target: f64,
    /// Share of `target` to plan for, in percent, in [1, 100]. `kpa` only.
    pub target_utilization_percentage: f64,
    /// Never fewer live instances than this.
    pub min_scale: u32,
    /// Never more live instances than this, at least 1 and at least `min_scale`.
    pub max_scale: u32,
    /// Instances started when the function is first registered.
    pub initial_scale: u32,
    /// When there is any load, at least this many, at least 1.
    pub activation_scale: u32,
    /// How long an instance stays idle before it is stopped. Every policy but `kpa`; those that
    /// learn use it where they do not know better.
    pub idle_timeout: Duration,
    /// Averaging window in stable mode, 6 s to 1 h. `kpa` only.
    pub stable_window: Duration,
    /// How the load over a window is averaged. `kpa` only.
    pub metric_aggregation_algorithm: Aggregation,
    /// Panic window as a share of the stable window, in percent, in [1, 100]. `kpa` only.
    pub panic_window_percentage: f64,
    /// Desired over ready, in percent, at which panic begins, in [110, 1000]. `kpa` only.
    pub panic_threshold_percentage: f64,
    /// Largest factor of growth in one decision, greater than 1. `kpa` only.
    pub max_scale_up_rate: f64,
    /// Largest factor of decrease in one decision, greater than 1. `kpa` only.
    pub max_scale_down_rate: f64,
    /// A lower count must have been wanted for this long before it is acted on.
    pub scale_down_delay: Duration,
    /// The last instance stays at least this long after traffic ended. `kpa` only.
    pub scale_to_zero_grace_period: Duration,
    /// The last instance stays at least this long, whatever the grace period. `kpa` only.
    pub scale_to_zero_retention: Duration,
    /// Time between two decisions that no request caused. `kpa` only.
    pub tick_interval: Duration,
    /// The longest time for which the function was empty that is told apart, in 240 steps, more
    /// than zero. `histogram` only.
    pub histogram_range: Duration,
    /// At most one request in a hundred is to wait longer than this for a slot. `goal` only.
    pub wait_p99: Duration,
    /// Idle instance-seconds for 100 busy ones above which fewer are kept, whatever that does to the
    /// waits; zero for no such bound. `goal` only.
    pub max_idle_percentage: f64,
    /// Seconds of idling that a second of starting is worth, more than zero. `goal` only.
    pub start_price: f64,
    /// At most this many instances of the function starting at once, at least 1.
    pub max_starting: u32,
    /// At most this many requests waiting.
    pub max_waiters: u32,
    /// Whether a request that would wait for too long is refused at once.
    pub admission: Admission,
    /// Whether idle instances are frozen.
    pub freeze: Freeze,
    /// What happens to an instance that fails again and again.
    pub health: Health,
    /// A new instance's usable concurrency grows to all of it over this time; zero for at once.
    pub slow_start: Duration,
    /// What happens after a failed start.
    pub backoff: Backoff,
    /// How long a draining instance may finish its requests before it is stopped all the same.
    pub drain_timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// Processes that are kept ready to become instances; none if its instances are not made so.
    pub spares: Option<SpareSpec>,
}

/// How many processes are kept ready to become instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpareSpec {
    /// At least so many while the function is used.
    pub least: u32,
    /// At most so many, no less than `least`.
    pub most: u32,
    /// Nothing is kept for a function that had no request for this long.
    pub idle_timeout: Duration,
    /// Kept from the registration on and whether the function is used or not.
    pub eager: bool,
    /// About how long it takes until a spare that was taken is replaced.
    pub refill: Duration,
}

/// When an idle instance is frozen: it keeps its memory and gets no CPU until a request comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freeze {
    /// Idle for this long; none for never.
    pub after: Option<Duration>,
    /// So many idle instances, the most recently used, are not frozen.
    pub keep_hot: u32,
}

/// Which requests may join the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Those that can expect a slot before their deadline, as far as that is known.
    Deadline,
    /// All, within `max_waiters`.
    Off,
}

/// When an instance is set aside, and for how long.
///
/// The time is `ejection` times the number of times that it was set aside, at most
/// `max_ejection`. That number is forgotten when it was good for `max_ejection` in between.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// After this many failures without an answer in between; 0 for never.
    pub failures: u32,
    /// For this long, the first time.
    pub ejection: Duration,
    /// For this long at most.
    pub max_ejection: Duration,
    /// At most this share of the ready instances at once, rounded down, in percent, in [0, 100];
    /// and never the last one.
    pub max_ejected_percentage: f64,
    /// An instance that would be set aside more often than this is replaced, at least 1.
    pub replace_after: u32,
}

/// Delay before the next start after failed ones: `initial * 2^(failures - 1)`, at most `max`.
///
/// Starts that were under way together and fail count as one failure. After it, one instance starts
/// at a time, until a new one has answered its first request; that resets the count.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// After the first failure.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
    /// From this many failures in a row, waiting callers get the cause, and so do new ones until
    /// the delay is over; at least 1.
    pub reject_after: u32,
}
