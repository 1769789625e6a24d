//! Over HTTP/2, by prior knowledge and over TLS; nghttp2's `h2load` counts beside it.

use serde_json::Value;

use super::{bench, is_empty, measured, read, repetitions, samples};
use crate::harness::{Authority, Function, Gateway, Program, Site};
use crate::overload::metrics;

/// A gateway that serves 20 requests at once, each of which takes a moment.
fn gateway(more: &str) -> Gateway {
    let function = Function::fixture("inherit").scaling(10, 2, "");
    Site::new(more).function("f", &function).start()
}

/// The sum of a counter of the gateway over all of its labels but listeners other than the first.
fn counted(gateway: &Gateway, name: &str) -> u64 {
    let text = metrics(gateway);
    let of_it = text.lines().filter(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', '{']))
    });
    of_it
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum::<f64>() as u64
}

/// What all repetitions of all series answered.
fn answered(report: &Value) -> u64 {
    let series = report["series"].as_array().expect("a list").iter();
    let repetitions = series.flat_map(|series| series["repetitions"].as_array().expect("a list"));
    repetitions.filter_map(|one| one["answered"].as_u64()).sum()
}

/// Streams share connections: as many as were asked for, and one to see whether anybody is there.
#[test]
fn requests_share_connections() {
    let gateway = gateway("");
    gateway.get("/function/f").good();
    let before = [
        counted(&gateway, "stoker_requests_total"),
        counted(&gateway, "stoker_connections_total"),
    ];
    let words = [
        "warm",
        "f",
        "--http2",
        "--connections",
        "2",
        "--streams",
        "10",
        "--rate",
        "max",
        "--path",
        "work?ms=1",
        "--warm-up",
        "0s",
        "--duration",
        "500ms",
        "--repetitions",
        "1",
    ];
    let report = measured(&gateway, &words);
    assert_eq!(report["settings"]["http2"], "true");
    assert_eq!(report["settings"]["streams"], "10");
    let [one] = repetitions(&report, "warm") else {
        panic!("{report}");
    };
    assert!(is_empty(&one["failed"]), "{one}");
    let count = one["answered"].as_u64().expect("a number") + discarded(one);
    assert!(count > 20, "{one}");
    for phase in ["connect", "first-byte", "total"] {
        assert!(samples(&one["phases"][phase]) > 0, "{phase} of {one}");
    }
    assert_eq!(
        counted(&gateway, "stoker_requests_total") - before[0],
        count
    );
    let connections = counted(&gateway, "stoker_connections_total") - before[1];
    // The metrics are asked for on another listener.
    assert_eq!(connections, 3);
}

fn discarded(one: &Value) -> u64 {
    let of_it = one["discarded"].as_object().expect("an object").values();
    of_it.filter_map(Value::as_u64).sum()
}

/// The gateway counts what either of them says that it sent.
#[test]
fn counts_are_those_of_h2load() {
    let gateway = gateway("");
    let url = format!("http://{}/function/f", gateway.address());
    let said = Program::run("h2load", &["-n500", "-c5", "-m20", "-t1", &url]);
    assert!(said.contains("500 succeeded, 0 failed"), "{said}");
    assert_eq!(counted(&gateway, "stoker_requests_total"), 500);
    let words = [
        "burst",
        "500",
        "f",
        "--http2",
        "--streams",
        "20",
        "--repetitions",
        "1",
        "--warm-up",
        "0",
        "--path",
        "work?ms=1",
    ];
    let report = measured(&gateway, &words);
    // A burst is a sample of its own, beside those of its requests.
    let whole = answered(&report)
        - repetitions(&report, "burst")[0]["answered"]
            .as_u64()
            .unwrap();
    assert_eq!(whole, 500, "{report}");
    assert_eq!(counted(&gateway, "stoker_requests_total"), 1000);
}

#[test]
fn every_open_loop_speaks_it() {
    let gateway = gateway("");
    for words in [
        &["warm", "f", "--rate", "100", "--repetitions", "1"][..],
        &[
            "step", "f", "--from", "50", "--to", "100", "--steps", "2", "--beyond", "9",
        ],
        &["soak", "f", "--rate", "100", "--windows", "8"],
    ] {
        let common = ["--http2", "--duration", "400ms", "--warm-up", "100ms"];
        let report = measured(&gateway, &[words, &common[..]].concat());
        assert!(answered(&report) >= 40 - 2, "{words:?}: {report}");
        let series = report["series"].as_array().expect("a list");
        for series in series {
            for one in series["repetitions"].as_array().expect("a list") {
                assert!(is_empty(&one["failed"]), "{words:?}: {one}");
            }
        }
    }
}

#[test]
fn over_tls_it_is_agreed_on() {
    let tls = "[[listeners]]\naddress = \"127.0.0.1:0\"\ntls = true\n\
               [[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";
    for (enabled, code) in [(true, 0), (false, 2)] {
        let text = format!("{tls}[http2]\nenabled = {enabled}\n");
        let site = Site::new(&text).function("f", &Function::fixture("inherit"));
        let authority = Authority::new(site.directory(), "ca");
        authority.issue(site.directory(), "a", ("localhost", &["localhost"]));
        let gateway = site.start();
        let url = format!(
            "https://localhost:{}/function/f",
            gateway.listener(1).port()
        );
        let ca = gateway.site().directory().join("ca.pem");
        let words = [
            "warm",
            &url,
            "--http2",
            "--ca",
            &ca.display().to_string(),
            "--duration",
            "200ms",
            "--repetitions",
            "1",
        ];
        let file = gateway.site().directory().join("report.json");
        let output = bench(&words, &file);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        if enabled {
            assert_eq!(repetitions(&read(&file), "warm")[0]["answered"], 20);
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("nobody accepts"), "{said}");
        }
    }
}

/// Without TLS nobody asks first: a server that speaks HTTP/1.1 only is found out by its answer.
#[test]
fn a_server_that_does_not_speak_it_is_told() {
    let gateway = gateway("[http2]\nenabled = false");
    let url = format!("http://{}/function/f", gateway.address());
    let file = gateway.site().directory().join("report.json");
    let words = ["warm", &url, "--http2", "--duration", "100ms"];
    let output = bench(&[&words[..], &["--repetitions", "1"]].concat(), &file);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no request"), "{said}");
}

#[test]
fn bounds_are_told() {
    let file = std::path::Path::new("/nonexistent/report.json");
    let url = "http://127.0.0.1:1/";
    for (words, part) in [
        (&["--streams", "5"][..], "--http2"),
        (&["--http2", "--streams", "1001"], "from 1 to 1000"),
    ] {
        let output = bench(&[&["warm", url][..], words].concat(), file);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(part), "{said}");
    }
    let gateway = gateway("");
    let url = format!("http://{}/function/f", gateway.address());
    let words = ["warm", &url, "--http2", "--connections", "1001"];
    let output = bench(&words, file);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("more than 100000 requests in flight"),
        "{said}"
    );
}
