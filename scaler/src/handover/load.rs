//! What pools know of how their instances and requests fare, as the two gateways say it.

use serde::{Deserialize, Serialize};
use stoker_core::{Learned, Moments, Outcome, Standing, Timestamp};

/// See [`Outcome`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum WireOutcome {
    /// The function answered.
    Answered,
    /// The instance failed.
    Failed,
    /// Nothing is known about the instance.
    Unknown,
}

/// See [`Standing`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum WireStanding {
    Good,
    Aside { until: u64 },
    Trial,
}

/// See [`Learned`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct WireLearned {
    service: WireMoments,
    start: WireMoments,
}

/// See [`Moments`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct WireMoments {
    count: u32,
    mean: f64,
    deviation: f64,
}

impl From<Outcome> for WireOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered => WireOutcome::Answered,
            Outcome::Failed => WireOutcome::Failed,
            Outcome::Unknown => WireOutcome::Unknown,
        }
    }
}

impl From<WireOutcome> for Outcome {
    fn from(outcome: WireOutcome) -> Self {
        match outcome {
            WireOutcome::Answered => Outcome::Answered,
            WireOutcome::Failed => Outcome::Failed,
            WireOutcome::Unknown => Outcome::Unknown,
        }
    }
}

impl From<Standing> for WireStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Good => WireStanding::Good,
            Standing::Aside { until } => WireStanding::Aside {
                until: until.as_nanos(),
            },
            Standing::Trial => WireStanding::Trial,
        }
    }
}

impl From<WireStanding> for Standing {
    fn from(standing: WireStanding) -> Self {
        match standing {
            WireStanding::Good => Standing::Good,
            WireStanding::Aside { until } => Standing::Aside {
                until: Timestamp::from_nanos(until),
            },
            WireStanding::Trial => Standing::Trial,
        }
    }
}

impl From<Learned> for WireLearned {
    fn from(learned: Learned) -> Self {
        WireLearned {
            service: learned.service.into(),
            start: learned.start.into(),
        }
    }
}

impl From<WireLearned> for Learned {
    fn from(learned: WireLearned) -> Self {
        Learned {
            service: learned.service.into(),
            start: learned.start.into(),
        }
    }
}

impl From<Moments> for WireMoments {
    fn from(moments: Moments) -> Self {
        WireMoments {
            count: moments.count,
            mean: moments.mean,
            deviation: moments.deviation,
        }
    }
}

impl From<WireMoments> for Moments {
    fn from(moments: WireMoments) -> Self {
        Moments {
            count: moments.count,
            mean: moments.mean,
            deviation: moments.deviation,
        }
    }
}
