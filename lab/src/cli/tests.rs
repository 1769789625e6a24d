use std::fs;
use std::path::PathBuf;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

/// A directory of its own, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stoker-lab-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn trace(name: &str) -> String {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/tests/traces");
    traces.join(name).display().to_string()
}

fn arguments(words: &[&str]) -> Arguments {
    let words = ["simulate", "--quiet"].iter().chain(words);
    Command::try_parse_from(words).unwrap().arguments
}

/// The JSON document of a command line.
fn json(scratch: &Scratch, words: &[&str]) -> String {
    let file = scratch.path("out.json");
    simulate(&arguments(&[words, &["--json", &file]].concat())).unwrap();
    fs::read_to_string(file).unwrap()
}

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn a_trace_without_calls_is_an_error() {
    let scratch = Scratch::new("empty");
    let empty = scratch.path("empty.csv");
    fs::write(&empty, "function,arrival\n").unwrap();
    let error = simulate(&arguments(&[&empty])).unwrap_err();
    assert_eq!(error, "there are no calls to replay");
}

#[test]
fn equal_input_and_seed_give_equal_bytes() {
    let scratch = Scratch::new("bytes");
    let words = [
        &trace("azure2021.csv"),
        "--policy",
        "kpa",
        "--policy",
        "on-arrival,idle=10s",
        "--start-time",
        "quantiles(5ms,20ms,300ms)",
        // By default it depends on the machine.
        "--starts-at-once",
        "8",
    ];
    let first = json(&scratch, &words);
    for jobs in ["1", "2", "7"] {
        assert_eq!(
            json(&scratch, &[&words[..], &["--jobs", jobs]].concat()),
            first
        );
    }
    let other = json(&scratch, &[&words[..], &["--seed", "2"]].concat());
    assert_ne!(other, first);
    // A new value means that replays are not what they were: state why where you change it.
    assert_eq!(format!("{:016x}", fnv(&first)), "6c42b885017a7eb2");
}

#[test]
fn every_format_is_replayed() {
    let scratch = Scratch::new("formats");
    for (name, calls) in [
        ("own.csv", 3),
        ("record.csv", 4),
        ("azure2019.csv", 20),
        ("azure2021.csv", 5),
        ("azure-llm-2023.csv", 5),
    ] {
        let text = json(&scratch, &[&trace(name)]);
        let outcome: serde_json::Value = serde_json::from_str(&text).unwrap();
        let report = &outcome["policies"][0]["report"];
        assert_eq!(report["calls"], calls, "{name}");
        assert_eq!(report["served"], calls, "{name}");
    }
}

#[test]
fn durations_and_memory_of_the_2019_trace_are_those_of_its_functions() {
    let scratch = Scratch::new("profiles");
    let (durations, memory) = (scratch.path("durations.csv"), scratch.path("memory.csv"));
    let app = "68baea05aa0c3619b6feb78c80a07e27e4e68f921d714b8125f916c3b3370bf2";
    let function = "c13acdc7567b225971cef2416a3a2b03c8a4d8d154df48afe75834e2f5c59ddf";
    let headings = "HashApp,HashFunction,percentile_Average_0,percentile_Average_100";
    fs::write(
        &durations,
        format!("{headings}\n{app},{function},200,300\n"),
    )
    .unwrap();
    fs::write(&memory, format!("HashApp,AverageAllocatedMb\n{app},512\n")).unwrap();
    let csv = scratch.path("written.csv");
    let words = [&trace("azure2019.csv"), "--durations", &durations];
    simulate(&arguments(&[&words[..], &["--write", &csv]].concat())).unwrap();
    let written = fs::read_to_string(&csv).unwrap();
    let times = written.lines().skip(1).map(|line| {
        let seconds = line.split(',').nth(2).unwrap();
        seconds.parse::<f64>().unwrap()
    });
    let times: Vec<f64> = times.collect();
    assert_eq!(times.len(), 20);
    assert!(
        times.iter().all(|time| (0.2..0.3).contains(time)),
        "{times:?}"
    );
    assert!(times.iter().any(|time| *time != times[0]));

    let gigabytes = |words: &[&str]| -> f64 {
        let found: serde_json::Value = serde_json::from_str(&json(&scratch, words)).unwrap();
        let report = &found["policies"][0]["report"];
        report["gb_seconds"].as_f64().unwrap() / report["instance_seconds"].as_f64().unwrap()
    };
    assert!((gigabytes(&words) - 0.134).abs() < 0.001);
    let with_memory = [&words[..], &["--memory-file", &memory]].concat();
    assert!((gigabytes(&with_memory) - 0.537).abs() < 0.001);
}

