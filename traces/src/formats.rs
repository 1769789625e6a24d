//! What the lines of the known formats mean.

use std::time::Duration;

use crate::random::Random;
use crate::row::{Column, Row};
use crate::stream::MinuteCounts;
use crate::{HASH_DIGITS, MAX_SECONDS, TraceError, TraceOptions, TraceParser, WithinMinute, time};

pub(super) const EXPECTED: &str = "known are 'function,arrival,duration,start', \
     'at_s,function,duration_ms', 'app,func,end_timestamp,duration' (Azure 2021), 'HashOwner,HashApp,HashFunction,Trigger,1,2,...' \
     (Azure 2019) and 'TIMESTAMP,ContextTokens,GeneratedTokens' (Azure LLM 2023)";

const MINUTE_S: f64 = 60.0;

/// More calls of one function in a minute are taken for a fault.
const MAX_PER_MINUTE: f64 = 1e8;

/// A format and where its columns are.
#[derive(Debug)]
pub(super) enum Format {
    Own {
        at: Column,
        function: Column,
        duration: Option<Column>,
        start: Option<Column>,
        /// Of one unit of the duration, in seconds.
        unit_s: f64,
    },
    Azure2021 {
        app: Column,
        function: Column,
        end: Column,
        duration: Column,
    },
    Azure2019 {
        app: Column,
        function: Column,
        /// Counted from 1, as the headings do.
        minutes: Vec<(u32, Column)>,
    },
    Llm2023 {
        at: Column,
        generated: Column,
        /// The first request's time, in seconds and nanoseconds since 1970.
        first: Option<(i64, u32)>,
    },
}

impl Format {
    /// True if it counts calls by the minute.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Format::Azure2019 { .. })
    }

    /// By the headings.
    pub(super) fn of(headings: &[&str], line: u64) -> Result<Self, TraceError> {
        let find = |name: &str| {
            let index = headings
                .iter()
                .position(|one| one.eq_ignore_ascii_case(name))?;
            let name = headings[index].to_owned();
            Some(Column { name, index })
        };
        if let Some(function) = find("function") {
            for (at, duration, unit_s) in
                [("arrival", "duration", 1.0), ("at_s", "duration_ms", 1e-3)]
            {
                if let Some(at) = find(at) {
                    return Ok(Format::Own {
                        at,
                        function,
                        duration: find(duration),
                        start: find("start"),
                        unit_s,
                    });
                }
            }
        }
        if let (Some(app), Some(function), Some(end), Some(duration)) = (
            find("app"),
            find("func"),
            find("end_timestamp"),
            find("duration"),
        ) {
            return Ok(Format::Azure2021 {
                app,
                function,
                end,
                duration,
            });
        }
        if let (Some(app), Some(function)) = (find("HashApp"), find("HashFunction")) {
            let minutes: Vec<_> = (1..=1440)
                .filter_map(|minute: u32| Some((minute, find(&minute.to_string())?)))
                .collect();
            if minutes.is_empty() {
                let message = "there are no columns 1 to 1440: this is another file of the 2019 \
                               trace than the one of the invocations";
                return Err(TraceError::new(line, "", message));
            }
            return Ok(Format::Azure2019 {
                app,
                function,
                minutes,
            });
        }
        if let (Some(at), Some(generated)) = (find("TIMESTAMP"), find("GeneratedTokens")) {
            let first = None;
            return Ok(Format::Llm2023 {
                at,
                generated,
                first,
            });
        }
        let shown: String = headings.join(",").chars().take(80).collect();
        let message = format!("{shown:?} are the headings of no format: {EXPECTED}");
        Err(TraceError::new(line, "", message))
    }

    pub(super) fn row(&mut self, row: &Row<'_>, out: &mut TraceParser) -> Result<(), TraceError> {
        match self {
            Format::Own {
                at,
                function,
                duration,
                start,
                unit_s,
            } => {
                let at_s = row.number(at, 1.0)?;
                if at_s < 0.0 {
                    return Err(row.fault(at, format!("{at_s} s is before the trace begins, at 0")));
                }
                let name = row.text(function)?;
                if name.is_empty() {
                    return Err(row.fault(function, "the function has no name".to_owned()));
                }
                let duration = row.optional_duration(duration.as_ref(), *unit_s)?;
                let start = row.optional_duration(start.as_ref(), 1.0)?;
                out.call(at_s, name, (duration, start))
            }
            Format::Azure2021 {
                app,
                function,
                end,
                duration,
            } => {
                let name = hashed(row.text(app)?, row.text(function)?);
                let duration = row.duration(duration, 1.0)?;
                let at_s = row.number(end, 1.0)? - duration.as_secs_f64();
                out.call(at_s, &name, (Some(duration), None))
            }
            Format::Azure2019 {
                app,
                function,
                minutes,
            } => {
                let name = hashed(row.text(app)?, row.text(function)?);
                minute_counts(&name, minutes, row, out)
            }
            Format::Llm2023 {
                at,
                generated,
                first,
            } => {
                let text = row.text(at)?;
                let moment = time::parse(text).ok_or_else(|| {
                    let shown: String = text.chars().take(40).collect();
                    let right = "it should be as 2023-11-16 18:17:03.9799600";
                    row.fault(at, format!("{shown:?} is no time: {right}"))
                })?;
                let first = *first.get_or_insert(moment);
                let at_s =
                    (moment.0 - first.0) as f64 + (f64::from(moment.1) - f64::from(first.1)) / 1e9;
                let tokens = row.number(generated, 1.0)?;
                if tokens < 0.0 {
                    return Err(row.fault(generated, format!("{tokens} tokens are less than none")));
                }
                let (base, each) = (out.options.model_base, out.options.model_per_token);
                let more = each.as_secs_f64() * tokens;
                if base.as_secs_f64() + more > MAX_SECONDS {
                    let message = format!("{tokens} tokens would take longer than {MAX_SECONDS} s");
                    return Err(row.fault(generated, message));
                }
                let duration = base + Duration::from_secs_f64(more);
                out.call(at_s, "llm", (Some(duration), None))
            }
        }
    }

    /// What it is and what was assumed.
    pub(super) fn note(&self, options: &TraceOptions) -> String {
        match self {
            Format::Own { start: None, .. } => {
                "trace of functions, arrivals and durations".to_owned()
            }
            Format::Own { .. } => {
                "trace of functions, arrivals, durations and start times".to_owned()
            }
            Format::Azure2021 { .. } => {
                "Azure Functions Invocation Trace 2021: arrivals are ends less durations".to_owned()
            }
            Format::Azure2019 { .. } => {
                let rule = match options.within_minute {
                    WithinMinute::Uniform => "at equal distances".to_owned(),
                    WithinMinute::Poisson => {
                        format!("at random times (Poisson, seed {})", options.seed)
                    }
                    WithinMinute::Start => "at its beginning".to_owned(),
                };
                format!(
                    "Azure Functions Trace 2019: calls of a minute are {rule}, and \
                     have no durations"
                )
            }
            Format::Llm2023 { .. } => format!(
                "Azure LLM Inference Dataset 2023: durations are assumed to be {} ms and {} ms per \
                 generated token",
                options.model_base.as_secs_f64() * 1e3,
                options.model_per_token.as_secs_f64() * 1e3
            ),
        }
    }
}

