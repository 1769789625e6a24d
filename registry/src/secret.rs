//! Secrets: given to instances, and shown to nobody.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::StoreError;
use crate::names::{allow, check_variable};

/// Of a secret's value.
const VALUE_BYTES: usize = 64 << 10;

/// How instances get a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// As a variable.
    #[default]
    Environment,
    /// As a file; a variable of the same name with `_FILE` tells where it is.
    File,
}

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretInfo {
    /// The variable's name.
    pub key: String,
    /// How instances get it.
    #[serde(rename = "as")]
    pub place: Place,
    /// 1, 2, 3... each time that it is set.
    pub version: u32,
    /// When it was set, in milliseconds since 1970.
    pub updated_ms: u64,
    /// Who set it.
    pub updated_by: String,
}

/// A secret with its value: for launching only.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What may be known of it.
    pub info: SecretInfo,
    /// What may not.
    pub value: SecretValue,
}

/// A value that is never printed, and whose memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes the value over; at most 64 KiB, without NUL, else it is refused when it is stored.
    pub fn new(value: String) -> SecretValue {
        SecretValue(Zeroizing::new(value))
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn check(&self, key: &str) -> Result<(), StoreError> {
        check_variable(key)?;
        allow(self.0.len() <= VALUE_BYTES, || {
            format!("the secret {key} is longer than {VALUE_BYTES} bytes")
        })?;
        allow(!self.0.contains('\0'), || {
            format!("the secret {key} contains NUL, which no variable can hold")
        })
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
