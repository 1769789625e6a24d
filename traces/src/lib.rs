//! Readers of traces: when which function was called.
//!
//! The format is found by the line of headings:
//!
//! | headings | what |
//! |---|---|
//! | `function,arrival,duration,start` | what is recorded: seconds; the last two may be empty or missing |
//! | `at_s,function,duration_ms` | the same in other units, without starts; the duration may be empty |
//! | `app,func,end_timestamp,duration` | Azure Functions Invocation Trace 2021, seconds |
//! | `HashOwner,HashApp,HashFunction,Trigger,1,2,...` | Azure Functions Trace 2019, calls per minute |
//! | `TIMESTAMP,ContextTokens,GeneratedTokens` | Azure LLM Inference Dataset 2023 |
//!
//! Columns are found by their headings, others are passed over, and so are empty lines and those that
//! begin with `#`.

#![forbid(unsafe_code)]

mod formats;
mod lines;
mod profile;
pub mod random;
mod row;
mod stream;
mod time;

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::Duration;

use formats::Format;
use lines::Lines;
pub use profile::{Quantiles, azure2019_durations, azure2019_memory};
use row::{Row, unquoted};
pub use stream::Stream;

/// The longest line that is read, bytes; one of the 2019 trace has about 10 KiB.
const MAX_LINE_BYTES: u64 = 256 * 1024;

/// Digits of a hash that a name has: two of them are 96 bits.
const HASH_DIGITS: usize = 12;

/// Times from here on, seconds, are refused: about 30 years.
const MAX_SECONDS: f64 = 1e9;

/// Calls in the order of their times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Sorted by `at`.
    pub calls: Vec<Call>,
    /// What a reader of results must know: what was assumed and left out.
    pub notes: Vec<String>,
}

/// One call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Since the beginning of the trace, or of the part of it that was asked for.
    pub at: Duration,
    /// Its name; of the Azure traces, the first digits of the app's and of the function's hash.
    pub function: String,
    /// How long it took, if the trace tells.
    pub duration: Option<Duration>,
    /// How long the start took that it caused, if the trace tells.
    pub start: Option<Duration>,
}

/// How calls are spread over a minute of which only their number is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithinMinute {
    /// At equal distances.
    Uniform,
    /// At random times, independent of each other: a Poisson process, given its count.
    #[default]
    Poisson,
    /// All at the minute's beginning.
    Start,
}

/// How a trace is read.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceOptions {
    /// More calls are an error.
    pub max_calls: usize,
    /// Where the part that is wanted begins.
    pub from: Duration,
    /// How long the part that is wanted is; all that follows if none.
    pub length: Option<Duration>,
    /// The rule for traces that count by the minute.
    pub within_minute: WithinMinute,
    /// Equal seeds give equal times within the minutes.
    pub seed: u64,
    /// What a request to a language model takes besides its tokens.
    pub model_base: Duration,
    /// What a request to a language model takes for each token that it generates.
    pub model_per_token: Duration,
}

impl Default for TraceOptions {
    fn default() -> Self {
        TraceOptions {
            max_calls: 1_000_000,
            from: Duration::ZERO,
            length: None,
            within_minute: WithinMinute::default(),
            seed: 1,
            model_base: Duration::from_millis(20),
            model_per_token: Duration::from_millis(15),
        }
    }
}

impl TraceOptions {
    /// True if nothing of the time that begins there is in the part that is wanted.
    fn is_outside(&self, start_s: f64, length_s: f64) -> bool {
        let from_s = self.from.as_secs_f64();
        let length = self
            .length
            .map_or(f64::INFINITY, |length| length.as_secs_f64());
        start_s + length_s <= from_s || start_s >= from_s + length
    }
}

/// Why a trace cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// The file, as it was named; empty if the text came from elsewhere.
    pub file: String,
    /// Counted from 1; 0 if it is about the whole file.
    pub line: u64,
    /// The heading of the column, empty if it is about the whole line.
    pub column: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl TraceError {
    fn new(line: u64, column: &str, message: impl Into<String>) -> Self {
        TraceError {
            file: String::new(),
            line,
            column: column.to_owned(),
            message: message.into(),
        }
    }
}