fn minute_counts(
    name: &str,
    minutes: &[(u32, Column)],
    row: &Row<'_>,
    out: &mut TraceParser,
) -> Result<(), TraceError> {
    let mut counts = Vec::new();
    for (minute, column) in minutes {
        let number = row.number(column, 1.0)?;
        if !(0.0..=MAX_PER_MINUTE).contains(&number) || number.fract() != 0.0 {
            return Err(row.fault(column, format!("{number} is no count of calls")));
        }
        let start_s = f64::from(minute - 1) * MINUTE_S;
        if out.options.is_outside(start_s, MINUTE_S) {
            out.outside += number as u64;
        } else if number > 0.0 {
            counts.push((*minute, number as u32));
        }
    }
    if let Some(all) = &mut out.counts {
        all.push(MinuteCounts {
            name: name.to_owned(),
            counts,
        });
        return Ok(());
    }
    for (minute, count) in counts {
        spread(name, minute, count, out)?;
    }
    Ok(())
}

/// The calls of one function in one minute.
pub(super) fn spread(
    name: &str,
    minute: u32,
    count: u32,
    out: &mut TraceParser,
) -> Result<(), TraceError> {
    let start_s = f64::from(minute - 1) * MINUTE_S;
    // By function and minute, so that what else is in the file or asked for changes nothing.
    let mut random = Random::new(out.options.seed ^ fnv(&format!("{name} {minute}")));
    for index in 0..count {
        let place = match out.options.within_minute {
            WithinMinute::Uniform => f64::from(index) / f64::from(count),
            WithinMinute::Poisson => random.unit(),
            WithinMinute::Start => 0.0,
        };
        out.call(start_s + place * MINUTE_S, name, (None, None))?;
    }
    Ok(())
}

/// A function's name in a trace.
pub(super) fn hashed(app: &str, function: &str) -> String {
    let digits = |text: &str| text.chars().take(HASH_DIGITS).collect::<String>();
    format!("{}-{}", digits(app), digits(function))
}

/// FNV-1a, 64 bits.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
