use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn sample(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    directory.join(name)
}

fn parse(text: &str, options: TraceOptions) -> Result<Trace, TraceError> {
    let mut parser = TraceParser::new(options);
    for line in text.lines() {
        parser.line(line)?;
    }
    parser.finish()
}

/// Milliseconds, name and milliseconds that it took.
fn shown(trace: &Trace) -> Vec<(f64, &str, Option<f64>)> {
    let ms = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    let calls = trace.calls.iter();
    calls
        .map(|call| (ms(call.at), call.function.as_str(), call.duration.map(ms)))
        .collect()
}

#[test]
fn our_own_format_is_read() {
    let trace = read(&sample("own.csv")).unwrap();
    assert_eq!(
        shown(&trace),
        [
            (0.0, "resize", None),
            (250.0, "hello", Some(3.0)),
            (500.0, "hello", Some(12.5)),
        ]
    );
    let columns = "duration_ms,what,function,at_s\n1,x,\"f\",2\n";
    let other = parse(columns, TraceOptions::default()).unwrap();
    assert_eq!(shown(&other), [(2000.0, "f", Some(1.0))]);
}

#[test]
fn the_trace_of_2021_is_read() {
    let trace = read(&sample("azure2021.csv")).unwrap();
    let all = shown(&trace);
    assert_eq!(all.len(), 5);
    assert_eq!(all[0], (1.491, "7b2c43a2bc30-e3cdb48830f6", Some(78.0)));
    assert!(all.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}

#[test]
fn the_trace_of_2019_is_spread_by_its_rule() {
    let read = |within_minute, seed| {
        let options = TraceOptions {
            within_minute,
            seed,
            ..TraceOptions::default()
        };
        read_with(&sample("azure2019.csv"), options).unwrap()
    };
    let uniform = read(WithinMinute::Uniform, 1);
    let seconds =
        |trace: &Trace| -> Vec<u64> { trace.calls.iter().map(|call| call.at.as_secs()).collect() };
    let all = seconds(&uniform);
    assert_eq!(all.len(), 20);
    assert_eq!(all[..6], [0, 12, 24, 36, 48, 60]);
    assert_eq!(uniform.calls[0].function, "68baea05aa0c-c13acdc7567b");
    let start = seconds(&read(WithinMinute::Start, 1));
    assert_eq!(start[..6], [0, 0, 0, 0, 0, 60]);
    let poisson = read(WithinMinute::Poisson, 1);
    assert_eq!(poisson, read(WithinMinute::Poisson, 1));
    assert_ne!(poisson.calls, read(WithinMinute::Poisson, 2).calls);
    for minute in 0..4 {
        let within = seconds(&poisson);
        let within = within.iter().filter(|second| *second / 60 == minute);
        assert_eq!(within.count(), 5);
    }
    assert!(
        poisson.notes[0].contains("Poisson, seed 1"),
        "{:?}",
        poisson.notes
    );
}

#[test]
fn the_trace_of_language_models_is_read() {
    let trace = read(&sample("azure-llm-2023.csv")).unwrap();
    let all = shown(&trace);
    assert_eq!(all[0], (0.0, "llm", Some(170.0)));
    // 18:17:04.0319600 less 18:17:03.9799600; 8 tokens.
    assert_eq!(all[1], (52.0, "llm", Some(140.0)));
    assert!(trace.notes[0].contains("20 ms and 15 ms per generated token"));
}

#[test]
fn a_part_can_be_asked_for() {
    let options = TraceOptions {
        from: Duration::from_secs(60),
        length: Some(Duration::from_secs(60)),
        within_minute: WithinMinute::Uniform,
        ..TraceOptions::default()
    };
    let trace = read_with(&sample("azure2019.csv"), options).unwrap();
    let seconds: Vec<u64> = trace.calls.iter().map(|call| call.at.as_secs()).collect();
    assert_eq!(seconds, [0, 12, 24, 36, 48]);
    let wanted = "outside of the part that was asked for: 15 of the calls";
    assert!(
        trace.notes.contains(&wanted.to_owned()),
        "{:?}",
        trace.notes
    );
}

#[test]
fn calls_before_the_trace_begin_with_it() {
    let trace = parse(
        "app,func,end_timestamp,duration\na,f,1,3\na,f,5,1\n",
        TraceOptions::default(),
    );
    let trace = trace.unwrap();
    assert_eq!(
        shown(&trace),
        [(0.0, "a-f", Some(3000.0)), (4000.0, "a-f", Some(1000.0))]
    );
    assert_eq!(
        trace.notes[1],
        "begun before the trace, so taken to begin with it: 1 of the calls"
    );
}

#[test]
fn faults_say_where_they_are() {
    for (text, wanted) in [
        (
            "",
            "trace: there is no line of headings: known are 'function,arrival,duration,start', ",
        ),
        (
            "a,b\n",
            "trace, line 1: \"a,b\" are the headings of no format: known are ",
        ),
        (
            "# x\nat_s,function,duration_ms\n1,f,2\none,f,2\n",
            "trace, line 4, column at_s: \"one\" is no number of the size that a trace has",
        ),
        (
            "at_s,function\n-1,f\n",
            "trace, line 2, column at_s: -1 s is before the trace begins, at 0",
        ),
        (
            "at_s,function\nNaN,f\n",
            "trace, line 2, column at_s: \"NaN\" is no number",
        ),
        (
            "at_s,function\n1e300,f\n",
            "trace, line 2, column at_s: \"1e300\" is no number",
        ),
        (
            "at_s,function\n1\n",
            "trace, line 2, column function: the line ends before it, after 1 fields",
        ),
        (
            "at_s,function\n1,\n",
            "trace, line 2, column function: the function has no name",
        ),
        (
            "app,func,end_timestamp,duration\na,f,1,-2\n",
            "trace, line 2, column duration: -2 s is no duration: it is negative",
        ),
        (
            "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,3,0.5\n",
            "trace, line 2, column 2: 0.5 is no count of calls",
        ),
        (
            "HashOwner,HashApp,HashFunction,Average,Count\n",
            "trace, line 1: there are no columns 1 to 1440: this is another file of the 2019 trace",
        ),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2\n",
            "trace, line 2, column TIMESTAMP: \"yesterday\" is no time: it should be as 2023-11-16",
        ),
    ] {
        let error = parse(text, TraceOptions::default())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(wanted), "{error}");
    }
    let error = read(Path::new("/nonexistent.csv")).unwrap_err().to_string();
    assert!(
        error.starts_with("/nonexistent.csv: cannot be read: "),
        "{error}"
    );
}

