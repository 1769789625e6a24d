//! Settings that are tried, and the record they are tried with.

use std::time::Duration;

use stoker_config::FunctionSpec;
use stoker_core::{Policy, ScaleSpec};

use crate::tree::{Tree, one, wrong};

fn with(more: &str) -> FunctionSpec {
    one(&format!("command = [\"x\"]\n{more}"))
}

#[test]
fn a_shadow_has_the_manifests_settings_but_for_its_own() {
    let plain = "[scaling]\nmax-scale = 3\nidle-timeout = '9s'\n";
    let function = with(&format!(
        "{plain}[scaling.shadow]\npolicy = 'kpa'\nidle-timeout = '5s'"
    ));
    let shadow = function.shadow.as_ref().expect("one is tried");
    assert_eq!(shadow.policy, Policy::Kpa);
    assert_eq!((shadow.max_scale, shadow.max_starting), (3, 3));
    assert_eq!(shadow.idle_timeout, Duration::from_secs(5));
    assert_eq!(function.scaling.policy, Policy::OnArrival);
    assert_eq!(function.scaling.idle_timeout, Duration::from_secs(9));
    // Nothing is started anew for it.
    let without = FunctionSpec {
        shadow: None,
        ..function.clone()
    };
    assert_eq!(without.revision(), function.revision());
    assert_eq!(with(plain).shadow, None);
}

/// Tables that come after `[scaling]` hold for it too.
#[test]
fn a_shadow_has_the_queue_and_the_timeouts_of_its_manifest() {
    let function = with(
        "[scaling.shadow]\nmax-scale = 4\n[queue]\nmax-waiters = 20\nadmission = 'off'\n\
         [backoff]\nmax = '7s'\n[health]\nfailures = 9\n[timeouts]\ndrain = '3s'\nstop = '2s'",
    );
    let shadow = function.shadow.as_ref().expect("one is tried");
    let expected = ScaleSpec {
        max_scale: 4,
        max_starting: 4,
        ..(*function.scaling).clone()
    };
    assert_eq!(**shadow, expected);
    assert_eq!(shadow.max_waiters, 20);
}

#[test]
fn what_is_wrong_in_a_shadow_is_said_with_its_key() {
    let manifest = "command = ['x']\n[scaling.shadow]\npolicy = 'best'\nidle = '5s'";
    let errors = wrong(manifest).join("\n");
    assert!(errors.contains("scaling.shadow.policy"), "{errors}");
    assert!(errors.contains("scaling.shadow.idle"), "{errors}");
    // Rules between keys hold in it too, and what is wrong without it is said once.
    let both = wrong("command = ['x']\n[scaling]\nmin-scale = 9\n[scaling.shadow]\npolicy = 'kpa'");
    assert_eq!(both.len(), 1, "{both:?}");
    let own = wrong("command = ['x']\n[scaling.shadow]\nmin-scale = 9");
    assert_eq!(own.len(), 1, "{own:?}");
    assert!(own[0].contains("scaling.shadow.min-scale"), "{own:?}");
}

#[test]
fn the_record_has_bounds() {
    let errors = Tree::new().errors("[record]\nmemory = '1KiB'\nkeep = '1s'\nfiles = 0");
    let errors = errors.join("\n");
    for key in ["record.memory", "record.keep", "record.files"] {
        assert!(errors.contains(key), "{key} in\n{errors}");
    }
}