/// Starts of 20.5 and 19 ms are in the file, of `resize` there is none.
#[test]
fn recorded_start_times_count() {
    let scratch = Scratch::new("starts");
    let words = [
        &trace("record.csv"),
        "--policy",
        "on-arrival,idle=10s",
        "--start-time",
        "1s",
    ];
    let outcome: serde_json::Value = serde_json::from_str(&json(&scratch, &words)).unwrap();
    let report = &outcome["policies"][0]["report"];
    assert_eq!(report["starts"], 3);
    let mean = report["wait"]["mean"].as_f64().unwrap();
    assert!((mean - (0.0205 + 1.0 + 0.019) / 4.0).abs() < 1e-6, "{mean}");
}

#[test]
fn what_is_made_can_be_written_and_read() {
    let scratch = Scratch::new("made");
    for kind in ["steady", "diurnal", "timers"] {
        let made = [
            "--make",
            kind,
            "--length",
            "2h",
            "--rate",
            "1",
            "--policy",
            "on-arrival",
        ];
        let csv = scratch.path("made.csv");
        assert!(simulate(&arguments(&[&made[..], &["--write", &csv]].concat())).unwrap());
        let report = |text: &str| {
            let outcome: serde_json::Value = serde_json::from_str(text).unwrap();
            outcome["policies"][0]["report"].clone()
        };
        let direct = report(&json(&scratch, &made));
        let read = report(&json(&scratch, &[&csv, "--policy", "on-arrival"]));
        assert!(direct["calls"].as_u64() > Some(20), "{kind}");
        assert_eq!(direct, read, "{kind}");
    }
}

#[test]
fn a_goal_is_met_for_the_least_cost() {
    let scratch = Scratch::new("goal");
    let manifest = scratch.path("function.toml");
    fs::write(
        &manifest,
        "command = [\"true\"]\nname = \"f\"\n[scaling]\nidle-timeout = \"30m\"\n",
    )
    .unwrap();
    let words = [
        "--make",
        "steady",
        "--length",
        "1h",
        "--functions",
        "1",
        "--manifest",
        &manifest,
        "--goal",
        "wait.p99<=10ms and refused<=0%",
    ];
    let outcome: serde_json::Value = serde_json::from_str(&json(&scratch, &words)).unwrap();
    let met = |entry: &&serde_json::Value| {
        let report = &entry["report"];
        report["wait"]["p99"]
            .as_f64()
            .is_some_and(|wait| wait <= 0.01)
            && report["refused"] == 0
    };
    let cost = |entry: &serde_json::Value| entry["report"]["instance_seconds"].as_f64().unwrap();
    let all = outcome["policies"].as_array().unwrap();
    let least = all
        .iter()
        .filter(met)
        .map(cost)
        .fold(f64::INFINITY, f64::min);
    let named = &outcome["goal"]["policy"];
    let answer = all.iter().find(|entry| entry["policy"] == *named).unwrap();
    assert!(met(&answer) && (cost(answer) - least).abs() < 1e-9);
    // Cheaper than what the manifest says.
    assert!(cost(answer) < cost(&all[0]));
    let diff = outcome["goal"]["manifest"].as_str().unwrap();
    assert!(
        diff.contains("\n-idle-timeout = \"30m\"\n+idle-timeout = \""),
        "{diff}"
    );
    let impossible = arguments(&["--make", "timers", "--length", "1h", "--goal", "starts<1"]);
    assert!(!simulate(&impossible).unwrap());
}

