//! What people write.

use stoker_config::fuzzing;

/// Reads a gateway file: an answer or errors with places, and the same again.
pub(crate) fn gateway(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // The file that holds a token is read, and may be one that changes.
    if text.contains("token-file") {
        return;
    }
    let read = || fuzzing::gateway(text).map_err(|errors| errors.to_string());
    let first = read();
    assert_eq!(first, read());
    assert!(first.is_ok() || first.is_err_and(|text| text.contains("stoker.toml")));
}

/// Reads a manifest.
pub(crate) fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let read = || fuzzing::manifest(text).map_err(|errors| errors.to_string());
    let first = read();
    assert_eq!(first, read());
    match first {
        Ok(function) => assert!(function.is_some(), "no error and no function"),
        Err(text) => assert!(text.contains("function.toml"), "{text}"),
    }
}
