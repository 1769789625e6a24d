//! What functions, aliases and variables may be called.

use crate::StoreError;

/// The alias that always names the newest revision.
pub const LATEST: &str = "latest";

/// `[a-z][a-z0-9-]{0,62}`
pub fn is_function_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// As functions are called, but neither `latest` nor `rN`, which have their meaning.
pub fn is_alias(text: &str) -> bool {
    is_function_name(text) && text != LATEST && revision_of_alias(text).is_none()
}

/// The revision that `rN` names: `r0` and `r007` are names like others, but are refused too.
pub fn revision_of_alias(text: &str) -> Option<u32> {
    text.strip_prefix('r')?.parse().ok()
}

/// The alias that always names a revision: `r3`.
pub fn revision_alias(number: u32) -> String {
    format!("r{number}")
}

/// A variable's name: letters, digits and `_`, and no digit at first; at most 128 bytes.
pub fn is_variable(text: &str) -> bool {
    text.len() <= 128
        && !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(crate) fn check_function(name: &str) -> Result<(), StoreError> {
    allow(is_function_name(name), || {
        format!(
            "a function cannot be called {name:?}, but by 1 to 63 lower-case letters, digits and \
             \"-\", beginning with a letter"
        )
    })
}

pub(crate) fn check_variable(name: &str) -> Result<(), StoreError> {
    allow(is_variable(name), || {
        format!(
            "a variable cannot be called {name:?}, but by 1 to 128 letters, digits and \"_\", \
             beginning with no digit"
        )
    })
}

pub(crate) fn allow(allowed: bool, why: impl FnOnce() -> String) -> Result<(), StoreError> {
    match allowed {
        true => Ok(()),
        false => Err(StoreError::Invalid(why())),
    }
}
