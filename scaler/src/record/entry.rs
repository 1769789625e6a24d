//! One thing that happened, and its bytes.
//!
//! An entry is a byte (its kind in the low three bits, flags above), the microseconds since the
//! entry before it, and its own numbers. A request that found a free slot takes five to eight bytes.

use std::time::Duration;

use stoker_core::{InstanceId, Mode, Outcome, RejectCause};

use super::codec::{Reader, put, put_real};
use crate::StartCause;

/// Longer texts are cut.
const TEXT_BYTES: usize = 1024;

const REQUEST: u8 = 0;
const REFUSED: u8 = 1;
const STARTED: u8 = 2;
const START_FAILED: u8 = 3;
const DECIDED: u8 = 4;
const ENDING: u8 = 5;
const ENDED: u8 = 6;

const WAITED: u8 = 1 << 3;
const FAILED: u8 = 1 << 4;
const UNKNOWN: u8 = 1 << 5;
const FIRST: u8 = 1 << 6;
/// Of a start.
const FOR_REQUEST: u8 = 1 << 3;
/// Of a decision.
const PANIC: u8 = 1 << 3;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When, microseconds since 1970. Entries of a chunk are in the order of their times.
    pub at: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A request was served; it ended then.
    Request(Request),
    /// A request got no slot.
    Refused {
        /// How long it waited for that.
        waited: Duration,
        /// Why.
        cause: Refusal,
    },
    /// An instance takes requests.
    Started {
        /// Which.
        instance: InstanceId,
        /// Since it was asked for.
        took: Duration,
        /// Why it was.
        cause: StartCause,
    },
    /// An instance did not come up.
    StartFailed {
        /// Which.
        instance: InstanceId,
        /// Since it was asked for.
        took: Duration,
    },
    /// Another number of instances is wanted, or the mode is another one.
    Decided(Decided),
    /// An instance gets no more requests.
    Ending {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: Ending,
    },
    /// An instance is gone.
    Ended {
        /// Which.
        instance: InstanceId,
        /// Since it was asked for or adopted.
        lived: Duration,
    },
}

/// One request that was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// From its arrival until it had a slot of an instance that runs.
    pub waited: Duration,
    /// From then until it gave the slot back.
    pub service: Duration,
    /// What it found.
    pub outcome: Outcome,
    /// The first one that its instance had.
    pub first: bool,
}

impl Request {
    /// From its arrival to its end.
    pub fn total(&self) -> Duration {
        self.waited + self.service
    }
}

/// Why a request got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many waited already.
    QueueFull,
    /// It would have waited for too long.
    TooLate,
    /// No slot came free in time.
    Expired,
    /// The function does not start.
    StartFailed,
    /// The gateway or the revision ends.
    ShuttingDown,
    /// Its caller left.
    Cancelled,
}

impl Refusal {
    const ALL: [Refusal; 6] = [
        Refusal::QueueFull,
        Refusal::TooLate,
        Refusal::Expired,
        Refusal::StartFailed,
        Refusal::ShuttingDown,
        Refusal::Cancelled,
    ];

    /// As programs see it.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::QueueFull => "queue-full",
            Refusal::TooLate => "too-late",
            Refusal::Expired => "expired",
            Refusal::StartFailed => "start-failed",
            Refusal::ShuttingDown => "shutting-down",
            Refusal::Cancelled => "cancelled",
        }
    }
}

impl From<&RejectCause> for Refusal {
    fn from(cause: &RejectCause) -> Self {
        match cause {
            RejectCause::QueueFull => Refusal::QueueFull,
            RejectCause::TooLate { .. } => Refusal::TooLate,
            RejectCause::Expired { .. } => Refusal::Expired,
            RejectCause::StartFailed(_) => Refusal::StartFailed,
            RejectCause::ShuttingDown => Refusal::ShuttingDown,
        }
    }
}

/// Why an instance gets no more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was idle for long enough, or more are there than the policy wants.
    Policy,
    /// An operator wants fewer.
    Operator,
    /// An operator evicted all.
    Evicted,
    /// Others need the memory.
    Memory,
    /// It could not be reached or failed too often.
    Unhealthy,
    /// The settings changed.
    Settings,
    /// A newer revision took over, or the gateway ends.
    Retired,
    /// It ended by itself.
    Itself,
    /// It drained, and was told to end for its last request is over or the time for that is.
    Drained,
}

impl Ending {
    const ALL: [Ending; 9] = [
        Ending::Policy,
        Ending::Operator,
        Ending::Evicted,
        Ending::Memory,
        Ending::Unhealthy,
        Ending::Settings,
        Ending::Retired,
        Ending::Itself,
        Ending::Drained,
    ];

