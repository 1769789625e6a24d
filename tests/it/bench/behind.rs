//! A URL whose function is to be cold: the gateway behind it is found as by the other commands.

use std::path::Path;
use std::process::{Command, Output};

use super::{read, repetitions};
use crate::harness::{Function, Gateway, Site};

/// Runs `stoker bench cold` for a URL in this directory, with one variable of the environment.
fn cold(url: &str, words: &[&str], directory: &Path, variable: (&str, &Path)) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args(["bench", "cold", url, "--count", "2", "--repetitions", "1"])
        .args(["--quiet", "--json", "report.json"])
        .args(words)
        .env_remove("STOKER_ADMIN")
        .env_remove("XDG_RUNTIME_DIR")
        .env(variable.0, variable.1)
        .current_dir(directory)
        .output()
        .expect("the binary can be executed")
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An empty directory below the gateway's.
fn elsewhere(gateway: &Gateway) -> std::path::PathBuf {
    let directory = gateway.site().directory().join("elsewhere");
    std::fs::create_dir_all(&directory).expect("it can be made");
    directory
}

#[test]
fn the_function_of_a_url_is_found_and_evicted() {
    let function = Function::fixture("inherit").scaling(1, 4, "");
    let gateway = Site::new("")
        .function("f", &function)
        .function("other", &function)
        .start();
    gateway.get("/function/other").good();
    let others = gateway.workers();
    let directory = elsewhere(&gateway);
    let socket = gateway.site().directory().join("state/admin.sock");
    let url = format!("http://{}/function/f/pid?x=1", gateway.address());
    let none = ("UNUSED", Path::new("x"));

    let measured = |words: &[&str], variable| {
        let output = cold(&url, words, &directory, variable);
        assert!(output.status.success(), "{output:?}");
        let report = read(&directory.join("report.json"));
        assert_eq!(repetitions(&report, "cold")[0]["answered"], 2, "{report}");
    };
    let named = socket.display().to_string();
    measured(&["--admin", &named], none);
    measured(&[], ("STOKER_ADMIN", &socket));
    let file = directory.join("stoker.toml");
    let text = format!("[admin]\nsocket = {named:?}\n");
    std::fs::write(&file, text).expect("it can be written");
    measured(&[], none);
    std::fs::remove_file(&file).expect("it is there");
    assert!(
        others.iter().all(|pid| gateway.workers().contains(pid)),
        "the other function was left alone"
    );

    // Nowhere: all ways are told.
    let said = complaint(&cold(&url, &[], &directory, none));
    for part in [
        "--admin",
        "$STOKER_ADMIN",
        "stoker.toml",
        ".stoker/admin.sock",
        "--cold-command",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let variable = ("STOKER_ADMIN", &*socket);
    let wrong = format!("http://{}/elsewhere", gateway.address());
    let said = complaint(&cold(&wrong, &[], &directory, variable));
    assert!(said.contains("--function"), "{said}");
    // A gateway that is not behind the URL is left alone too.
    let stranger = Site::new("").function("f", &function).start();
    let url = format!("http://{}/function/f", stranger.address());
    let said = complaint(&cold(&url, &[], &directory, variable));
    assert!(said.contains("not where"), "{said}");
}
