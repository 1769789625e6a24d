//! The reasons for a decision.

use std::fmt;
use std::time::Duration;

use crate::policy::{Forecast, IdlePattern};
use crate::{Load, Mode, Policy};

/// Every term of a decision.
///
/// Terms that a policy does not use are zero; `Display` leaves them out.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The policy that decided.
    pub policy: Policy,
    /// Stable or panic.
    pub mode: Mode,
    /// The result.
    pub desired: u32,
    /// The bound that changed the result last.
    pub clamp: Clamp,
    /// What the result would be without that bound and with every other one; the result itself if
    /// no bound changed it.
    pub unclamped: u32,
    /// Instances that took requests.
    pub ready: u32,
    /// Instances on their way.
    pub starting: u32,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests waiting.
    pub queued: u32,
    /// Average requests in the function, `kpa` only.
    pub load: Option<Load>,
    /// Requests per instance that the policy plans for: the concurrency for `on-arrival`,
    /// `max(0.01, target * utilization)` for `kpa`.
    pub target: f64,
    /// Instances for the stable load, before any bound; for `on-arrival`, for the requests now.
    pub stable: u32,
    /// Instances for requests to come, those for the requests now included; zero if the policy
    /// expects none.
    pub ahead: u32,
    /// Instances for the panic load, before any bound; `kpa` only.
    pub panic: u32,
    /// `floor(max(1, ready) / max_scale_down_rate)`, `kpa` only.
    pub rate_floor: u32,
    /// `ceil(max(1, ready) * max_scale_up_rate)`, `kpa` only.
    pub rate_ceiling: u32,
    /// `panic / max(1, ready)`, at or above [`Why::panic_threshold`] it is panic; `kpa` only.
    pub panic_ratio: f64,
    /// `panic_threshold_percentage / 100`, `kpa` only.
    pub panic_threshold: f64,
    /// The most that was wanted since panic began, zero without panic.
    pub panic_peak: u32,
    /// The most that was wanted within `scale_down_delay`.
    pub delayed: u32,
    /// How long the function was empty.
    pub idle_for: Duration,
    /// What is known of the times for which the function is empty, `histogram` only.
    pub idle_pattern: Option<IdlePattern>,
    /// The lower bound: the largest of `min_scale`, what the schedule has for this time, and
    /// `initial_scale` before it was reached.
    pub floor: u32,
    /// The upper bound: `max_scale`.
    pub ceiling: u32,
}

/// The bound that changed a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clamp {
    /// No bound changed it.
    None,
    /// Raised to `min_scale`.
    Min,
    /// Raised to what the schedule has for this time.
    Schedule,
    /// Lowered to `max_scale`.
    Max,
    /// Raised to `initial_scale`, which was not reached yet.
    Initial,
    /// Raised to `activation_scale`, for there is load.
    ActivationScale,
    /// Lowered to `max_scale_up_rate` times the ready instances.
    MaxUpRate,
    /// Raised to the ready instances over `max_scale_down_rate`.
    MaxDownRate,
    /// Raised to what was wanted within `scale_down_delay`.
    ScaleDownDelay,
    /// Raised to the most that was wanted since panic began.
    PanicHold,
    /// The last instance stays until the stable window, and then the longer of grace period and
    /// retention, passed without a request.
    ScaleToZeroGrace,
    /// Held, for there is no data.
    NoData,
    /// Set by an operator.
    Override,
    /// Lowered to what waiting requests need: an operator evicted the instances.
    Evicted,
    /// Set to what waiting requests need: the revision is retired or the gateway ends.
    Retired,
}

impl fmt::Display for Clamp {
    /// The setting or circumstance, as in `max_scale`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Clamp::None => "no bound",
            Clamp::Min => "min_scale",
            Clamp::Schedule => "the schedule",
            Clamp::Max => "max_scale",
            Clamp::Initial => "initial_scale",
            Clamp::ActivationScale => "activation_scale",
            Clamp::MaxUpRate => "max_scale_up_rate",
            Clamp::MaxDownRate => "max_scale_down_rate",
            Clamp::ScaleDownDelay => "scale_down_delay",
            Clamp::PanicHold => "panic, which never shrinks",
            Clamp::ScaleToZeroGrace => "the time to wait before scaling to zero",
            Clamp::NoData => "the lack of data",
            Clamp::Override => "the operator",
            Clamp::Evicted => "the eviction by the operator",
            Clamp::Retired => "the end of this revision",
        })
    }
}

impl fmt::Display for Why {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.desired == 1 { "" } else { "s" };
        write!(f, "{} instance{plural} wanted: ", self.desired)?;
        match self.policy {
            Policy::OnArrival | Policy::Goal => self.fmt_on_arrival(f)?,
            Policy::Histogram => self.fmt_histogram(f)?,
            Policy::Kpa => self.fmt_kpa(f)?,
        }
        write!(f, "; {} ready, {} starting", self.ready, self.starting)?;
        match self.clamp {
            Clamp::None => Ok(()),
            clamp => write!(f, "; set by {clamp}{}", self.bound(clamp)),
        }
    }
}

impl Why {
    fn fmt_on_arrival(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in flight and {} waiting, at {} per instance, need {}",
            self.in_flight, self.queued, self.target, self.stable
        )
    }

    fn fmt_histogram(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_on_arrival(f)?;
        let IdlePattern { seen, forecast } = self.idle_pattern.unwrap_or_default();
        match forecast {
            Forecast::Unknown => write!(f, "; {seen} idle times are too few to tell the next"),
            Forecast::Scattered => {
                write!(f, "; {seen} idle times are too scattered to tell the next")
            }
            Forecast::Beyond => write!(f, "; most of {seen} idle times were beyond the histogram"),
            Forecast::Between(earliest, latest) => write!(
                f,
                "; empty for {:.1?}, {} kept ahead, as by {seen} idle times the next request comes \
                 after {earliest:.1?} to {latest:.1?}",
                self.idle_for, self.ahead
            ),
        }
    }

    fn fmt_kpa(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(load) = self.load else {
            return write!(
                f,
                "no data, {} in flight and {} waiting",
                self.in_flight, self.queued
            );
        };
        write!(
            f,
            "stable load {:.2} and panic load {:.2}, at {:.2} per instance, need {} and {}",
            load.stable, load.panic, self.target, self.stable, self.panic
        )?;
        match self.mode {
            Mode::Stable => Ok(()),
            Mode::Panic => write!(
                f,
                ", in panic (ratio {:.2}, threshold {:.2})",
                self.panic_ratio, self.panic_threshold
            ),
        }
    }

    /// The value of the bound, where it has one.
    fn bound(&self, clamp: Clamp) -> String {
        match clamp {
            Clamp::Min | Clamp::Schedule | Clamp::Initial => format!(" ({})", self.floor),
            Clamp::Max => format!(" ({})", self.ceiling),
            Clamp::MaxUpRate => format!(" (at most {})", self.rate_ceiling),
            Clamp::MaxDownRate => format!(" (at least {})", self.rate_floor),
            Clamp::ScaleDownDelay => format!(" ({} was wanted)", self.delayed),
            Clamp::PanicHold => format!(" ({} was wanted)", self.panic_peak),
            Clamp::ScaleToZeroGrace => format!(" (empty for {:.1?})", self.idle_for),
            _ => String::new(),
        }
    }
}
