//! Manifests: defaults and rules between keys.

use std::time::Duration;

use stoker_config::{Contract, FunctionSpec, Listen};
use stoker_core::{Admission, Policy};

use crate::tree::{Tree, one, text, wrong};

fn with(more: &str) -> FunctionSpec {
    one(&format!("command = [\"x\"]\n{more}"))
}

fn wrong_with(more: &str) -> Vec<String> {
    wrong(&format!("command = [\"x\"]\n{more}"))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn defaults_of_the_function() {
    let function = with("");
    assert_eq!(
        (&*function.name, &function.command[..]),
        ("one", &["x".to_owned()][..])
    );
    assert_eq!(
        (function.contract, function.listen),
        (Contract::Http, Listen::Port)
    );
    assert!(function.routes.is_empty() && function.environment.is_empty());
    assert_eq!(function.user, None);
    let timeouts = &function.timeouts;
    assert_eq!(
        (timeouts.queue, timeouts.connect),
        (seconds(30), seconds(1))
    );
    assert_eq!(
        (timeouts.first_byte, timeouts.idle),
        (seconds(60), seconds(60))
    );
    assert_eq!(
        (timeouts.total, timeouts.start),
        (seconds(300), seconds(10))
    );
    let limits = &function.limits;
    assert_eq!((limits.body_bytes, limits.core_bytes), (100 << 20, 0));
    assert_eq!(
        (limits.open_files, limits.cpu_time, limits.processes),
        (None, None, None)
    );
}

#[test]
fn defaults_of_the_scaling() {
    let scaling = with("").scaling;
    assert_eq!(scaling.policy, Policy::OnArrival);
    assert_eq!((scaling.concurrency, scaling.target), (1, 1.0));
    assert_eq!(
        (scaling.min_scale, scaling.max_scale, scaling.initial_scale),
        (0, 8, 0)
    );
    assert_eq!((scaling.activation_scale, scaling.max_starting), (1, 8));
    assert_eq!(
        (scaling.idle_timeout, scaling.stable_window),
        (seconds(60), seconds(60))
    );
    assert_eq!(scaling.target_utilization_percentage, 70.0);
    assert_eq!(
        (
            scaling.panic_window_percentage,
            scaling.panic_threshold_percentage
        ),
        (10.0, 200.0)
    );
    assert_eq!(
        (scaling.max_scale_up_rate, scaling.max_scale_down_rate),
        (1000.0, 2.0)
    );
    assert_eq!(
        (scaling.scale_down_delay, scaling.scale_to_zero_retention),
        (seconds(0), seconds(0))
    );
    assert_eq!(scaling.scale_to_zero_grace_period, seconds(30));
    assert_eq!(
        (scaling.tick_interval, scaling.max_waiters),
        (seconds(2), 1000)
    );
    assert_eq!(scaling.admission, Admission::Deadline);
    assert_eq!(scaling.slow_start, Duration::ZERO);
    let health = &scaling.health;
    assert_eq!(
        (health.failures, health.ejection, health.max_ejection),
        (5, seconds(10), seconds(300))
    );
    assert_eq!(
        (health.max_ejected_percentage, health.replace_after),
        (50.0, 3)
    );
    assert_eq!(scaling.backoff.initial, Duration::from_millis(100));
    assert_eq!(
        (scaling.backoff.max, scaling.backoff.reject_after),
        (seconds(30), 3)
    );
    assert_eq!(
        (scaling.drain_timeout, scaling.stop_grace),
        (seconds(30), seconds(10))
    );
}

#[test]
fn freezing_comes_before_stopping() {
    let scaling = with("").scaling;
    assert_eq!((scaling.freeze.after, scaling.freeze.keep_hot), (None, 0));
    let scaling = with("[scaling]\nfreeze-after = \"10s\"\nkeep-hot = 2").scaling;
    let freeze = &scaling.freeze;
    assert_eq!((freeze.after, freeze.keep_hot), (Some(seconds(10)), 2));
    let wrongs = [
        (
            "freeze-after = \"60s\"",
            "3: scaling.freeze-after: got \"60s\", expected less than scaling.idle-timeout, which \
             is 1m",
        ),
        (
            "freeze-after = \"0s\"",
            "3: scaling.freeze-after: got \"0s\", expected a duration from 10ms to 24h",
        ),
        (
            "keep-hot = 1",
            "3: scaling.keep-hot: got 1, expected scaling.freeze-after beside it",
        ),
    ];
    for (text, expected) in wrongs {
        let errors = crate::tree::wrong(&format!("command = [\"x\"]\n[scaling]\n{text}\n"));
        assert!(
            errors.iter().any(|it| it.starts_with(expected)),
            "{errors:?}"
        );
    }
    // Under `kpa` what stays is never stopped for being idle.
    let scaling = with("[scaling]\npolicy = \"kpa\"\nfreeze-after = \"5m\"").scaling;
    assert_eq!(scaling.freeze.after, Some(seconds(300)));
}

#[test]
fn a_default_gives_way_to_what_is_written() {
    assert_eq!(with("[scaling]\nconcurrency = 9").scaling.target, 9.0);
    let timeouts = with("[timeouts]\ntotal = \"500ms\"").timeouts;
    let short = Duration::from_millis(500);
    assert_eq!(
        (timeouts.queue, timeouts.connect, timeouts.idle),
        (short, short, short)
    );
    assert_eq!(timeouts.start, seconds(10));
    assert_eq!(
        with("[backoff]\nmax = \"5ms\"").scaling.backoff.initial,
        Duration::from_millis(5)
    );
}

#[test]
fn rules_between_keys() {
    for (text, key) in [
        (
            "[scaling]\nmin-scale = 3\nmax-scale = 2",
            "scaling.min-scale",
        ),
        ("[scaling]\ninitial-scale = 9", "scaling.initial-scale"),
        (
            "[scaling]\nactivation-scale = 9",
            "scaling.activation-scale",
        ),
        ("[scaling]\ntarget = 1.5", "scaling.target"),
        ("[health]\nejection = \"6m\"", "health.ejection"),
        (
            "[scaling]\ntick-interval = \"7s\"\nstable-window = \"6s\"",
            "scaling.tick-interval",
        ),
        (
            "[backoff]\ninitial = \"2s\"\nmax = \"1s\"",
            "backoff.initial",
        ),
        ("[timeouts]\nfirst-byte = \"10m\"", "timeouts.first-byte"),
    ] {
        let errors = wrong_with(text);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(
            errors[0].contains(&format!(" {key}: got ")),
            "{}",
            errors[0]
        );
        assert!(
            errors[0].contains("expected no more than "),
            "{}",
            errors[0]
        );
    }
    // One mistake is not reported as two.
    assert_eq!(
        wrong_with("[scaling]\nmin-scale = 20\nmax-scale = 5000").len(),
        1
    );
}

#[test]
fn values_at_and_beyond_their_bounds() {
    for text in [
        "[scaling]\nconcurrency = 1000",
        "[scaling]\nconcurrency = 0x3e8",
        "[scaling]\nmax-scale = 1_000",
        "[scaling]\ntarget = 0.001",
        "[scaling]\nstable-window = \"6s\"",
        "[scaling]\nstable-window = \"1h\"",
        "[limits]\ncpu-time = \"1m\"",
        "[limits]\nbody-bytes = 0",
        "routes = []",
        "routes = [{ path = \"/a\" }]",
        "scaling.concurrency = 5",
    ] {
        with(text);
    }
    for text in [
        "[scaling]\nconcurrency = 1001",
        "[scaling]\nconcurrency = 1.0",
        "[scaling]\nconcurrency = 99999999999999999999",
        "[scaling]\ntarget = 0",
        "[scaling]\ntarget = nan",
        "[scaling]\nmax-scale-up-rate = inf",
        "[scaling]\nmax-scale-down-rate = 1.0",
        "[scaling]\nstable-window = \"5999ms\"",
        "[scaling]\nstable-window = \"3601s\"",
        "[scaling]\npanic-threshold-percentage = 109.9",
        "[limits]\ncpu-time = \"1500ms\"",
        "[limits]\nbody-bytes = \"1.5MiB\"",
        "[limits]\nbody-bytes = -1",
        "routes = [5]",
        "routes = {}",
        "[[routes]]",
        "user = \"-x\"",
        "user = \"\"",
        "name = \"A\"",
        "name = \"1a\"",
        "name = \"\"",
        "working-directory = \"no\"",
        "[environment]\n\"a b\" = \"\"",
        "[environment]\nSTOKER_X = \"\"",
        "[environment]\nA = 1",
        "[environment]\nA = \"\\u0000\"",
        "environment = \"A=1\"",
    ] {
        assert_eq!(wrong_with(text).len(), 1, "{text}: {:?}", wrong_with(text));
    }
    assert_eq!(wrong("command = [\"\"]").len(), 1);
    assert_eq!(wrong("command = [\"x\", \"\\u0000\"]").len(), 1);
    assert_eq!(
        wrong_with(&format!("name = \"{}\"", "a".repeat(64))).len(),
        1
    );
    assert_eq!(
        &*with(&format!("name = \"{}\"", "a".repeat(63))).name,
        "a".repeat(63)
    );
}

#[test]
fn programs_and_directories() {
    let tree = Tree::new();
    std::fs::create_dir(tree.path("functions/f")).unwrap();
    let load = |command: &str| {
        let text = format!("command = [{command:?}, \"./arg\"]\nworking-directory = \"..\"");
        stoker_config::load_function(&tree.function("f", &text)).unwrap()
    };
    let function = load("./bin/server");
    assert_eq!(
        function.command,
        [text(&tree.path("functions/f/bin/server")), "./arg"]
    );
    assert_eq!(function.working_directory, tree.path("functions/f/.."));
    assert_eq!(
        load("bin/server").command[0],
        text(&tree.path("functions/f/bin/server"))
    );
    assert_eq!(load("/usr/bin/env").command[0], "/usr/bin/env");
    assert_eq!(load("python3").command[0], "python3");
}

#[test]
fn routes() {
    let function = with(
        "[[routes]]\nhost = \"*.Example.org\"\npath = \"/a/{*rest}\"\nmethods = [\"get\", \"GET\"]\n\
         [[routes]]\npath = \"/\"\nhost = \"[::1]\"\nstrip-prefix = true",
    );
    let first = &function.routes[0];
    assert_eq!(first.host.as_deref(), Some("*.example.org"));
    assert_eq!(
        (first.path.to_string(), &first.methods[..]),
        ("/a/{*rest}".to_owned(), &["GET".to_owned()][..])
    );
    assert!(!first.strip_prefix && function.routes[1].strip_prefix);
    for host in [
        "", "*", "a:80", "a..b", "*.*.a", "-a", "a-", "a/b", "[x]", "a.*",
    ] {
        let text = format!("[[routes]]\npath = \"/\"\nhost = {host:?}");
        assert_eq!(wrong_with(&text).len(), 1, "{host}");
    }
}

#[test]
fn the_environment() {
    let function = with("[environment]\nA = \"1\"\n_b2 = \"\"\nPATH = \"/bin\"\nSTOKER = \"x\"");
    assert_eq!(function.environment.len(), 4);
    for name in [
        "PORT",
        "K_SERVICE",
        "LISTEN_FDS",
        "LISTEN_PID",
        "STOKER_SOCKET",
        "1A",
        "A-B",
    ] {
        let errors = wrong_with(&format!("[environment]\n{name} = \"\""));
        assert!(
            errors[0].starts_with(&format!("3: environment.{name}: got {name}")),
            "{errors:?}"
        );
    }
}
