//! Functions of the registry of which several revisions are live, and who gets which.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use super::FunctionSpec;

/// How far percentages may be from 100 in sum.
const SLACK: f64 = 1e-6;

/// A function of which several revisions are live. Files of functions have none of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// Its name, which is also in [`Config::functions`](super::Config::functions), with the spec of
    /// its primary revision.
    pub function: Arc<str>,
    /// All that can be addressed: with a weight, mirrored, named by an alias, or live of late.
    pub revisions: Vec<DeployedRevision>,
    /// Who gets which.
    pub traffic: TrafficSpec,
    /// Names of revisions, for `/function/NAME:ALIAS`. `rN` and `latest` need no row: they name
    /// revision N and the newest one of `revisions`, unless `latest` has a row here.
    pub aliases: Vec<(Arc<str>, u32)>,
}

/// A revision that can be addressed.
#[derive(Clone, Debug, PartialEq)]
pub struct DeployedRevision {
    /// Its number in the registry, from 1.
    pub number: u32,
    /// Its function, with the same number in [`FunctionSpec::number`].
    pub spec: Arc<FunctionSpec>,
}

/// Which revisions requests go to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrafficSpec {
    /// Revisions and their shares in percent, which sum up to 100.
    pub weights: Vec<(u32, f64)>,
    /// What keeps a caller at one revision; chance decides about each request if `None`.
    pub sticky: Option<Sticky>,
    /// A revision that is sent copies of so many percent of the requests, and whose answers nobody
    /// gets.
    pub mirror: Option<(u32, f64)>,
}

/// What keeps a caller at one revision while the weights stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// The value of a header of this name, in lower case. Requests without it go by chance.
    Header(String),
    /// The value of a cookie of this name; callers without it are given one.
    Cookie(String),
}

impl DeployedRevision {
    /// Revision `number`, which is `spec`.
    pub fn new(number: u32, spec: FunctionSpec) -> Self {
        DeployedRevision {
            number,
            spec: Arc::new(FunctionSpec {
                number: Some(number),
                ..spec
            }),
        }
    }
}

impl Deployment {
    /// The revision with the largest share, the newest of several.
    pub fn primary(&self) -> Option<&DeployedRevision> {
        let share = |it: &DeployedRevision| self.traffic.share(it.number);
        self.revisions.iter().max_by(|a, b| {
            let by_share = share(a).total_cmp(&share(b));
            by_share.then(a.number.cmp(&b.number))
        })
    }

    /// The revision of this number.
    pub fn revision(&self, number: u32) -> Option<&DeployedRevision> {
        self.revisions.iter().find(|it| it.number == number)
    }

    /// Sees that the parts belong together: revisions once each and of this function, shares of
    /// revisions that are there, in [0, 100] and 100 in sum, aliases likewise.
    ///
    /// # Errors
    /// What is wrong, as one sentence that names the function.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |what: String| Err(format!("the deployment of {}: {what}", self.function));
        let mut numbers = HashSet::new();
        for DeployedRevision { number, spec } in &self.revisions {
            if !numbers.insert(*number) {
                return wrong(format!("revision {number} is there twice"));
            }
            if spec.name != self.function || spec.number != Some(*number) {
                let of = &spec.name;
                return wrong(format!("revision {number} is of {of}, or has no number"));
            }
        }
        if let Err(problem) = self.traffic.check() {
            return wrong(problem);
        }
        let weights = self.traffic.weights.iter().map(|(number, _)| *number);
        let mirror = self.traffic.mirror.iter().map(|(number, _)| *number);
        let aliases = self.aliases.iter().map(|(_, number)| *number);
        for number in weights.chain(mirror).chain(aliases) {
            if !numbers.contains(&number) {
                return wrong(format!("revision {number} is not among its revisions"));
            }
        }
        Ok(())
    }
}

impl TrafficSpec {
    /// Everything to one revision.
    pub fn all(number: u32) -> Self {
        TrafficSpec {
            weights: vec![(number, 100.0)],
            ..TrafficSpec::default()
        }
    }

    /// A revision's share of the requests, in percent.
    pub fn share(&self, number: u32) -> f64 {
        let of_it = self.weights.iter().filter(|(it, _)| *it == number);
        of_it.map(|(_, percent)| percent).sum()
    }

    /// Sees that shares are in [0, 100], one for each revision, and 100 in sum, and that names of
    /// headers and cookies are tokens (RFC 9110 section 5.6.2).
    ///
    /// # Errors
    /// What is wrong and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let mut numbers = HashSet::new();
        for (number, percent) in self.weights.iter().chain(&self.mirror) {
            if !(0.0..=100.0).contains(percent) {
                return Err(format!(
                    "the share of revision {number} is {percent}, expected 0 to 100"
                ));
            }
        }
        for (number, _) in &self.weights {
            if !numbers.insert(number) {
                return Err(format!("revision {number} has two shares, expected one"));
            }
        }
        let percents = self.weights.iter().map(|(_, percent)| percent);
        let sum = percents.fold(0.0, |sum, percent| sum + percent);
        if (sum - 100.0).abs() > SLACK {
            return Err(format!("the shares sum up to {sum}, expected 100"));
        }
        let (Some(Sticky::Header(name)) | Some(Sticky::Cookie(name))) = &self.sticky else {
            return Ok(());
        };
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!(
                "{name:?} cannot name what callers are kept apart by, expected a token"
            ));
        }
        Ok(())
    }
}
