//! A function of which several revisions are live: which one answers, and which is sent copies.

mod choice;
mod cookie;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use stoker_config::{Deployment, Sticky};

use crate::gateway::Entry;
use choice::{Sequence, Shares};

/// A function of which several revisions are live.
pub(crate) struct Split {
    /// What was asked for.
    deployment: Deployment,
    /// In the order of the deployment.
    revisions: Vec<Arc<Entry>>,
    shares: Shares,
    sticky: Option<Stick>,
    mirror: Option<Mirror>,
    state: Arc<State>,
}

/// What goes on when shares change.
struct State {
    choices: Sequence,
    mirrors: Sequence,
    visitors: Sequence,
    /// Makes the values of cookies unlike those of other functions and gateways.
    seed: u64,
    mirrored: Mirrored,
}

/// What keeps a caller at one revision.
enum Stick {
    Header(HeaderName),
    Cookie(String),
}

/// The revision that a request goes to.
pub(crate) struct Choice<'a> {
    pub(crate) entry: &'a Arc<Entry>,
    /// To be given to a caller that has no cookie.
    pub(crate) cookie: Option<HeaderValue>,
}

/// A revision that is sent copies.
struct Mirror {
    place: usize,
    /// In [0, 1].
    share: f64,
}

/// What became of the copies of requests.
#[derive(Debug, Default)]
pub(crate) struct Mirrored([AtomicU64; MirrorResult::ALL.len()]);

/// What became of the copy of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MirrorResult {
    /// It was sent, whatever came of it.
    Sent,
    /// As many as there may be were under way.
    Busy,
    /// The request's body is longer than may be held.
    TooLarge,
    /// Nobody read the request's body to its end.
    Incomplete,
}

impl Split {
    /// Of entries in the order of the revisions of `deployment`, which is sound, after `before`.
    pub(crate) fn new(
        deployment: &Deployment,
        revisions: Vec<Arc<Entry>>,
        before: Option<&Split>,
    ) -> Self {
        let traffic = &deployment.traffic;
        let numbers = deployment.revisions.iter().map(|it| it.number);
        let mirrored = traffic.mirror.filter(|(_, percent)| *percent > 0.0);
        Split {
            shares: Shares::new(numbers.map(|number| (number, traffic.share(number)))),
            sticky: traffic.sticky.as_ref().and_then(Stick::new),
            mirror: mirrored.and_then(|(number, percent)| {
                let mut all = deployment.revisions.iter();
                Some(Mirror {
                    place: all.position(|it| it.number == number)?,
                    share: percent / 100.0,
                })
            }),
            state: before.map_or_else(Arc::default, |before| Arc::clone(&before.state)),
            deployment: deployment.clone(),
            revisions,
        }
    }

    /// What was asked for.
    pub(crate) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Every revision that can be addressed.
    pub(crate) fn revisions(&self) -> &[Arc<Entry>] {
        &self.revisions
    }

    /// The revisions that have addresses of their own, by `NAME:ALIAS`; an alias comes before what
    /// its name would mean otherwise.
    pub(crate) fn addresses(&self) -> BTreeMap<Arc<str>, &Arc<Entry>> {
        let Deployment {
            function,
            revisions,
            aliases,
            ..
        } = &self.deployment;
        let mut all = BTreeMap::new();
        let mut add = |alias: &str, number: u32| {
            let place = revisions.iter().position(|it| it.number == number);
            if let Some(place) = place {
                let address = format!("{function}:{alias}").into();
                all.insert(address, &self.revisions[place]);
            }
        };
        for number in revisions.iter().map(|it| it.number) {
            add(&format!("r{number}"), number);
        }
        if let Some(latest) = revisions.iter().map(|it| it.number).max() {
            add("latest", latest);
        }
        for (alias, number) in aliases {
            add(alias, *number);
        }
        all
    }

    /// The revision for this request; a cookie is for TLS only if the request came over it.
    pub(crate) fn choose(&self, parts: &Parts, tls: bool) -> Choice<'_> {
        let mut given = None;
        let place = match &self.sticky {
            None => None,
            Some(Stick::Header(name)) => {
                let value = parts.headers.get(name);
                value.map(|value| self.shares.of(value.as_bytes()))
            }
            Some(Stick::Cookie(name)) => Some(match cookie::value(&parts.headers, name) {
                Some(value) => self.shares.of(value),
                None => {
                    let state = &self.state;
                    let fresh = format!("{:016x}", choice::fresh(state.seed, &state.visitors));
                    given = cookie::set(name, &fresh, tls);
                    self.shares.of(fresh.as_bytes())
                }
            }),
        };
        let place = place.unwrap_or_else(|| self.shares.at(self.state.choices.next()));
        Choice {
            entry: &self.revisions[place],
            cookie: given,
        }
    }

    /// The revision that is to have a copy of a request that goes to `chosen`.
    pub(crate) fn mirror(&self, chosen: &Arc<Entry>) -> Option<&Arc<Entry>> {
        let mirror = self.mirror.as_ref()?;
        let entry = &self.revisions[mirror.place];
        let wanted = self.state.mirrors.next() < mirror.share;
        (wanted && !Arc::ptr_eq(entry, chosen)).then_some(entry)
    }

    /// Where copies are counted.
    pub(crate) fn counting(&self) -> Counting {
        Counting(Arc::clone(&self.state))
    }

    /// What became of copies so far.
    pub(crate) fn mirror_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.state.mirrored.0.iter();
        let names = MirrorResult::ALL.into_iter().map(MirrorResult::name);
        names.zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }
}

/// Where the copies of a function's requests are counted.
#[derive(Clone)]
pub(crate) struct Counting(Arc<State>);

impl Counting {
    pub(crate) fn count(&self, result: MirrorResult) {
        self.0.mirrored.0[result as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Default for State {
    fn default() -> Self {
        State {
            choices: Sequence::of_choices(),
            mirrors: Sequence::of_mirrors(),
            visitors: Sequence::of_choices(),
            seed: RandomState::new().hash_one("visitors"),
            mirrored: Mirrored::default(),
        }
    }
}

impl Stick {
    /// None if the name is none of a header.
    fn new(sticky: &Sticky) -> Option<Self> {
        match sticky {
            Sticky::Header(name) => HeaderName::try_from(name).ok().map(Stick::Header),
            Sticky::Cookie(name) => Some(Stick::Cookie(name.clone())),
        }
    }
}

impl MirrorResult {
    const ALL: [MirrorResult; 4] = [
        MirrorResult::Sent,
        MirrorResult::Busy,
        MirrorResult::TooLarge,
        MirrorResult::Incomplete,
    ];

    fn name(self) -> &'static str {
        match self {
            MirrorResult::Sent => "sent",
            MirrorResult::Busy => "busy",
            MirrorResult::TooLarge => "too-large",
            MirrorResult::Incomplete => "incomplete",
        }
    }
}
