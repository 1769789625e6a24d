use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Files beyond which the whole file system is synced at once: for a few files that could take
/// longer, since it waits for what others wrote.
const ONE_BY_ONE: usize = 256;

/// Waits until everything below the directory `root`, and `root` itself, is on the disk. Links are
/// not followed.
///
/// # Errors
/// If something cannot be read or synced.
pub fn sync_tree(root: &Path) -> io::Result<()> {
    let mut left = ONE_BY_ONE;
    if !sync_directory(root, &mut left)? {
        rustix::fs::syncfs(File::open(root)?)?;
    }
    Ok(())
}

/// False if there are more than `left` files: then some are not synced.
fn sync_directory(directory: &Path, left: &mut usize) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(fewer) = left.checked_sub(1) else {
            return Ok(false);
        };
        *left = fewer;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !sync_directory(&entry.path(), left)? {
                return Ok(false);
            }
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(directory)?.sync_all()?;
    Ok(true)
}