#[test]
fn functions_of_a_gateway_have_their_own_settings() {
    let scratch = Scratch::new("gateway");
    for (name, idle) in [("hello", "1s"), ("resize", "10m")] {
        let directory = scratch.0.join("functions").join(name);
        fs::create_dir_all(&directory).unwrap();
        let text = format!("command = [\"true\"]\n[scaling]\nidle-timeout = \"{idle}\"\n");
        fs::write(directory.join("function.toml"), text).unwrap();
    }
    let gateway = scratch.path("stoker.toml");
    fs::write(&gateway, "functions = [\"functions/*\"]\n").unwrap();
    let text = json(&scratch, &[&trace("record.csv"), "--gateway", &gateway]);
    let outcome: serde_json::Value = serde_json::from_str(&text).unwrap();
    let report = &outcome["policies"][0]["report"];
    // `hello` twice for 1 s after its calls, `resize` until 10 minutes after 1.77 s.
    let alive = report["instance_seconds"].as_f64().unwrap();
    let hello = (0.504 + 1.01) + (0.019 + 0.005 + 1.01);
    let resize = 0.02 + 1.5 + 600.01;
    assert!((alive - hello - resize).abs() < 1e-6, "{alive}");
}

#[test]
fn the_page_is_well_formed_and_complete() {
    let scratch = Scratch::new("page");
    let html = scratch.path("page.html");
    let words = [
        &trace("azure2021.csv"),
        "--policy",
        "kpa",
        "--sweep",
        "idle=1s..1m",
        "--goal",
        "wait.p99<=30s",
        "--html",
        &html,
    ];
    simulate(&arguments(&words)).unwrap();
    let text = fs::read_to_string(html).unwrap();
    let body = text.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let page = roxmltree::Document::parse(body).unwrap();
    let headings: Vec<_> = page
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/1999/xhtml", "h2")))
        .filter_map(|node| node.text())
        .collect();
    assert_eq!(
        headings,
        [
            "wait.p99<=30s",
            "Wait against cost",
            "Figures",
            "Over time",
            "Slowdown of functions",
            "Conditions"
        ]
    );
    for banned in ["http://", "https://", "src=", "NaN", "inf"] {
        let found = body
            .replace("http://www.w3.org/1999/xhtml", "")
            .contains(banned);
        assert!(!found, "{banned}");
    }
}

#[test]
fn a_trace_is_not_written_over_itself() {
    let scratch = Scratch::new("itself");
    let path = scratch.path("trace.csv");
    fs::copy(trace("own.csv"), &path).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let linked = scratch.path("linked.csv");
    fs::hard_link(&path, &linked).unwrap();
    for target in [&path, &linked] {
        let refusal = simulate(&arguments(&[&path, "--write", target])).unwrap_err();
        assert!(refusal.contains("is the trace itself"), "{refusal}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    // What cannot be read costs nothing either.
    let refusal = simulate(&arguments(&["/nonexistent.csv", "--write", &path])).unwrap_err();
    assert!(refusal.contains("/nonexistent.csv"), "{refusal}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn mistakes_are_told() {
    for (words, wanted) in [
        (
            vec!["/nonexistent.csv"],
            "/nonexistent.csv: cannot be read: ",
        ),
        (
            vec!["--make", "timers", "--policy", "best"],
            "policy \"best\": settings: scaling.policy: got",
        ),
        (
            vec!["--make", "timers", "--policy", "kpa,stable=1s"],
            "from 6s to 1h",
        ),
        (
            vec!["--make", "timers", "--cost", "money"],
            "is no figure of a report",
        ),
    ] {
        let refusal = simulate(&arguments(&words)).unwrap_err();
        assert!(refusal.contains(wanted), "{refusal}");
    }
    for words in [
        vec!["simulate"],
        vec!["simulate", "x.csv", "--make", "steady"],
        vec!["simulate", "x.csv", "--start-time", "soon"],
        vec!["simulate", "x.csv", "--sweep", "idle"],
        vec!["simulate", "x.csv", "--goal", "fast"],
        vec!["simulate", "x.csv", "--manifest", "a", "--gateway", "b"],
    ] {
        assert!(Command::try_parse_from(words).is_err());
    }
}
