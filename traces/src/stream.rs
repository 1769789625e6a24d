//! A trace call by call, in the order of times, without holding it in memory.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::Path;
use std::time::Duration;

use crate::formats::{self, Format};
use crate::lines::Lines;
use crate::{Call, TraceError, TraceOptions, TraceParser};

/// Calls that are held at once to bring them into order, or as they are of one minute; a file that
/// needs more should be sorted.
const MAX_HELD: usize = 4_000_000;

/// The calls of a file as [`read_with`](crate::read_with) gives them, one after the other.
///
/// It must be a regular file, for it is read twice: first to find out by how much it is out of order,
/// and then with as many calls in memory as that takes; a sorted one needs one. Of a file that counts by the minute the
/// counts are held, which grow with its functions. [`TraceOptions::max_calls`] bounds nothing here.
#[derive(Debug)]
pub struct Stream {
    parser: TraceParser,
    source: Source,
    held: BinaryHeap<Reverse<Held>>,
    taken: u64,
    /// The latest time that was read.
    latest: Duration,
    /// Calls come at most so much later in the file than they should.
    lateness: Duration,
    /// Of the whole file, if it is known.
    bytes: u64,
}

/// How often a function was called in which minutes, counted from 1.
#[derive(Debug)]
pub(crate) struct MinuteCounts {
    pub(crate) name: String,
    /// Ascending.
    pub(crate) counts: Vec<(u32, u32)>,
}

#[derive(Debug)]
enum Source {
    File(Lines),
    /// Functions, the place that each has come to, and the next minute.
    Counts {
        file: String,
        functions: Vec<MinuteCounts>,
        places: Vec<usize>,
        minute: u32,
        last: u32,
    },
    Over,
}

/// By time, and at equal times by the place in the file.
#[derive(Debug)]
struct Held {
    call: Call,
    place: u64,
}

impl Stream {
    /// Finds out what the file is, and reads it once if its order or its counts must be known.
    pub fn open(path: &Path, options: TraceOptions) -> Result<Self, TraceError> {
        let options = TraceOptions {
            max_calls: usize::MAX,
            ..options
        };
        is_regular(path)?;
        let survey = Survey::of(path, options.clone())?;
        let mut parser = TraceParser::new(options);
        let source = match survey.counts {
            None => Source::File(Lines::open(path)?),
            Some(functions) => {
                // What was left out is known from the survey.
                (parser.outside, parser.format) = (survey.outside, survey.format);
                let last = |it: &MinuteCounts| it.counts.last().map_or(0, |(minute, _)| *minute);
                Source::Counts {
                    file: path.display().to_string(),
                    places: vec![0; functions.len()],
                    minute: 1,
                    last: functions.iter().map(last).max().unwrap_or(0),
                    functions,
                }
            }
        };
        Ok(Stream {
            parser,
            source,
            held: BinaryHeap::new(),
            taken: 0,
            latest: Duration::ZERO,
            lateness: survey.lateness,
            bytes: survey.bytes.max(1),
        })
    }

    /// The next call; none after the last one.
    pub fn next_call(&mut self) -> Result<Option<Call>, TraceError> {
        loop {
            let over = matches!(self.source, Source::Over);
            let due = self
                .held
                .peek()
                .is_some_and(|Reverse(first)| over || first.call.at + self.lateness < self.latest);
            if due || over {
                return Ok(self.held.pop().map(|Reverse(held)| held.call));
            }
            self.read_on()?;
            if self.held.len() > MAX_HELD {
                let message = format!(
                    "the calls are out of order by more than {MAX_HELD} of them: sort the file by \
                     arrivals"
                );
                return Err(self.named(TraceError::new(0, "", message)));
            }
        }
    }

    /// What was assumed and left out; complete after the last call.
    pub fn notes(&self) -> Vec<String> {
        match &self.parser.format {
            Some(format) => self.parser.notes(format),
            None => Vec::new(),
        }
    }

