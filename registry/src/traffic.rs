//! Who gets which part of a function's requests.

use serde::{Deserialize, Serialize};

use crate::names::allow;
use crate::{Shift, StoreError};

/// So many revisions may get traffic at once.
const MOST_WEIGHTS: usize = 16;
/// What the sum of percents may be off by: 33.33 three times is meant to be 100.
const SUM_TOLERANCE: f64 = 0.05;
/// Of a header's or cookie's name, in bytes.
const NAME_BYTES: usize = 64;

/// How the requests of a function are divided among its revisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// By revision, ascending; each above 0 %, and 100 % together.
    pub weights: Vec<Weight>,
    /// What keeps a caller with one revision.
    #[serde(default)]
    pub sticky: Option<Sticky>,
    /// What gets copies of requests, whose answers nobody sees.
    #[serde(default)]
    pub mirror: Option<Mirror>,
}

/// A revision's part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// Its number.
    pub revision: u32,
    /// Of 100.
    pub percent: f64,
}

/// What keeps a caller with one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sticky {
    /// The value of this header.
    Header(String),
    /// This cookie, which is set if it is not there.
    Cookie(String),
}

/// What gets copies of requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// Its number.
    pub revision: u32,
    /// Of 100 requests so many are copied.
    pub percent: f64,
}

impl Traffic {
    /// Everything to one revision.
    pub fn all_to(revision: u32) -> Traffic {
        Traffic {
            weights: vec![Weight {
                revision,
                percent: 100.0,
            }],
            ..Traffic::default()
        }
    }

    /// The revision with the largest part, the newest among equals; `None` if there is no traffic.
    pub fn primary(&self) -> Option<u32> {
        let larger = |a: &&Weight, b: &&Weight| a.percent.total_cmp(&b.percent);
        self.weights.iter().max_by(larger).map(|it| it.revision)
    }

    /// The part of a revision, of 100.
    pub fn percent(&self, revision: u32) -> f64 {
        let weight = self.weights.iter().find(|it| it.revision == revision);
        weight.map_or(0.0, |it| it.percent)
    }

    /// Every revision that gets requests or copies of them.
    pub fn revisions(&self) -> impl Iterator<Item = u32> {
        let weights = self.weights.iter().map(|it| it.revision);
        weights.chain(self.mirror.map(|mirror| mirror.revision))
    }

    /// The same with `shift` for one revision; what others have keeps its proportions. Where nobody
    /// else has anything it gets all, and callers stay with a revision by the same rule as before.
    pub fn shifted(&self, revision: u32, shift: Shift) -> Traffic {
        let others = self.weights.iter().filter(|it| it.revision != revision);
        let others: Vec<Weight> = others.copied().collect();
        let percent = match shift {
            _ if others.is_empty() => 100.0,
            Shift::All => 100.0,
            Shift::Nothing => 0.0,
            Shift::Percent(percent) => percent,
        };
        let before: f64 = others.iter().map(|it| it.percent).sum();
        let scale = |it: Weight| Weight {
            percent: it.percent * (100.0 - percent) / before,
            ..it
        };
        let mut traffic = Traffic {
            weights: others.into_iter().map(scale).collect(),
            ..self.clone()
        };
        traffic.weights.push(Weight { revision, percent });
        traffic.tidy();
        traffic
    }

    /// The same with one revision in place of another.
    pub fn replaced(&self, old: u32, new: u32) -> Traffic {
        let mut traffic = self.clone();
        for weight in &mut traffic.weights {
            if weight.revision == old {
                weight.revision = new;
            }
        }
        traffic.tidy();
        traffic
    }

    /// Checked, in order, without those that get nothing, and with the sum that is meant.
    ///
    /// # Errors
    /// If parts are no percents, do not sum to 100 or name a revision twice, if nobody gets anything,
    /// or the header or cookie has no name that one can have.
    pub fn checked(&self) -> Result<Traffic, StoreError> {
        let percents = self.weights.iter().map(|it| it.percent);
        for percent in percents.chain(self.mirror.map(|it| it.percent)) {
            allow((0.0..=100.0).contains(&percent), || {
                format!("a part of the traffic cannot be {percent} %, but 0 to 100")
            })?;
        }
        let sum: f64 = self.weights.iter().map(|it| it.percent).sum();
        allow((sum - 100.0).abs() <= SUM_TOLERANCE, || {
            format!("the parts of the traffic sum to {sum} %, and must sum to 100")
        })?;
        if let Some(Sticky::Header(name) | Sticky::Cookie(name)) = &self.sticky {
            allow(is_token(name), || {
                format!("no header or cookie can be called {name:?}")
            })?;
        }
        let mut traffic = self.clone();
        for weight in &mut traffic.weights {
            weight.percent *= 100.0 / sum;
        }
        traffic.tidy();
        let twice = traffic
            .weights
            .windows(2)
            .find(|it| it[0].revision == it[1].revision);
        allow(twice.is_none(), || {
            "a revision is named twice in the traffic; name each once".to_owned()
        })?;
        match traffic.weights.len() <= MOST_WEIGHTS {
            true => Ok(traffic),
            false => Err(StoreError::Full("revisions with traffic", MOST_WEIGHTS)),
        }
    }

    fn tidy(&mut self) {
        self.weights.retain(|it| it.percent > 0.0);
        self.weights.sort_by_key(|it| it.revision);
        self.mirror = self.mirror.filter(|it| it.percent > 0.0);
    }
}

/// A token of RFC 9110, section 5.6.2: what headers and cookies are called.
fn is_token(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
