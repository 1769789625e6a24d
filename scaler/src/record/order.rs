//! The requests of some chunks in the order of their arrivals, as a trace.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::entry::micros;
use super::{Chunk, Entry, What};

/// Times are rounded down to microseconds, so that a start may seem earlier than the arrival that
/// it is for, by less than this.
const ROUNDING: u64 = 3;

/// One request, in the order of arrivals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRow {
    /// The function's name.
    pub function: Arc<str>,
    /// When it arrived, microseconds since 1970.
    pub arrived: u64,
    /// How long it waited.
    pub waited: Duration,
    /// How long it was served; none if it got no slot.
    pub service: Option<Duration>,
    /// How long a start took that was begun since the function's former row.
    pub start: Option<Duration>,
}

/// Requests in the order of their arrivals; see [`trace`].
pub struct Trace {
    /// By their earliest item, the earliest last.
    chunks: Vec<Arc<Chunk>>,
    since: u64,
    items: BinaryHeap<Reverse<Item>>,
    /// Starts for the next rows of a function.
    starts: HashMap<Arc<str>, VecDeque<Duration>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    at: u64,
    function: Arc<str>,
    what: ItemKind,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ItemKind {
    Start(Duration),
    Request {
        waited: Duration,
        service: Option<Duration>,
    },
}

/// The requests of these chunks that arrived since then (microseconds since 1970), in the order of
/// their arrivals. Only chunks that overlap are decoded at the same time.
pub fn trace(mut chunks: Vec<Arc<Chunk>>, since: u64) -> Trace {
    chunks.sort_by_key(|chunk| Reverse(chunk.earliest()));
    Trace {
        chunks,
        since,
        items: BinaryHeap::new(),
        starts: HashMap::new(),
    }
}

impl Iterator for Trace {
    type Item = TraceRow;

    fn next(&mut self) -> Option<TraceRow> {
        loop {
            while let Some(chunk) = self.chunks.last()
                && self
                    .items
                    .peek()
                    .is_none_or(|Reverse(item)| item.at >= chunk.earliest())
            {
                let chunk = self.chunks.pop()?;
                let items = chunk.entries().filter_map(|entry| Item::of(&chunk, entry));
                let since = self.since;
                self.items
                    .extend(items.filter(|item| item.at >= since).map(Reverse));
            }
            let Reverse(item) = self.items.pop()?;
            match item.what {
                ItemKind::Start(took) => {
                    let starts = self.starts.entry(item.function).or_default();
                    starts.push_back(took);
                }
                ItemKind::Request { waited, service } => {
                    let starts = self.starts.get_mut(&item.function);
                    return Some(TraceRow {
                        start: starts.and_then(VecDeque::pop_front),
                        function: item.function,
                        arrived: item.at,
                        waited,
                        service,
                    });
                }
            }
        }
    }
}

impl Item {
    fn of(chunk: &Chunk, entry: Entry) -> Option<Item> {
        let before = |time: Duration| entry.at.saturating_sub(micros(time));
        let (at, what) = match entry.what {
            What::Request(request) => {
                let kind = ItemKind::Request {
                    waited: request.waited,
                    service: Some(request.service),
                };
                (before(request.total()), kind)
            }
            What::Refused { waited, .. } => {
                let service = None;
                (before(waited), ItemKind::Request { waited, service })
            }
            What::Started { took, .. } => {
                let at = before(took).saturating_sub(ROUNDING);
                (at, ItemKind::Start(took))
            }
            _ => return None,
        };
        Some(Item {
            at,
            function: Arc::clone(&chunk.function),
            what,
        })
    }
}

impl Chunk {
    /// No later than any of its items.
    fn earliest(&self) -> u64 {
        self.begun.min(self.first).saturating_sub(ROUNDING)
    }
}

#[cfg(test)]
mod tests {
    use stoker_core::{InstanceId, Outcome};

    use super::*;
    use crate::StartCause;
    use crate::record::Request;

    fn entry(end: u64, waited: u64, service: u64) -> Entry {
        Entry {
            at: end,
            what: What::Request(Request {
                waited: Duration::from_micros(waited),
                service: Duration::from_micros(service),
                outcome: Outcome::Answered,
                first: false,
            }),
        }
    }

    fn chunk(function: &str, first: u64, entries: &[Entry]) -> Arc<Chunk> {
        Arc::new(Chunk::of(function, "r", first, entries))
    }

    #[test]
    fn rows_are_in_the_order_of_arrivals_over_chunks_and_functions() {
        let start = Entry {
            at: 1_500,
            what: What::Started {
                instance: InstanceId::new(1, 1),
                took: Duration::from_micros(400),
                cause: StartCause::Request,
            },
        };
        let refused = Entry {
            at: 1_700,
            what: What::Refused {
                waited: Duration::from_micros(100),
                cause: super::super::Refusal::Expired,
            },
        };
        let chunks = vec![
            chunk("a", 1_000, &[start, refused, entry(2_000, 400, 500)]),
            // One that took long and ended in a later chunk.
            chunk("a", 2_000, &[entry(3_000, 0, 1_950)]),
            chunk("b", 900, &[entry(1_400, 0, 100)]),
        ];
        let rows: Vec<_> = trace(chunks.clone(), 0).collect();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (&*row.function, row.arrived, row.service.is_some()))
            .collect();
        assert_eq!(
            seen,
            [
                ("a", 1_050, true),
                ("a", 1_100, true),
                ("b", 1_300, true),
                ("a", 1_600, false)
            ]
        );
        assert_eq!(rows[0].start, None);
        assert_eq!(rows[1].start, Some(Duration::from_micros(400)));
        assert_eq!(trace(chunks, 1_200).count(), 2);
    }
}
