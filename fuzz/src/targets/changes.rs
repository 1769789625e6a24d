//! Settings that are tried out: `kpa,stable-window=30s`.

use stoker_config::Changes;

/// What is shown can be written again and means the same; what is applied is valid or says why not.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let changes: Changes = match text.parse() {
        Ok(changes) => changes,
        Err(message) => return assert!(!message.is_empty()),
    };
    let shown = changes.to_string();
    let again: Changes = shown.parse().expect("what is shown can be read");
    assert_eq!(again.to_string(), shown);
    let settings = |changes: &Changes| changes.iter().collect::<Vec<_>>();
    assert_eq!(settings(&again), settings(&changes));
    let both = changes.and(&again);
    assert_eq!(both.iter().count(), changes.iter().count());
    if let Err(errors) = changes.apply(None) {
        assert!(errors.to_string().contains("settings"), "{errors}");
    }
    changes.diff(None);
}
