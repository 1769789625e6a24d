//! Traces of which function was called when.

use std::time::Duration;

use stoker_traces::{Trace, TraceError, TraceOptions, TraceParser, WithinMinute};

const MOST: usize = 1000;

/// The first byte says how it is read. Calls are in order and no more than were asked for; an error
/// says what is wrong and where.
pub(crate) fn run(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let options = TraceOptions {
        max_calls: MOST,
        from: Duration::from_secs(u64::from(first & 3) * 30),
        length: (first & 4 != 0).then_some(Duration::from_secs(60)),
        within_minute: match first & 24 {
            0 => WithinMinute::Uniform,
            8 => WithinMinute::Start,
            _ => WithinMinute::Poisson,
        },
        ..TraceOptions::default()
    };
    let text = String::from_utf8_lossy(rest);
    let read = parse(&text, options.clone());
    match &read {
        Err(error) => {
            assert!(!error.message.is_empty());
            assert!(error.line <= 1 + text.lines().count() as u64);
        }
        Ok(trace) => {
            assert!(trace.calls.len() <= MOST && !trace.notes.is_empty());
            assert!(trace.calls.is_sorted_by_key(|call| call.at));
            let within = |at| options.length.is_none_or(|length| at < length);
            assert!(trace.calls.iter().all(|call| within(call.at)));
        }
    }
    assert_eq!(read, parse(&text, options));
}

fn parse(text: &str, options: TraceOptions) -> Result<Trace, TraceError> {
    let mut parser = TraceParser::new(options);
    for line in text.lines() {
        parser.line(line)?;
    }
    parser.finish()
}