    /// As programs see it.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Policy => "policy",
            Ending::Operator => "operator",
            Ending::Evicted => "evicted",
            Ending::Memory => "memory",
            Ending::Unhealthy => "unhealthy",
            Ending::Settings => "settings",
            Ending::Retired => "retired",
            Ending::Itself => "itself",
            Ending::Drained => "drained",
        }
    }

    /// As people read it, after "for".
    pub fn words(self) -> &'static str {
        match self {
            Ending::Policy => "the policy wants fewer or it was idle for long enough",
            Ending::Operator => "an operator wants fewer",
            Ending::Evicted => "an operator evicted it",
            Ending::Memory => "the machine is short of memory",
            Ending::Unhealthy => "it could not be reached or failed too often",
            Ending::Settings => "the settings changed",
            Ending::Retired => "its revision was replaced or the gateway ends",
            Ending::Itself => "it ended by itself",
            Ending::Drained => "it has drained",
        }
    }
}

/// A decision: what went in, what came out, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// Instances wanted.
    pub desired: u32,
    /// What would have been wanted without the bound that won.
    pub unclamped: u32,
    /// Stable or panic.
    pub mode: Mode,
    /// Instances that took requests.
    pub ready: u32,
    /// Instances on their way.
    pub starting: u32,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests waiting.
    pub queued: u32,
    /// Average load over the stable and the panic window, if the policy looks at them.
    pub load: Option<(f64, f64)>,
    /// The bound that won.
    pub clamp: String,
    /// Every term, in one sentence.
    pub why: String,
}

impl Entry {
    /// Appends its bytes; the entry before it was at `former`.
    pub(super) fn encode(&self, former: u64, out: &mut Vec<u8>) {
        let passed = self.at.saturating_sub(former);
        let head = |out: &mut Vec<u8>, first: u8| {
            out.push(first);
            put(out, passed);
        };
        match &self.what {
            What::Request(request) => {
                let mut first = REQUEST;
                first |= if request.waited.is_zero() { 0 } else { WAITED };
                first |= match request.outcome {
                    Outcome::Answered => 0,
                    Outcome::Failed => FAILED,
                    Outcome::Unknown => UNKNOWN,
                };
                first |= if request.first { FIRST } else { 0 };
                head(out, first);
                put(out, micros(request.service));
                if first & WAITED != 0 {
                    put(out, micros(request.waited));
                }
            }
            What::Refused { waited, cause } => {
                head(out, REFUSED);
                out.push(place(&Refusal::ALL, cause));
                put(out, micros(*waited));
            }
            What::Started {
                instance,
                took,
                cause,
            } => {
                let flag = match cause {
                    StartCause::Request => FOR_REQUEST,
                    StartCause::Policy => 0,
                };
                head(out, STARTED | flag);
                timed(out, *instance, *took);
            }
            What::StartFailed { instance, took } => {
                head(out, START_FAILED);
                timed(out, *instance, *took);
            }
            What::Decided(decided) => {
                let panic = decided.mode == Mode::Panic;
                head(out, DECIDED | if panic { PANIC } else { 0 });
                decided.encode(out);
            }
            What::Ending { instance, why } => {
                head(out, ENDING);
                put(out, instance.as_raw());
                out.push(place(&Ending::ALL, why));
            }
            What::Ended { instance, lived } => {
                head(out, ENDED);
                timed(out, *instance, *lived);
            }
        }
    }

    /// The next entry; none at the end, and where the bytes make no sense.
    pub(super) fn decode(reader: &mut Reader<'_>, former: u64) -> Option<Entry> {
        let first = reader.byte()?;
        let at = former.checked_add(reader.number()?)?;
        let what = match first & 7 {
            REQUEST => {
                let service = span(reader)?;
                let waited = match first & WAITED {
                    0 => Duration::ZERO,
                    _ => span(reader)?,
                };
                What::Request(Request {
                    waited,
                    service,
                    outcome: match (first & FAILED, first & UNKNOWN) {
                        (0, 0) => Outcome::Answered,
                        (0, _) => Outcome::Unknown,
                        _ => Outcome::Failed,
                    },
                    first: first & FIRST != 0,
                })
            }
            REFUSED => What::Refused {
                cause: *Refusal::ALL.get(usize::from(reader.byte()?))?,
                waited: span(reader)?,
            },
            STARTED => What::Started {
                instance: InstanceId::from_raw(reader.number()?),
                took: span(reader)?,
                cause: match first & FOR_REQUEST {
                    0 => StartCause::Policy,
                    _ => StartCause::Request,
                },
            },
            START_FAILED => What::StartFailed {
                instance: InstanceId::from_raw(reader.number()?),
                took: span(reader)?,
            },
            DECIDED => What::Decided(Decided::decode(reader, first & PANIC != 0)?),
            ENDING => What::Ending {
                instance: InstanceId::from_raw(reader.number()?),
                why: *Ending::ALL.get(usize::from(reader.byte()?))?,
            },
            ENDED => What::Ended {
                instance: InstanceId::from_raw(reader.number()?),
                lived: span(reader)?,
            },
            _ => return None,
        };
        Some(Entry { at, what })
    }
}