impl Display for TraceError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.file.as_str() {
            "" => f.write_str("trace")?,
            file => f.write_str(file)?,
        }
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for TraceError {}

/// Reads a file with the default options.
pub fn read(path: &Path) -> Result<Trace, TraceError> {
    read_with(path, TraceOptions::default())
}

/// Reads a file line by line.
pub fn read_with(path: &Path, options: TraceOptions) -> Result<Trace, TraceError> {
    let mut lines = Lines::open(path)?;
    let mut parser = TraceParser::new(options);
    while lines.next()? {
        let read = parser.line(&lines.text());
        read.map_err(|error| lines.named(error))?;
    }
    parser.finish().map_err(|error| lines.named(error))
}

/// Takes a trace line by line; it neither reads nor waits.
#[derive(Debug)]
pub struct TraceParser {
    options: TraceOptions,
    line: u64,
    format: Option<Format>,
    calls: Vec<Call>,
    /// Calls outside of the part that is wanted.
    outside: u64,
    /// Calls that would have been before the trace's beginning.
    early: u64,
    /// Where counts of calls are gathered in place of the calls, if they are.
    counts: Option<Vec<stream::MinuteCounts>>,
}

impl TraceParser {
    /// Before the first line.
    pub fn new(options: TraceOptions) -> Self {
        TraceParser {
            options,
            line: 0,
            format: None,
            calls: Vec::new(),
            outside: 0,
            early: 0,
            counts: None,
        }
    }

    /// Takes the next line, with or without its end.
    pub fn line(&mut self, text: &str) -> Result<(), TraceError> {
        self.line += 1;
        if text.len() as u64 > MAX_LINE_BYTES {
            let message = format!("the line has more than {MAX_LINE_BYTES} bytes");
            return Err(TraceError::new(self.line, "", message));
        }
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let fields: Vec<&str> = text.split(',').map(unquoted).collect();
        let Some(mut format) = self.format.take() else {
            self.format = Some(Format::of(&fields, self.line)?);
            return Ok(());
        };
        let taken = format.row(
            &Row {
                fields: &fields,
                line: self.line,
            },
            self,
        );
        self.format = Some(format);
        taken
    }

    /// After the last line.
    pub fn finish(mut self) -> Result<Trace, TraceError> {
        let Some(format) = self.format.take() else {
            let message = format!("there is no line of headings: {}", formats::EXPECTED);
            return Err(TraceError::new(0, "", message));
        };
        // Stable, so that calls at the same time stay in the order of the file.
        self.calls.sort_by_key(|call| call.at);
        let notes = self.notes(&format);
        Ok(Trace {
            calls: self.calls,
            notes,
        })
    }

    /// What was assumed and left out.
    fn notes(&self, format: &Format) -> Vec<String> {
        let mut notes = vec![format.note(&self.options)];
        if self.early > 0 {
            notes.push(format!(
                "begun before the trace, so taken to begin with it: {} of the calls",
                self.early
            ));
        }
        if self.outside > 0 {
            notes.push(format!(
                "outside of the part that was asked for: {} of the calls",
                self.outside
            ));
        }
        notes
    }

    /// Takes a call that began so many seconds after the trace.
    fn call(
        &mut self,
        at_s: f64,
        function: &str,
        (duration, start): (Option<Duration>, Option<Duration>),
    ) -> Result<(), TraceError> {
        if at_s < 0.0 {
            self.early += 1;
        }
        let at = Duration::from_secs_f64(at_s.clamp(0.0, MAX_SECONDS));
        let at = at.checked_sub(self.options.from);
        let length = self.options.length.unwrap_or(Duration::MAX);
        let Some(at) = at.filter(|at| *at < length) else {
            self.outside += 1;
            return Ok(());
        };
        if self.calls.len() >= self.options.max_calls {
            let message = format!(
                "the trace has more than {} calls: ask for a part of it, or for more",
                self.options.max_calls
            );
            return Err(TraceError::new(self.line, "", message));
        }
        self.calls.push(Call {
            at,
            function: function.to_owned(),
            duration,
            start,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
