//! The bytes of entries.
//!
//! An entry is a byte (its kind in the low three bits, flags above), the microseconds since the
//! entry before it, and its own numbers. A request that found a free slot takes five to eight bytes.

use std::time::Duration;

use stoker_core::{InstanceId, Mode, Outcome};

use super::{Decided, Ending, Entry, Refusal, Request, What, micros};
use crate::StartCause;
use crate::record::codec::{Reader, put, put_real};

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

impl Entry {
    /// Appends its bytes; the entry before it was at `former`.
    pub(in crate::record) fn encode(&self, former: u64, out: &mut Vec<u8>) {
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
    pub(in crate::record) fn decode(reader: &mut Reader<'_>, former: u64) -> Option<Entry> {
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
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = &text.as_bytes()[..end];
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

fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let place = all.iter().position(|it| it == one);
    u8::try_from(place.expect("all are listed")).expect("the lists are short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut out = Vec::new();
        put_text(&mut out, &"ü".repeat(TEXT_BYTES));
        let text = text(&mut Reader(&out)).unwrap();
        assert_eq!(text.len(), TEXT_BYTES);
    }
}
