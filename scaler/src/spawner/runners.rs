//! The runners of handlers, which are part of this program, as files that interpreters can read.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::launch::absent;
use crate::driver::Language;

/// Names below a directory, and contents.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/runners.rs"));

/// How a runner is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It inherits a listening socket and serves.
    Serve,
    /// It loads the handler and forks instances. Python only.
    Parent,
    /// It boots and loads the handler that it is given. Node only.
    Cell,
}

impl Mode {
    /// As on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Mode::Serve => "serve",
            Mode::Parent => "parent",
            Mode::Cell => "cell",
        }
    }
}

/// The file that an interpreter of the language is to execute, below what [`write()`] returned.
pub(super) fn main_file(directory: &Path, language: Language) -> PathBuf {
    directory.join(match language {
        Language::Python => "python/stoker_runtime/__main__.py",
        Language::Node => "node/main.mjs",
    })
}

/// Writes the runners below the state directory, in a directory that is named by their hash and
/// that every user can read; those of other releases go. Returns that directory.
pub(super) fn write(state_dir: &Path) -> io::Result<PathBuf> {
    let home = state_dir.join("runtimes");
    let name = format!("{:016x}", hash());
    let directory = home.join(&name);
    if directory.is_dir() {
        return Ok(directory);
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o755);
    // It appears whole or not at all.
    fs::remove_dir_all(&home).or_else(absent)?;
    let unfinished = home.join(format!("{name}.new"));
    for (file, content) in FILES {
        let path = unfinished.join(file);
        if let Some(parent) = path.parent() {
            builder.create(parent)?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o644);
        options.open(&path)?.write_all(content.as_bytes())?;
    }
    fs::rename(&unfinished, &directory)?;
    Ok(directory)
}

/// FNV-1a over names and contents.
fn hash() -> u64 {
    let texts = FILES.iter().flat_map(|(name, content)| [*name, *content]);
    let bytes = texts.flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn they_are_written_once_and_can_be_read_by_all() {
        let state = std::env::temp_dir().join(format!("stoker-runners-{}", std::process::id()));
        fs::create_dir_all(state.join("runtimes/old")).expect("can be made");
        let directory = write(&state).expect("can be written");
        assert!(!state.join("runtimes/old").exists(), "an old one goes");
        for language in [Language::Python, Language::Node] {
            let file = main_file(&directory, language);
            let mode = fs::metadata(&file)
                .expect("it is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o644, "{}", file.display());
        }
        let again = write(&state).expect("it is there already");
        assert_eq!(again, directory);
        fs::remove_dir_all(state).expect("can be removed");
    }
}
