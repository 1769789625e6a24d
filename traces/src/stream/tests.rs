use std::path::PathBuf;

use super::*;
use crate::{WithinMinute, read_with};

fn sample(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    directory.join(name)
}

fn all(path: &Path, options: TraceOptions) -> (Vec<Call>, Vec<String>) {
    let mut stream = Stream::open(path, options).unwrap();
    let mut calls = Vec::new();
    while let Some(call) = stream.next_call().unwrap() {
        calls.push(call);
    }
    assert!((stream.progress() - 1.0).abs() < 1e-9);
    (calls, stream.notes())
}

/// Call by call it is the same trace, whatever the format and whatever is left out.
#[test]
fn a_stream_is_what_is_read_at_once() {
    for name in [
        "own.csv",
        "record.csv",
        "azure2019.csv",
        "azure2021.csv",
        "azure-llm-2023.csv",
    ] {
        for (from, length) in [(0, None), (60, Some(60)), (1, Some(100_000))] {
            for within_minute in [WithinMinute::Poisson, WithinMinute::Start] {
                let options = TraceOptions {
                    from: Duration::from_secs(from),
                    length: length.map(Duration::from_secs),
                    within_minute,
                    ..TraceOptions::default()
                };
                let trace = read_with(&sample(name), options.clone()).unwrap();
                let (mut calls, notes) = all(&sample(name), options);
                assert_eq!(notes, trace.notes, "{name}");
                let mut wanted = trace.calls;
                // Calls of a minute that begin together come by function here, in the other by line.
                let key = |call: &Call| (call.at, call.function.clone(), call.duration);
                calls.sort_by_key(key);
                wanted.sort_by_key(key);
                assert_eq!(calls, wanted, "{name}");
            }
        }
    }
}

#[test]
fn a_file_out_of_order_comes_in_order() {
    let directory = std::env::temp_dir().join(format!("stoker-stream-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("trace.csv");
    let mut text = "function,arrival,duration\n".to_owned();
    for index in 0..1000_u64 {
        text.push_str(&format!("f,{},1\n", (index * 7919) % 1000));
    }
    std::fs::write(&path, text).unwrap();
    let (calls, _) = all(&path, TraceOptions::default());
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(calls.len(), 1000);
    assert!(calls.windows(2).all(|pair| pair[0].at < pair[1].at));
}

/// A pipe would be empty the second time, and a directory has no lines.
#[test]
fn what_can_be_read_only_once_is_refused() {
    use std::os::fd::AsRawFd;

    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = format!("/proc/self/fd/{}", reader.as_raw_fd());
    for path in [pipe, std::env::temp_dir().display().to_string()] {
        let error = Stream::open(Path::new(&path), TraceOptions::default()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("{path}: is no regular file")),
            "{text}"
        );
    }
}

/// However many calls a count stands for, there is no memory for more of them than the bound.
#[test]
fn a_minute_has_a_bound() {
    let directory = std::env::temp_dir().join(format!("stoker-minute-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("trace.csv");
    let text = "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,3,100000000\n";
    std::fs::write(&path, text).unwrap();
    let mut stream = Stream::open(&path, TraceOptions::default()).unwrap();
    for _ in 0..3 {
        assert!(stream.next_call().unwrap().is_some());
    }
    let error = stream.next_call().unwrap_err().to_string();
    std::fs::remove_dir_all(&directory).unwrap();
    let wanted = format!("{}, column 2: more than 4000000 calls", path.display());
    assert!(error.starts_with(&wanted), "{error}");
}

#[test]
fn what_is_no_trace_is_refused() {
    let error = Stream::open(Path::new("/nonexistent.csv"), TraceOptions::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nonexistent.csv: cannot be read: ")
    );
}
