//! Why the admin API did not do what was asked.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use hyper::StatusCode;

use crate::wire::ProblemDocument;

/// Why the admin API did not do what was asked.
#[derive(Debug)]
pub enum ClientError {
    /// The address is neither a path nor a URL of the right kind.
    Address(String),
    /// No header can carry the token.
    Token,
    /// No gateway was found: each place that was tried, and why it was none.
    NotFound(Vec<String>),
    /// Nobody listens there.
    Refused {
        /// Where.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, or the other side does not speak HTTP.
    Lost {
        /// Where.
        place: String,
        /// Why.
        source: hyper::Error,
    },
    /// The answer broke off or was too long.
    Broken(Box<dyn Error + Send + Sync>),
    /// There was no answer in time.
    Slow(String, Duration),
    /// The gateway said what is wrong.
    Problem(Box<ProblemDocument>),
    /// Somebody else answered: not the admin API.
    Status(StatusCode),
    /// The answer is not what this program expects.
    Foreign(serde_json::Error),
}

impl ClientError {
    /// Whether it is that there is no such function.
    pub(crate) fn is_unknown_function(&self) -> bool {
        let ClientError::Problem(problem) = self else {
            return false;
        };
        problem.kind.ends_with(":unknown-function")
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Address(text) => write!(
                f,
                "{text:?} is no admin address: give the path of a socket or http://HOST:PORT"
            ),
            ClientError::Token => f.write_str("the admin token has characters that none has"),
            ClientError::NotFound(tried) => {
                f.write_str("no gateway answers here; ")?;
                for place in tried {
                    write!(f, "tried {place}; ")?;
                }
                f.write_str(
                    "start one with \"stoker serve\", name its admin socket with --admin or in \
                     $STOKER_ADMIN, or call this in the directory of its stoker.toml",
                )
            }
            ClientError::Refused { place, source } => {
                write!(
                    f,
                    "no gateway answers on {place}: {source}; start one with \"stoker serve\""
                )
            }
            ClientError::Lost { place, source } => {
                write!(f, "the connection to {place} broke: {source}")
            }
            ClientError::Broken(source) => write!(f, "the answer broke off: {source}"),
            ClientError::Slow(place, patience) => {
                write!(f, "{place} did not answer within {} s", patience.as_secs())
            }
            ClientError::Problem(document) => {
                f.write_str(&document.detail)?;
                document
                    .errors
                    .iter()
                    .try_for_each(|error| write!(f, "\n  {error}"))
            }
            ClientError::Status(status) => {
                write!(f, "the answer was {status}, which is none of the admin API")
            }
            ClientError::Foreign(source) => {
                write!(f, "the answer is not what this version expects: {source}")
            }
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ClientError::Refused { source, .. } => Some(source),
            ClientError::Lost { source, .. } => Some(source),
            ClientError::Broken(source) => Some(&**source),
            ClientError::Foreign(source) => Some(source),
            _ => None,
        }
    }
}
