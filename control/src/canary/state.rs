//! What is asked of a canary, and what it remembers.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoker_config::parse_duration;
use stoker_registry::{Shift, Traffic};

use super::CanaryError;

/// Steps that one may have.
const MOST_STEPS: usize = 20;
/// Moves that are remembered, the newest.
const MOST_MOVES: usize = 50;
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Shares are the same if they are this close, in percent.
const SAME: f64 = 1e-6;

/// What is asked of a canary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The revision that is tried.
    pub revision: u32,
    /// Its shares in percent, each more than the one before; by default 5, 25, 50, 100.
    #[serde(default = "steps")]
    pub steps: Vec<f64>,
    /// How long it has each of them, such as `"5m"`, which is the default.
    #[serde(default = "interval")]
    pub interval: String,
    /// What is allowed.
    #[serde(flatten)]
    pub bounds: Bounds,
}

/// What a canary may do and is still as good as the revisions before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bounds {
    /// It is not judged by fewer requests than this in a step, at least 1.
    pub requests: u64,
    /// Its error rate may be higher by so many percent of all requests, in [0, 100].
    pub error_percentage: f64,
    /// Its latency at 99 % may be so many times that of the others, at least 1.
    pub latency_ratio: f64,
}

/// What a canary remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CanaryState {
    /// The revision that is tried.
    pub revision: u32,
    /// How it stands.
    pub state: Phase,
    /// Why, in words.
    pub why: String,
    /// Its share now, in percent.
    pub percent: f64,
    /// Which of the steps it is at, from 0.
    pub step: usize,
    /// Its shares in percent.
    pub steps: Vec<f64>,
    /// How long it has each of them, in milliseconds.
    pub interval_ms: u64,
    /// What is allowed.
    pub bounds: Bounds,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// Since when it is at this step.
    pub since_ms: u64,
    /// The traffic before it began.
    #[schemars(with = "crate::wire::Traffic")]
    pub before: Traffic,
    /// The traffic that it asks for is in force.
    pub placed: bool,
    /// What it did, the newest last.
    pub moves: Vec<Moved>,
}

/// How a canary stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is under way.
    Running,
    /// It came to its last step and was good there.
    Succeeded,
    /// It was worse, and all is as before.
    RolledBack,
    /// It was ended, or somebody else divided the traffic.
    Aborted,
}

/// A move of a canary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// In milliseconds since 1970.
    pub at_ms: u64,
    /// Its share from then on.
    pub percent: f64,
    /// Why.
    pub why: String,
}

fn steps() -> Vec<f64> {
    vec![5.0, 25.0, 50.0, 100.0]
}

fn interval() -> String {
    "5m".to_owned()
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            requests: 50,
            error_percentage: 1.0,
            latency_ratio: 1.5,
        }
    }
}

impl Plan {
    /// The revision with everything else by default.
    pub fn of(revision: u32) -> Self {
        Plan {
            revision,
            steps: steps(),
            interval: interval(),
            bounds: Bounds::default(),
        }
    }

    fn check(&self) -> Result<Duration, String> {
        let interval = parse_duration(&self.interval).ok();
        let interval = interval.filter(|it| (Duration::from_secs(1)..=LONGEST).contains(it));
        let Some(interval) = interval else {
            let written = &self.interval;
            return Err(format!("the interval is {written:?}, expected 1s to 168h"));
        };
        let rising = self.steps.windows(2).all(|it| it[0] < it[1]);
        let percents = self.steps.iter().all(|it| *it > 0.0 && *it <= 100.0);
        if !rising || !percents || !(1..=MOST_STEPS).contains(&self.steps.len()) {
            return Err(format!(
                "the steps are {:?}, expected 1 to {MOST_STEPS} rising shares above 0 and up to 100",
                self.steps
            ));
        }
        let Bounds {
            requests,
            error_percentage,
            latency_ratio,
        } = &self.bounds;
        let bounded = (0.0..=100.0).contains(error_percentage)
            && (1.0..=1000.0).contains(latency_ratio)
            && *requests >= 1;
        bounded.then_some(interval).ok_or_else(|| {
            "the bounds are not valid, expected requests from 1, error_percentage from 0 to 100 and \
             latency_ratio from 1 to 1000"
                .to_owned()
        })
    }
}

