//! Where the calls of a replay come from.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::Timestamp;
use stoker_traces::{Call, Stream, TraceOptions};

use crate::chance::{self, Purpose};
use crate::make::{Made, MakeOptions};
use crate::{Arrival, Times};

/// The calls of a replay, which can be opened again and again.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) origin: Origin,
    /// How long calls take whose duration is not known.
    pub(crate) service: Times,
    pub(crate) seed: u64,
}

/// Where calls are from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Trace(PathBuf, TraceOptions),
    Made(MakeOptions),
}

/// Calls in order, with functions as numbers.
#[derive(Debug)]
pub(crate) struct Calls {
    source: Source,
    service: Times,
    seed: u64,
    functions: Vec<Known>,
    numbers: HashMap<String, u32>,
    /// Calls whose duration was not known.
    assumed: u64,
    taken: u64,
}

#[derive(Debug)]
enum Source {
    Stream(Box<Stream>),
    Made(Box<Made>),
}

#[derive(Debug)]
struct Known {
    name: Arc<str>,
    key: u64,
    calls: u64,
}

impl Input {
    /// Before the first call.
    pub(crate) fn open(&self) -> Result<Calls, String> {
        let source = match &self.origin {
            Origin::Trace(path, options) => {
                let stream = Stream::open(path, options.clone());
                Source::Stream(Box::new(stream.map_err(|error| error.to_string())?))
            }
            Origin::Made(options) => Source::Made(Box::new(Made::new(options, self.seed))),
        };
        Ok(Calls {
            source,
            service: self.service.clone(),
            seed: self.seed,
            functions: Vec::new(),
            numbers: HashMap::new(),
            assumed: 0,
            taken: 0,
        })
    }
}

impl Calls {
    /// The next calls, at most so many, in place of what is in `batch`; none after the last one.
    pub(crate) fn read(&mut self, batch: &mut Vec<Arrival>, most: usize) -> Result<(), String> {
        batch.clear();
        while batch.len() < most {
            let call = match &mut self.source {
                Source::Stream(stream) => stream.next_call().map_err(|error| error.to_string())?,
                Source::Made(made) => made.next_call(),
            };
            let Some(call) = call else { break };
            batch.push(self.arrival(&call));
        }
        self.taken += batch.len() as u64;
        Ok(())
    }

    /// The names of the functions that were called so far, by number.
    pub(crate) fn functions(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.functions.iter().map(|known| &known.name)
    }

    /// Calls so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The share of them that were read.
    pub(crate) fn progress(&self) -> f64 {
        match &self.source {
            Source::Stream(stream) => stream.progress(),
            Source::Made(made) => made.progress(),
        }
    }

    /// What was assumed and left out, after the last call.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = match &self.source {
            Source::Stream(stream) => stream.notes(),
            Source::Made(made) => vec![made.note()],
        };
        if self.assumed > 0 {
            notes.push(format!(
                "durations are not known of {} of {} calls: assumed to be {}",
                self.assumed, self.taken, self.service
            ));
        }
        notes
    }

    fn arrival(&mut self, call: &Call) -> Arrival {
        let number = match self.numbers.get(&call.function) {
            Some(number) => *number,
            None => self.meet(&call.function),
        };
        let function = &mut self.functions[number as usize];
        let service = call.duration.unwrap_or_else(|| {
            self.assumed += 1;
            let mut draw = chance::draw(function.key, Purpose::Service, function.calls);
            self.service.sample(&mut draw)
        });
        function.calls += 1;
        Arrival {
            at: Timestamp::ZERO + call.at,
            function: number,
            service,
            start: call.start,
        }
    }

    fn meet(&mut self, name: &str) -> u32 {
        let number = self.functions.len() as u32;
        self.functions.push(Known {
            name: name.into(),
            key: chance::key(self.seed, name),
            calls: 0,
        });
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// A call as a line of a trace that can be read again.
pub(crate) fn line(name: &str, arrival: &Arrival) -> String {
    let seconds = |time: Duration| format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    let start = arrival.start.map(seconds).unwrap_or_default();
    format!(
        "{name},{},{},{start}",
        seconds(arrival.at.since(Timestamp::ZERO)),
        seconds(arrival.service)
    )
}
