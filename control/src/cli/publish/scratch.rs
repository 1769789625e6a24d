use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new directory for temporary files that nobody else can enter. It goes when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// If it cannot be made, saying where.
    pub(super) fn new() -> io::Result<Scratch> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = now.map_or(0, |now| now.as_nanos());
        let name = format!("stoker-publish-{}-{nanos:x}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One that is there already is another's, and an error.
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Scratch(path)),
            Err(error) => {
                let shown = path.display();
                let detail = format!("cannot make {shown}: {error}; $TMPDIR names another place");
                Err(io::Error::new(error.kind(), detail))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
