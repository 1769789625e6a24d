//! Upgrades that fail: the gateway that was there goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::workers_of;
use crate::harness::{Function, Gateway, Site, wait_until};

/// A gateway with one warm function.
fn gateway(lines: &str) -> Gateway {
    let function = Function::fixture("inherit").scaling(1, 2, "min-scale = 1");
    let gateway = Site::new(lines).function("f", &function).start();
    gateway.get("/function/f/work").good();
    gateway
}

/// A program to take over.
fn program(gateway: &Gateway, text: &str, mode: u32) -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path: PathBuf = gateway.site().directory().join(format!("new-{count}"));
    fs::write(&path, text).expect("can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("can be set");
    path.to_str().expect("a plain path").to_owned()
}

/// Runs an upgrade that fails for this reason, and looks whether all is as before.
fn fails(gateway: &mut Gateway, binary: Option<&str>, reason: &str) {
    let before = (gateway.pids_of_gateways(), gateway.workers());
    let mut kept = gateway.connect();
    kept.get("/function/f/work").expect("an answer").good();
    let arguments: Vec<&str> = binary.iter().flat_map(|path| ["--binary", path]).collect();
    let error = gateway.try_upgrade(&arguments).expect_err("it must fail");
    assert!(error.contains(reason), "{error:?} does not say {reason:?}");
    assert!(error.contains("the former gateway serves on"), "{error:?}");
    let again = kept.get("/function/f/work").expect("it serves on").good();
    assert_eq!(again.header("stoker-start"), Some("warm"));
    assert_eq!(
        again.header("connection"),
        None,
        "as if nothing had happened"
    );
    gateway.get("/function/f/work").good();
    wait_until("nothing is left of it", || {
        (gateway.pids_of_gateways(), gateway.workers()) == before
    });
}

#[test]
fn what_cannot_be_executed_changes_nothing() {
    let mut gateway = gateway("");
    fails(&mut gateway, Some("/no/such/stoker"), "No such file");
    let plain = program(&gateway, "nothing", 0o644);
    fails(&mut gateway, Some(&plain), "Permission denied");
    let ends = program(&gateway, "#!/bin/sh\nexit 3\n", 0o755);
    fails(&mut gateway, Some(&ends), "exit status: 3");
}

#[test]
fn what_is_not_prepared_in_time_changes_nothing() {
    let mut gateway = gateway("[takeover]\ntimeout = \"400ms\"");
    let hangs = program(&gateway, "#!/bin/sh\nexec sleep 1000\n", 0o755);
    fails(&mut gateway, Some(&hangs), "was not prepared within 400ms");
}

#[test]
fn a_configuration_that_is_not_valid_changes_nothing() {
    let mut gateway = gateway("");
    let file = gateway.site().file();
    let valid = fs::read_to_string(&file).expect("can be read");
    fs::write(&file, format!("{valid}\n[limits]\nconnections = -1\n")).expect("can be written");
    fails(&mut gateway, None, "limits.connections");
    let moved = valid.replace("state-dir = \"state\"", "state-dir = \"elsewhere\"");
    fs::write(&file, moved).expect("can be written");
    fails(&mut gateway, None, "takes effect with the next start only");
    fs::write(&file, valid).expect("can be written");
    gateway.upgrade();
    gateway.get("/function/f/work").good();
}

/// What a reload has read is not what the gateway works in.
#[test]
fn another_state_directory_is_refused_whether_or_not_it_was_read_before() {
    let mut gateway = gateway("");
    let file = gateway.site().file();
    let valid = fs::read_to_string(&file).expect("can be read");
    let moved = valid.replace("state-dir = \"state\"", "state-dir = \"elsewhere\"");
    fs::write(&file, moved).expect("can be written");
    let reason = "takes effect with the next start only";
    gateway.wait_for_error(0, &["reload", reason, "state-dir"]);
    fails(&mut gateway, None, reason);
    assert!(!gateway.site().directory().join("elsewhere").exists());
    fs::write(&file, valid).expect("can be written");
    gateway.upgrade();
    gateway.get("/function/f/work").good();
}

