use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::builder::Builder;

/// The manifest as it was before a build, which must not change what was checked.
pub(super) struct Manifest {
    path: PathBuf,
    text: Vec<u8>,
}

impl Manifest {
    pub(super) fn read(directory: &Path) -> io::Result<Manifest> {
        let path = directory.join("function.toml");
        let text = fs::read(&path)?;
        Ok(Manifest { path, text })
    }

    /// Says so if it is another now. A link in its place is not followed.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_file = fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.is_file());
        match is_file && fs::read(&self.path).is_ok_and(|text| text == self.text) {
            true => Ok(()),
            false => Err("changed function.toml, which was checked before".to_owned()),
        }
    }
}

/// Gives all that a build left the modes and the owner that unpacked code has: whoever built may be
/// root in its own namespace, and a set-user-ID bit would hold outside of it too. No process of the
/// build lives, so nothing changes meanwhile.
pub(super) fn settle(directory: &Path, builder: Option<&Builder>) -> Result<(), String> {
    let own = |path: &Path| {
        let Some(builder) = builder else {
            return Ok(());
        };
        let owner = fs::symlink_metadata(path).map(|it| it.uid());
        let owned = owner.and_then(|owner| builder.give_back(path, owner));
        owned.map_err(|error| format!("left {}, which cannot be kept: {error}", path.display()))
    };
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        let failed = |error: io::Error| {
            let shown = directory.display();
            format!("left {shown} so that it cannot be read: {error}")
        };
        own(&directory)?;
        set_mode(&directory, 0o755).map_err(failed)?;
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let metadata = entry.metadata().map_err(failed)?;
            let is_executable = metadata.permissions().mode() & 0o111 != 0;
            if metadata.is_dir() {
                left.push(entry.path());
            } else if metadata.is_file() {
                own(&entry.path())?;
                let mode = if is_executable { 0o755 } else { 0o644 };
                set_mode(&entry.path(), mode).map_err(failed)?;
            } else if metadata.is_symlink() {
                own(&entry.path())?;
            } else {
                let shown = entry.path();
                let shown = shown.display();
                return Err(format!("left {shown}, a device, a fifo or a socket"));
            }
        }
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    match fs::symlink_metadata(path)?.permissions().mode() & 0o7777 == mode {
        true => Ok(()),
        false => fs::set_permissions(path, Permissions::from_mode(mode)),
    }
}
