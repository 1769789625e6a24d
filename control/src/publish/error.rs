//! Why something was not published.

use std::fmt;
use std::io;
use std::path::PathBuf;

use stoker_package::PackageError;
use stoker_registry::StoreError;

use crate::build::BuildError;

/// Why something was not published. Nothing has changed then.
#[derive(Debug)]
pub enum PublishError {
    /// Something of this function is being published.
    Busy(String),
    /// A function of files has this name; its manifest.
    Taken(String, PathBuf),
    /// The name is none that a function can have.
    Name(String),
    /// Packages and code have as many bytes as they may, or would with this one: how many they would
    /// have, and how many they may have.
    Full(u64, u64),
    /// The archive is refused, or could not be unpacked.
    Package(PackageError),
    /// It has no manifest; where else one was found.
    NoManifest(Option<String>),
    /// Everything that is wrong with the manifest.
    Manifest(Vec<String>),
    /// What it was to build was not built: why, and the last lines of output.
    Build(String, Vec<String>),
    /// It did not prove that it serves: why, and the last lines of output.
    Unproven(String, Vec<String>),
    /// The gateway's own files have errors, so that nothing can be put in force.
    Files(Vec<String>),
    /// The registry refused or failed.
    Store(StoreError),
    /// A file could not be read or written.
    Io(io::Error),
    /// There is no registry, or the gateway ends: why.
    Unavailable(String),
}

impl PublishError {
    /// Whether whoever publishes can mend it, by other content or at another time.
    pub fn is_callers(&self) -> bool {
        match self {
            Self::Package(error) => matches!(error, PackageError::Refused(_)),
            Self::Store(error) => !matches!(error, StoreError::Failed(_) | StoreError::Newer(..)),
            Self::Io(_) | Self::Unavailable(_) => false,
            _ => true,
        }
    }

    /// What else there is to say, line by line: each error of a manifest, the output of a program.
    pub fn lines(&self) -> &[String] {
        match self {
            Self::Manifest(lines)
            | Self::Files(lines)
            | Self::Build(_, lines)
            | Self::Unproven(_, lines) => lines,
            _ => &[],
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(name) => {
                write!(
                    f,
                    "another package of {name} is being published; try again after it"
                )
            }
            Self::Taken(name, file) => write!(
                f,
                "the function {name} is one of the gateway's files, {}: take it out there first, or \
                 publish under another name",
                file.display()
            ),
            Self::Name(name) => write!(
                f,
                "a function cannot be called {name:?}, but by 1 to 63 lower-case letters, digits and \
                 \"-\", beginning with a letter"
            ),
            Self::Full(bytes, most) => write!(
                f,
                "there is no room for the package: with it, all packages and their code would have \
                 {bytes} bytes, and may have {most} (registry.max-bytes): delete a function, or have \
                 fewer revisions kept (registry.keep-revisions)"
            ),
            Self::Package(_) => f.write_str("the package is not accepted"),
            Self::NoManifest(None) => f.write_str(
                "the package has no function.toml; it must be at the top of the archive",
            ),
            Self::NoManifest(Some(other)) => write!(
                f,
                "the package has no function.toml at the top of the archive, but has {other}: pack \
                 what is in that directory, not the directory"
            ),
            Self::Manifest(errors) => {
                write!(f, "function.toml is not valid: {}", errors.join("; "))
            }
            Self::Build(why, _) => write!(f, "the package could not be built: {why}"),
            Self::Unproven(why, _) => write!(f, "the function does not serve: {why}"),
            Self::Files(errors) => write!(
                f,
                "nothing can be put in force while the gateway's files have errors: {}",
                errors.join("; ")
            ),
            Self::Store(_) => f.write_str("the revision was not stored"),
            Self::Io(_) => f.write_str("the package could not be kept"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Package(error) => Some(error),
            Self::Store(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for PublishError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<BuildError> for PublishError {
    fn from(error: BuildError) -> Self {
        let (why, output) = match error {
            BuildError::Failed { how, output } => (format!("the build {how}"), output),
            other => (other.to_string(), String::new()),
        };
        Self::Build(why, output.lines().map(str::to_owned).collect())
    }
}

impl From<PackageError> for PublishError {
    fn from(error: PackageError) -> Self {
        Self::Package(error)
    }
}
