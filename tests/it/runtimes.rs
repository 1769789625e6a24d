//! The runners of preloaded runtimes, shown by tests of their own that speak the spawner's protocol
//! to them: `runtimes/python/tests` and `runtimes/node/tests`.

use std::process::Command;

use crate::harness::python;

/// Runs the tests below `directory`, of which there are at least `count`.
fn suite(directory: &str, count: u32) {
    let directory = format!("{}/runtimes/{directory}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python())
        .args(["-m", "unittest", "discover", "--verbose"])
        .current_dir(&directory)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("the tests in {directory} cannot be run: {error}"));
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in {directory}:\n{report}");
    assert!(
        !report.contains("skipped"),
        "without a part of the tests nothing is shown of it:\n{report}"
    );
    let ran = report
        .lines()
        .find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok());
    assert!(
        ran.is_some_and(|ran: u32| ran >= count),
        "in {directory}, {ran:?} tests ran, not {count}:\n{report}"
    );
}

#[test]
fn the_python_runner_keeps_to_its_interfaces_and_protocol() {
    suite("python/tests", 100);
}

#[test]
fn the_node_runner_keeps_to_its_interfaces_and_protocol() {
    suite("node/tests", 20);
}