/// It gives up having been given the sockets, whose files are the former one's.
#[test]
fn one_that_gives_up_leaves_the_sockets_where_they_are() {
    let mut gateway = gateway("");
    let logs = gateway.site().directory().join("state/logs");
    let aside = logs.with_extension("aside");
    fs::rename(&logs, &aside).expect("can be moved");
    fs::write(&logs, "no directory").expect("can be written");
    fails(&mut gateway, None, "cannot serve");
    fs::remove_file(&logs).expect("can be removed");
    fs::rename(&aside, &logs).expect("can be moved");
    gateway.upgrade();
    gateway.get("/function/f/work").good();
}

/// It was given everything and dies before it serves.
#[test]
fn one_that_dies_with_everything_in_its_hands_changes_nothing() {
    let mut gateway = gateway("");
    let heir = |end: &str| {
        format!(
            "#!/usr/bin/env python3\nimport os, socket, time\ns = socket.socket(fileno=0)\n\
             def until(word):\n    while word not in s.recv(1 << 17): pass\n\
             until(b'OfferEnd')\ns.send(b'\"Ready\"')\nuntil(b'EstateEnd')\n{end}\n"
        )
    };
    let dies = program(&gateway, &heir("os.kill(os.getpid(), 9)"), 0o755);
    fails(&mut gateway, Some(&dies), "signal: 9");
    let hangs = program(&gateway, &heir("time.sleep(1000)"), 0o755);
    fails(&mut gateway, Some(&hangs), "was not serving within");
    let confused = program(
        &gateway,
        &heir("s.send(b'\"Ready\"'); time.sleep(1000)"),
        0o755,
    );
    fails(&mut gateway, Some(&confused), "out of turn");
    gateway.upgrade();
    gateway.get("/function/f/work").good();
}

/// At whatever moment the new one is killed, one of the two serves, or the next one adopts.
#[test]
fn a_new_one_that_is_killed_at_any_moment_loses_no_instance() {
    for millis in [0, 3, 6, 9, 12, 15, 20, 30] {
        let mut gateway = gateway("");
        let before = workers_of(&gateway, "f");
        let wrapper = format!(
            "#!/bin/sh\n(sleep 0.{millis:03}; kill -9 $$) &\nexec {} \"$@\"\n",
            env!("CARGO_BIN_EXE_stoker")
        );
        let killed = program(&gateway, &wrapper, 0o755);
        if gateway.try_upgrade(&["--binary", &killed]).is_ok() {
            gateway.is_killed();
            gateway.wait_for_former();
            gateway.restart();
        }
        let answer = gateway.get("/function/f/work").good();
        assert_eq!(
            answer.header("stoker-start"),
            Some("warm"),
            "after {millis} ms"
        );
        assert_eq!(workers_of(&gateway, "f"), before, "after {millis} ms");
        gateway.upgrade();
        gateway.get("/function/f/work").good();
    }
}

/// At whatever moment the old one is killed, the new one serves or the next one adopts.
#[test]
fn an_old_one_that_is_killed_at_any_moment_loses_no_instance() {
    for millis in [0, 3, 6, 9, 12, 15, 20, 30] {
        let mut gateway = gateway("");
        let before = workers_of(&gateway, "f");
        let old = gateway.pids_of_gateways();
        let wrapper = format!(
            "#!/bin/sh\n(sleep 0.{millis:03}; kill -9 $PPID) &\nexec {} \"$@\"\n",
            env!("CARGO_BIN_EXE_stoker")
        );
        let new = program(&gateway, &wrapper, 0o755);
        let upgraded = gateway.try_upgrade(&["--binary", &new]);
        if upgraded.is_err() {
            gateway.is_killed();
            // The new one either serves or gives up.
            let mut alone = Vec::new();
            wait_until("the new one has made up its mind", || {
                alone = gateway.pids_of_gateways();
                alone.retain(|pid| !old.contains(pid));
                alone.is_empty() || gateway.try_get("/function/f/work").is_ok()
            });
            match alone[..] {
                [] => gateway.restart(),
                [pid] => gateway.adopt(pid),
                _ => panic!("more than one: {alone:?}"),
            }
        }
        let answer = gateway.get("/function/f/work").good();
        assert_eq!(
            answer.header("stoker-start"),
            Some("warm"),
            "after {millis} ms"
        );
        assert_eq!(workers_of(&gateway, "f"), before, "after {millis} ms");
    }
}
