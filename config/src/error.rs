//! What is wrong with the configuration: all of it at once.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong, file by file and line by line, at the end what functions contradict
/// each other in; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    errors: Vec<ConfigError>,
    watched: Vec<PathBuf>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named on the command line or found below what was.
    pub file: PathBuf,
    /// From 1; 0 if no line of the file is to blame.
    pub line: usize,
    /// Dotted: `scaling.concurrency`, `routes[0].path`; empty if the whole file is meant.
    pub key: String,
    /// As written; `nothing` if it is missing, `***` if it is secret.
    pub value: String,
    /// What is allowed.
    pub expected: String,
}

impl Errors {
    /// `watched`, or `Err` with all errors, if there are any.
    pub(crate) fn check(
        errors: Vec<ConfigError>,
        watched: Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, Self> {
        if errors.is_empty() {
            Ok(watched)
        } else {
            Err(Self { errors, watched })
        }
    }

    /// Every file that was read or should have been, and every directory that was searched: a
    /// change of any may mend what is wrong.
    pub fn watched(&self) -> &[PathBuf] {
        &self.watched
    }

    /// In order.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Errors {
    type Item = ConfigError;
    type IntoIter = std::vec::IntoIter<ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " got {}, expected {}", self.value, self.expected)
    }
}

impl std::error::Error for ConfigError {}