    /// The share of the file that was read, in [0, 1].
    pub fn progress(&self) -> f64 {
        match &self.source {
            Source::File(lines) => lines.bytes as f64 / self.bytes as f64,
            Source::Counts { minute, last, .. } => {
                f64::from(*minute) / f64::from(last.saturating_add(1))
            }
            Source::Over => 1.0,
        }
    }

    /// One line, or one minute.
    fn read_on(&mut self) -> Result<(), TraceError> {
        match &mut self.source {
            Source::Over => {}
            Source::File(lines) => match lines.next()? {
                false => self.source = Source::Over,
                true => {
                    let read = self.parser.line(&lines.text());
                    read.map_err(|error| lines.named(error))?;
                }
            },
            Source::Counts {
                file,
                functions,
                places,
                minute,
                last,
            } => {
                let mut calls = 0;
                for (function, place) in functions.iter().zip(places) {
                    if let Some(&(at, count)) = function.counts.get(*place)
                        && at == *minute
                    {
                        *place += 1;
                        calls += count as usize;
                        if calls > MAX_HELD {
                            return Err(crowded(file, at));
                        }
                        formats::spread(&function.name, at, count, &mut self.parser)?;
                    }
                }
                // All that is still to come is later than this minute.
                let end = Duration::from_secs(60 * u64::from(*minute));
                self.latest = end.saturating_sub(self.parser.options.from);
                *minute += 1;
                if *minute > *last {
                    self.source = Source::Over;
                }
            }
        }
        for call in self.parser.calls.drain(..) {
            self.latest = self.latest.max(call.at);
            let place = self.taken;
            self.taken += 1;
            self.held.push(Reverse(Held { call, place }));
        }
        Ok(())
    }

    fn named(&self, error: TraceError) -> TraceError {
        match &self.source {
            Source::File(lines) => lines.named(error),
            Source::Counts { .. } | Source::Over => error,
        }
    }
}

fn crowded(file: &str, minute: u32) -> TraceError {
    let message = format!(
        "more than {MAX_HELD} calls are more than a minute can have here: ask for a part of the \
         trace without it, or take some functions out of the file"
    );
    TraceError {
        file: file.to_owned(),
        ..TraceError::new(0, &minute.to_string(), message)
    }
}

/// What can be read once only would seem to be empty the second time.
fn is_regular(path: &Path) -> Result<(), TraceError> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let message = "is no regular file, as it must be to be read more than once: write what \
                           comes from a pipe to a file first";
            Err(TraceError {
                file: path.display().to_string(),
                ..TraceError::new(0, "", message)
            })
        }
        // Whatever keeps it from being read is said when it is.
        _ => Ok(()),
    }
}

/// What a first look at a file tells.
#[derive(Default)]
struct Survey {
    lateness: Duration,
    bytes: u64,
    counts: Option<Vec<MinuteCounts>>,
    outside: u64,
    format: Option<Format>,
}

impl Survey {
    fn of(path: &Path, options: TraceOptions) -> Result<Self, TraceError> {
        let mut lines = Lines::open(path)?;
        let mut parser = TraceParser::new(options);
        parser.counts = Some(Vec::new());
        let mut survey = Survey::default();
        let mut latest = Duration::ZERO;
        let mut calls: VecDeque<Call> = VecDeque::new();
        while lines.next()? {
            let read = parser.line(&lines.text());
            read.map_err(|error| lines.named(error))?;
            calls.extend(parser.calls.drain(..));
            for call in calls.drain(..) {
                survey.lateness = survey.lateness.max(latest.saturating_sub(call.at));
                latest = latest.max(call.at);
            }
        }
        survey.bytes = lines.bytes;
        survey.outside = parser.outside;
        survey.format = parser.format.take();
        match &survey.format {
            Some(format) if format.counts() => survey.counts = parser.counts.take(),
            Some(_) => {}
            // Says that there are no headings.
            None => {
                parser.finish().map_err(|error| lines.named(error))?;
            }
        }
        Ok(survey)
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.call.at, self.place).cmp(&(other.call.at, other.place))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Held {}

#[cfg(test)]
mod tests;