#[test]
fn calls_are_bounded() {
    let options = TraceOptions {
        max_calls: 2,
        ..TraceOptions::default()
    };
    let error = read_with(&sample("own.csv"), options)
        .unwrap_err()
        .to_string();
    let wanted =
        "own.csv, line 5: the trace has more than 2 calls: ask for a part of it, or for more";
    assert!(error.ends_with(wanted), "{error}");
    let counts = "HashOwner,HashApp,HashFunction,Trigger,1\no,a,f,http,90000000\n";
    let error = parse(
        counts,
        TraceOptions {
            max_calls: 10,
            ..TraceOptions::default()
        },
    );
    assert!(error.is_err());
}

#[test]
fn no_request_to_a_model_takes_longer_than_a_call_can() {
    let options = TraceOptions {
        model_per_token: Duration::from_secs(86_400),
        ..TraceOptions::default()
    };
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,";
    assert!(parse(&format!("{text}1000"), options.clone()).is_ok());
    let error = parse(&format!("{text}1e9"), options).unwrap_err();
    assert_eq!((error.line, &*error.column), (2, "GeneratedTokens"));
}

proptest! {
    #[test]
    fn nothing_panics(
        headings in prop::sample::select(vec![
            "at_s,function,duration_ms",
            "app,func,end_timestamp,duration",
            "HashOwner,HashApp,HashFunction,Trigger,1,2",
            "TIMESTAMP,ContextTokens,GeneratedTokens",
        ]),
        rows in prop::collection::vec(
            prop_oneof![
                "\\PC{0,40}",
                "[0-9e.,:\\- T]{0,40}",
                "2023-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}.[0-9]{0,9},[0-9]{1,3},-?[0-9e]{1,6}",
                "a,b,-?[0-9]{1,12},[0-9.e]{1,8}",
            ],
            0..4,
        ),
    ) {
        let text = format!("{headings}\n{}", rows.join("\n"));
        let options = TraceOptions { max_calls: 1000, ..TraceOptions::default() };
        if let Ok(trace) = parse(&text, options) {
            prop_assert!(trace.calls.windows(2).all(|pair| pair[0].at <= pair[1].at));
        }
    }
}