impl Decided {
    fn encode(&self, out: &mut Vec<u8>) {
        for number in [
            self.desired,
            self.unclamped,
            self.ready,
            self.starting,
            self.in_flight,
            self.queued,
        ] {
            put(out, number.into());
        }
        out.push(u8::from(self.load.is_some()));
        if let Some((stable, panic)) = self.load {
            put_real(out, stable);
            put_real(out, panic);
        }
        put_text(out, &self.clamp);
        put_text(out, &self.why);
    }

    fn decode(reader: &mut Reader<'_>, panic: bool) -> Option<Decided> {
        Some(Decided {
            mode: if panic { Mode::Panic } else { Mode::Stable },
            desired: reader.count()?,
            unclamped: reader.count()?,
            ready: reader.count()?,
            starting: reader.count()?,
            in_flight: reader.count()?,
            queued: reader.count()?,
            load: match reader.byte()? {
                0 => None,
                _ => Some((reader.real()?, reader.real()?)),
            },
            clamp: text(reader)?,
            why: text(reader)?,
        })
    }
}

fn timed(out: &mut Vec<u8>, instance: InstanceId, time: Duration) {
    put(out, instance.as_raw());
    put(out, micros(time));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let bytes = &text.as_bytes()[..text.floor_char_boundary(TEXT_BYTES)];
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    let length = usize::try_from(reader.number()?).ok()?;
    let (bytes, rest) = reader.0.split_at_checked(length)?;
    reader.0 = rest;
    Some(std::str::from_utf8(bytes).ok()?.to_owned())
}

fn span(reader: &mut Reader<'_>) -> Option<Duration> {
    reader.number().map(Duration::from_micros)
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let place = all.iter().position(|it| it == one);
    u8::try_from(place.expect("all are listed")).expect("the lists are short")
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span() -> impl Strategy<Value = Duration> {
        (0_u64..1 << 40).prop_map(Duration::from_micros)
    }

    fn instance() -> impl Strategy<Value = InstanceId> {
        any::<u64>().prop_map(InstanceId::from_raw)
    }

    fn request() -> impl Strategy<Value = What> {
        let outcome =
            prop::sample::select(vec![Outcome::Answered, Outcome::Failed, Outcome::Unknown]);
        (span(), span(), outcome, any::<bool>()).prop_map(|(waited, service, outcome, first)| {
            What::Request(Request {
                waited,
                service,
                outcome,
                first,
            })
        })
    }

    fn decided() -> impl Strategy<Value = What> {
        let load = prop::option::of((0_u16..1000, 0_u16..1000));
        (any::<[u32; 6]>(), load, any::<bool>(), ".{0,40}").prop_map(
            |(numbers, load, panic, why)| {
                let [desired, unclamped, ready, starting, in_flight, queued] = numbers;
                What::Decided(Decided {
                    desired,
                    unclamped,
                    mode: if panic { Mode::Panic } else { Mode::Stable },
                    ready,
                    starting,
                    in_flight,
                    queued,
                    load: load.map(|(a, b)| (f64::from(a), f64::from(b))),
                    clamp: "no bound".to_owned(),
                    why,
                })
            },
        )
    }

    pub(in crate::record) fn what() -> impl Strategy<Value = What> {
        let refusal = prop::sample::select(Refusal::ALL.to_vec());
        let ending = prop::sample::select(Ending::ALL.to_vec());
        let cause = prop::sample::select(vec![StartCause::Request, StartCause::Policy]);
        prop_oneof![
            4 => request(),
            1 => (span(), refusal).prop_map(|(waited, cause)| What::Refused { waited, cause }),
            1 => (instance(), span(), cause)
                .prop_map(|(instance, took, cause)| What::Started { instance, took, cause }),
            1 => (instance(), span())
                .prop_map(|(instance, took)| What::StartFailed { instance, took }),
            1 => decided(),
            1 => (instance(), ending).prop_map(|(instance, why)| What::Ending { instance, why }),
            1 => (instance(), span())
                .prop_map(|(instance, lived)| What::Ended { instance, lived }),
        ]
    }

    #[test]
    fn a_warm_request_is_small() {
        let request = Request {
            waited: Duration::ZERO,
            service: Duration::from_micros(900),
            outcome: Outcome::Answered,
            first: false,
        };
        let mut bytes = Vec::new();
        let entry = Entry {
            at: 1_000_300,
            what: What::Request(request),
        };
        entry.encode(1_000_000, &mut bytes);
        assert_eq!(bytes.len(), 5);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut out = Vec::new();
        put_text(&mut out, &"ü".repeat(TEXT_BYTES));
        let text = text(&mut Reader(&out)).unwrap();
        assert_eq!(text.len(), TEXT_BYTES);
    }
}
