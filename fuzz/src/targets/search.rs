//! What `stoker simulate` looks for: ranges of settings, goals and distributions of times.

use stoker_config::Changes;
use stoker_lab::{Times, fuzzing};

/// As many as a sweep may have in its first round.
const MOST: usize = 500;

/// Whatever is read is settings that can be written, and of bounded number; times are shown as they
/// are read.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match fuzzing::sweep(text) {
        Err(message) => assert!(!message.is_empty()),
        Ok(settings) => {
            assert!((1..=MOST).contains(&settings.len()), "{}", settings.len());
            for one in &settings {
                let read: Result<Changes, String> = one.parse();
                assert!(read.is_ok(), "{one:?} of {text:?}: {read:?}");
            }
        }
    }
    if let Ok(shown) = fuzzing::goal(text) {
        assert_eq!(fuzzing::goal(&shown), Ok(shown.clone()));
    }
    if let Ok(times) = text.parse::<Times>() {
        let again: Times = times.to_string().parse().expect("what is shown is read");
        assert_eq!(again.to_string(), times.to_string());
    }
}