impl CanaryState {
    /// At its first step, over traffic that is `before`.
    pub(super) fn begin(plan: &Plan, before: Traffic, at_ms: u64) -> Result<Self, CanaryError> {
        let interval = plan.check().map_err(CanaryError::Invalid)?;
        let number = plan.revision;
        let others = before.weights.iter().any(|it| it.revision != number);
        if !others {
            let problem =
                format!("there is no other revision that {number} could be compared with");
            return Err(CanaryError::Conflict(problem));
        }
        let mut state = CanaryState {
            revision: number,
            state: Phase::Running,
            why: String::new(),
            percent: 0.0,
            step: 0,
            steps: plan.steps.clone(),
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            bounds: plan.bounds.clone(),
            began_ms: at_ms,
            since_ms: at_ms,
            before,
            placed: false,
            moves: Vec::new(),
        };
        state.moved(plan.steps[0], "it begins".to_owned(), at_ms);
        Ok(state)
    }

    /// To the next step.
    pub(super) fn advance(&mut self, at_ms: u64) {
        self.step += 1;
        self.since_ms = at_ms;
        let percent = self.steps.get(self.step).copied().unwrap_or(100.0);
        self.moved(percent, "it was as good as the others".to_owned(), at_ms);
    }

    /// It has ended.
    pub(super) fn end(&mut self, phase: Phase, why: String, at_ms: u64) {
        self.state = phase;
        let percent = match phase {
            Phase::Running | Phase::Succeeded => self.percent,
            Phase::RolledBack | Phase::Aborted => self.before.percent(self.revision),
        };
        self.moved(percent, why, at_ms);
        self.placed = phase == Phase::Succeeded;
    }

    /// Nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        self.state != Phase::Running && self.placed
    }

    /// It is at its last step.
    pub(super) fn is_last(&self) -> bool {
        self.step + 1 >= self.steps.len()
    }

    /// How the traffic is to be divided.
    pub(super) fn wanted(&self) -> Traffic {
        match self.state {
            Phase::Running | Phase::Succeeded => self.at(Some(self.step)),
            Phase::RolledBack | Phase::Aborted => self.before.clone(),
        }
    }

    /// How it was divided before this.
    pub(super) fn last(&self) -> Traffic {
        match self.state {
            Phase::Running | Phase::Succeeded => self.at(self.step.checked_sub(1)),
            Phase::RolledBack | Phase::Aborted => self.at(Some(self.step)),
        }
    }

    fn at(&self, step: Option<usize>) -> Traffic {
        match step.and_then(|step| self.steps.get(step)) {
            Some(percent) => self.before.shifted(self.revision, Shift::Percent(*percent)),
            None => self.before.clone(),
        }
    }

    fn moved(&mut self, percent: f64, why: String, at_ms: u64) {
        self.percent = percent;
        self.placed = false;
        self.why.clone_from(&why);
        self.moves.push(Moved {
            at_ms,
            percent,
            why,
        });
        let surplus = self.moves.len().saturating_sub(MOST_MOVES);
        self.moves.drain(..surplus);
    }
}

/// Whether both divide requests in the same way, but for rounding.
pub(super) fn alike(a: &Traffic, b: &Traffic) -> bool {
    let numbers = |traffic: &Traffic| traffic.revisions().collect::<Vec<u32>>();
    let close = |number: u32| (a.percent(number) - b.percent(number)).abs() < SAME;
    a.sticky == b.sticky
        && a.mirror == b.mirror
        && numbers(a).into_iter().chain(numbers(b)).all(close)
}
