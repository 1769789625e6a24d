//! Where the calls of a replay come from.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::Timestamp;
use stoker_traces::{Stream, TraceOptions};

use crate::chance::{self, Purpose};
use crate::make::{Made, MakeOptions};
use crate::{Arrival, Times};

/// The calls of a replay, which can be opened again and again.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) origin: Origin,
    /// How long calls of these functions take, where the trace does not tell.
    pub(crate) services: Arc<HashMap<String, Times>>,
    /// How long all other calls take whose duration is not known.
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
    services: Arc<HashMap<String, Times>>,
    service: Times,
    seed: u64,
    functions: Vec<Known>,
    numbers: HashMap<String, u32>,
    /// Calls whose duration was drawn from what is known of their function.
    drawn: u64,
    /// Calls whose duration was not known.
    assumed: u64,
    taken: u64,
}

#[derive(Debug)]
enum Source {
    Stream(Box<Stream>),
    /// And the number of each of its functions that was called so far.
    Made(Box<Made>, Vec<Option<u32>>),
}

#[derive(Debug)]
struct Known {
    name: Arc<str>,
    key: u64,
    /// How long it takes, if that is known.
    service: Option<Times>,
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
            Origin::Made(options) => {
                let made = Made::new(options, self.seed);
                Source::Made(Box::new(made), vec![None; options.functions as usize])
            }
        };
        Ok(Calls {
            source,
            services: Arc::clone(&self.services),
            service: self.service.clone(),
            seed: self.seed,
            functions: Vec::new(),
            numbers: HashMap::new(),
            drawn: 0,
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
            let Some(arrival) = self.next_arrival()? else {
                break;
            };
            batch.push(arrival);
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
            Source::Made(made, _) => made.progress(),
        }
    }

    /// What was assumed and left out, after the last call.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = match &self.source {
            Source::Stream(stream) => stream.notes(),
            Source::Made(made, _) => vec![made.note()],
        };
        if self.drawn > 0 {
            notes.push(format!(
                "durations of {} of {} calls are drawn between the percentiles of their function",
                self.drawn, self.taken
            ));
        }
        if self.assumed > 0 {
            notes.push(format!(
                "durations are not known of {} of {} calls: assumed to be {}",
                self.assumed, self.taken, self.service
            ));
        }
        notes
    }

    fn next_arrival(&mut self) -> Result<Option<Arrival>, String> {
        let (number, call) = match &mut self.source {
            Source::Stream(stream) => {
                let call = stream.next_call().map_err(|error| error.to_string())?;
                let Some(call) = call else { return Ok(None) };
                let number = match self.numbers.get(&call.function) {
                    Some(number) => *number,
                    None => self.meet(&call.function),
                };
                (number, (call.at, call.duration, call.start))
            }
            Source::Made(made, numbers) => {
                let Some((at, index)) = made.next_call() else {
                    return Ok(None);
                };
                let number = match numbers[index] {
                    Some(number) => number,
                    None => {
                        let number = self.functions.len() as u32;
                        numbers[index] = Some(number);
                        let name = made.name(index).to_owned();
                        self.meet(&name)
                    }
                };
                (number, (at, None, None))
            }
        };
        Ok(Some(self.arrival(number, call)))
    }

    fn arrival(
        &mut self,
        number: u32,
        (at, duration, start): (Duration, Option<Duration>, Option<Duration>),
    ) -> Arrival {
        let function = &mut self.functions[number as usize];
        let service = duration.unwrap_or_else(|| {
            let mut draw = chance::draw(function.key, Purpose::Service, function.calls);
            match &function.service {
                Some(known) => {
                    self.drawn += 1;
                    known.sample(&mut draw)
                }
                None => {
                    self.assumed += 1;
                    self.service.sample(&mut draw)
                }
            }
        });
        function.calls += 1;
        Arrival {
            at: Timestamp::ZERO + at,
            function: number,
            service,
            start,
        }
    }

    fn meet(&mut self, name: &str) -> u32 {
        let number = self.functions.len() as u32;
        self.functions.push(Known {
            name: name.into(),
            key: chance::key(self.seed, name),
            service: self.services.get(name).cloned(),
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
