//! Functions and their revisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{allow, check_variable};
use crate::package::Package;
use crate::{Digest, StoreError};

/// Variables by name, which are no secret.
pub type Settings = BTreeMap<String, String>;

/// So many settings a function may have.
const MOST_SETTINGS: usize = 256;
/// Of all settings' names and values together.
const SETTINGS_BYTES: usize = 64 << 10;
/// Of a manifest.
const MANIFEST_BYTES: usize = 1 << 20;
/// Of a message, in bytes.
const MESSAGE_BYTES: usize = 4096;
/// Of the name of whoever did something, in bytes.
const NAME_BYTES: usize = 256;

/// A function of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// What it is called.
    pub name: String,
    /// When it came to be, in milliseconds since 1970.
    pub created_ms: u64,
    /// The number of its newest revision; 0 if it only has settings or secrets so far.
    pub latest: u32,
}

/// One revision: it never changes, but for the last two fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Whose it is.
    pub function: String,
    /// 1, 2, 3... for each function; never given twice, even if the function is deleted.
    pub number: u32,
    /// Its code.
    #[serde(flatten)]
    pub package: Package,
    /// The function's settings as of then.
    pub settings: Settings,
    /// The text of `function.toml`, as it was published.
    pub manifest: String,
    /// What its author says of it; may be empty.
    pub message: String,
    /// In milliseconds since 1970.
    pub created_ms: u64,
    /// Name of the token, or `socket`.
    pub created_by: String,
    /// When its traffic last began or ended, in milliseconds since 1970; `None` if it never had any.
    pub routed_ms: Option<u64>,
    /// When it was given up, in milliseconds since 1970: it cannot be called any more, and its code
    /// may be gone.
    pub collected_ms: Option<u64>,
}

/// Who changes something, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// Name of the token, or `socket`; at most 256 bytes.
    pub name: String,
    /// For others to read; may be empty; at most 4 KiB.
    pub message: String,
}

/// A revision that is to be.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// Whose it is; the function is made if there is none.
    pub function: String,
    /// Its code, which is on disk for good by now.
    pub package: Package,
    /// Put in place of the function's settings; `None`: these stay.
    pub settings: Option<Settings>,
    /// The text of `function.toml`; at most 1 MiB.
    pub manifest: String,
    /// Who publishes it.
    pub author: Author,
    /// What traffic it gets. The first revision of a function gets all, since there is no other.
    pub shift: Shift,
}

/// What traffic a new revision gets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shift {
    /// All of it.
    #[default]
    All,
    /// None: it is reached by its aliases only.
    Nothing,
    /// So much of 100; the others keep the rest in the proportions that they had.
    Percent(f64),
}

impl Revision {
    /// What its code is known by.
    pub fn digest(&self) -> Digest {
        self.package.digest
    }
}

impl NewRevision {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        crate::names::check_function(&self.function)?;
        self.settings.as_ref().map_or(Ok(()), check_settings)?;
        let bytes = self.manifest.len();
        allow(bytes <= MANIFEST_BYTES, || {
            format!("the manifest has {bytes} bytes; at most {MANIFEST_BYTES} are allowed")
        })?;
        if let Shift::Percent(percent) = self.shift {
            allow((0.0..=100.0).contains(&percent), || {
                format!("the new revision cannot get {percent} % of the traffic, but 0 to 100")
            })?;
        }
        self.author.check()
    }
}

impl Author {
    /// Somebody without a message.
    pub fn named(name: &str) -> Author {
        Author {
            name: name.to_owned(),
            message: String::new(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        allow(self.name.len() <= NAME_BYTES, || {
            format!("the author's name is longer than {NAME_BYTES} bytes")
        })?;
        allow(self.message.len() <= MESSAGE_BYTES, || {
            format!("the message is longer than {MESSAGE_BYTES} bytes")
        })
    }
}

pub(crate) fn check_settings(settings: &Settings) -> Result<(), StoreError> {
    let count = settings.len();
    if count > MOST_SETTINGS {
        return Err(StoreError::Full("settings", MOST_SETTINGS));
    }
    let mut bytes = 0;
    for (key, value) in settings {
        check_variable(key)?;
        allow(!value.contains('\0'), || {
            format!("the setting {key} contains NUL, which no variable can hold")
        })?;
        bytes += key.len() + value.len();
    }
    allow(bytes <= SETTINGS_BYTES, || {
        format!("the settings have {bytes} bytes; at most {SETTINGS_BYTES} are allowed")
    })
}
