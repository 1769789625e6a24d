use std::time::Duration;

use stoker_core::Policy;

use super::*;

fn changes(text: &str) -> Changes {
    text.parse().unwrap()
}

#[test]
fn a_policy_is_named_by_the_keys_of_a_manifest() {
    let text = "kpa,stable-window=30s,queue.max-waiters=7,target-utilization-percentage=50";
    let changes = changes(text);
    assert_eq!(changes.to_string(), text);
    let spec = changes.apply(None).unwrap().scaling;
    assert_eq!(spec.policy, Policy::Kpa);
    assert_eq!(spec.stable_window, Duration::from_secs(30));
    assert_eq!(spec.max_waiters, 7);
    assert!((spec.target_utilization_percentage - 50.0).abs() < 1e-9);
}

#[test]
fn kpa_alone_has_the_defaults_of_knative() {
    let spec = changes("kpa").apply(None).unwrap().scaling;
    let seconds = Duration::from_secs;
    assert_eq!(spec.stable_window, seconds(60));
    assert!((spec.panic_window_percentage - 10.0).abs() < 1e-9);
    assert!((spec.panic_threshold_percentage - 200.0).abs() < 1e-9);
    assert!((spec.target_utilization_percentage - 70.0).abs() < 1e-9);
    assert!((spec.max_scale_up_rate - 1000.0).abs() < 1e-9);
    assert!((spec.max_scale_down_rate - 2.0).abs() < 1e-9);
    assert_eq!(spec.scale_to_zero_grace_period, seconds(30));
    assert_eq!(spec.scale_to_zero_retention, Duration::ZERO);
    assert_eq!(spec.scale_down_delay, Duration::ZERO);
    assert_eq!(spec.tick_interval, seconds(2));
}

#[test]
fn a_name_may_be_short_if_it_is_clear() {
    assert_eq!(changes("idle=10s").to_string(), "idle-timeout=10s");
    assert_eq!(
        changes("reject-after=2").to_string(),
        "backoff.reject-after=2"
    );
    for (text, wanted) in [
        ("max=2", "\"max\" may be any of scaling.max-"),
        ("idel-timeout=2s", "did you mean \"idle-timeout\"?"),
        ("queue.waiters=2", "did you mean \"max-waiters\"?"),
        ("=2", "\"\" is no key of a manifest"),
    ] {
        let refusal = text.parse::<Changes>().unwrap_err();
        assert!(refusal.contains(wanted), "{refusal}");
    }
}

#[test]
fn what_is_shown_can_be_written_again() {
    for text in [
        "kpa",
        "policy=a=b",
        "policy=\"\",max-scale=1",
        "policy=\"5\"",
        "max-scale=\"5\"",
        "idle-timeout=\" 5s \"",
    ] {
        let one = changes(text);
        assert_eq!(changes(&one.to_string()), one, "{text}");
    }
}

/// With one of two windows in the manifest it would be left open which is meant.
#[test]
fn lists_of_tables_are_not_set() {
    for text in ["scaling.schedule.min-scale=1", "routes.path=/x"] {
        let refusal = text.parse::<Changes>().unwrap_err();
        assert!(refusal.contains("is of a list of tables"), "{refusal}");
    }
    for text in ["path=/x", ".queue=1", "environment=1"] {
        let refusal = text.parse::<Changes>().unwrap_err();
        assert!(refusal.contains("is no key of a manifest"), "{refusal}");
    }
    assert_eq!(changes("queue=1m").to_string(), "timeouts.queue=1m");
}

#[test]
fn what_is_wrong_is_told_as_in_a_manifest() {
    let errors = changes("kpa,concurrency=0,policy=best")
        .apply(None)
        .unwrap_err();
    let shown = errors.to_string();
    assert!(
        shown.contains("settings: scaling.concurrency: got 0, expected"),
        "{shown}"
    );
    assert!(shown.contains("scaling.policy: got \"best\""), "{shown}");
}

#[test]
fn the_rest_of_a_manifest_stays() {
    let directory = std::env::temp_dir().join(format!("stoker-change-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("function.toml");
    let text = "name = \"f\"\ncommand = [\"x\"]\n[scaling]\nconcurrency = 4\nmax-scale = 9\n";
    std::fs::write(&path, text).unwrap();
    let function = changes("max-scale=3").apply(Some(&path)).unwrap();
    // No instances at least is what holds anyway.
    let some = "max-scale=3,concurrency=4,idle=5s,min-scale=0,queue.max-waiters=2";
    let diff = changes(some).diff(Some(&path));
    std::fs::remove_dir_all(&directory).unwrap();
    let (_, lines) = diff.split_once("\n [").unwrap();
    assert_eq!(
        lines,
        "scaling]\n-max-scale = 9\n+max-scale = 3\n concurrency = 4\n+idle-timeout = \"5s\"\n \
         [queue]\n+max-waiters = 2\n"
    );
    assert_eq!(&*function.name, "f");
    assert_eq!(function.scaling.concurrency, 4);
    assert_eq!(function.scaling.max_scale, 3);
    let missing = changes("").apply(Some(&path)).unwrap_err();
    assert!(missing.to_string().contains("a readable file"), "{missing}");
}

#[test]
fn later_settings_win() {
    let both = changes("idle=10s,min-scale=1").and(&changes("idle=20s"));
    assert_eq!(both.to_string(), "min-scale=1,idle-timeout=20s");
    assert_eq!(
        both.to_toml(),
        "[scaling]\nidle-timeout = \"20s\"\nmin-scale = 1\n"
    );
}

#[test]
fn scaling_by_itself_is_toml_with_or_without_its_head() {
    let keys = "policy = \"kpa\" # as it was\nmax-scale = 20\nidle-timeout = \"5m\"\n";
    for text in [keys.to_owned(), format!("[scaling]\n{keys}")] {
        let changes = Changes::of_scaling(&text).unwrap();
        assert_eq!(changes, self::changes("idle-timeout=5m,max-scale=20,kpa"));
    }
    assert!(Changes::of_scaling("").unwrap().is_empty());
    for (text, part) in [
        ("max-scale = 1\nmin-scale\n", "line 2 is not TOML"),
        (
            "[scaling]\nmax-scale = 1\n[queue]\nmax-waiters = 1",
            "more than the table",
        ),
        ("[queue]\nmax-waiters = 1", "\"queue\" is a table"),
        ("nonsense = 2", "nonsense"),
    ] {
        let error = Changes::of_scaling(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
