//! Why the registry did not do something.

use std::error::Error;
use std::fmt;

/// Why the store refused or failed.
#[derive(Debug)]
pub enum StoreError {
    /// No function of this name was published.
    UnknownFunction(String),
    /// The function has no revision of this number, or it was collected.
    UnknownRevision(String, u32),
    /// The function has no such alias.
    UnknownAlias(String, String),
    /// The function has no such secret.
    UnknownSecret(String, String),
    /// There is no revision that served before.
    NothingBefore(String),
    /// What was asked for is not allowed: what, and what would be right.
    Invalid(String),
    /// The revision cannot be collected: it is routed, mirrored to or has an alias.
    InUse(String, u32),
    /// There are as many of these as there may be.
    Full(&'static str, usize),
    /// Secrets cannot be read or written: why.
    Key(String),
    /// The store is of a newer version of Stoker: its version, and the newest that is known.
    Newer(i64, i64),
    /// The store itself failed.
    Failed(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFunction(name) => write!(f, "no function {name:?} was published"),
            Self::UnknownRevision(name, number) => {
                write!(f, "the function {name:?} has no revision {number}")
            }
            Self::UnknownAlias(name, alias) => {
                write!(f, "the function {name:?} has no alias {alias:?}")
            }
            Self::UnknownSecret(name, key) => {
                write!(f, "the function {name:?} has no secret {key:?}")
            }
            Self::NothingBefore(name) => write!(
                f,
                "the function {name:?} has no earlier revision that served and is still kept"
            ),
            Self::Invalid(what) => f.write_str(what),
            Self::InUse(name, number) => write!(
                f,
                "revision {number} of {name:?} gets traffic or has an alias, so it is kept"
            ),
            Self::Full(what, most) => {
                write!(f, "there are {most} {what} already, the most allowed")
            }
            Self::Key(why) => f.write_str(why),
            Self::Newer(found, known) => write!(
                f,
                "the registry has version {found}, and this program knows versions up to {known}: \
                 it was written by a newer one"
            ),
            Self::Failed(_) => f.write_str("the registry's database failed"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(Box::new(error))
    }
}
