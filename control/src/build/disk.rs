//! How much disk a build takes.

use std::fs;
use std::io;
use std::path::Path;

/// What lies below a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Of files, as they are long.
    pub(super) bytes: u64,
    /// Files, directories and links.
    pub(super) entries: u64,
}

/// That so many bytes are free where `directory` is. What was removed while somebody still writes to it
/// is in no directory, but takes its place all the same.
pub(super) fn check_reserve(directory: &Path, most_bytes: u64) -> Result<(), String> {
    let found = rustix::fs::statvfs(directory);
    let found = found.map_err(|error| unread(directory, &error.into()))?;
    let free_bytes = found.f_bavail.saturating_mul(found.f_frsize);
    match free_bytes >= most_bytes {
        true => Ok(()),
        false => Err(format!(
            "left only {free_bytes} bytes of the disk free, less than build.disk-reserve = \
             {most_bytes}"
        )),
    }
}

/// What lies below the first directory, or why that and what lies below the other is too much.
/// Whatever comes or goes meanwhile is counted or not.
pub(super) fn usage(directory: &Path, scratch: &Path, most: Usage) -> Result<Usage, String> {
    let mut sum = Usage::default();
    let mut of_code = Usage::default();
    for (root, is_code) in [(directory, true), (scratch, false)] {
        let mut left = vec![root.to_owned()];
        while let Some(directory) = left.pop() {
            let entries = match fs::read_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|error| unread(&directory, &error))?,
            };
            for entry in entries {
                let Ok(entry) = entry else { continue };
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                sum.entries += 1;
                if metadata.is_dir() {
                    left.push(entry.path());
                } else if metadata.is_file() {
                    sum.bytes += metadata.len();
                }
                exceeds(sum, most)?;
            }
        }
        if is_code {
            of_code = sum;
        }
    }
    Ok(of_code)
}

fn exceeds(sum: Usage, most: Usage) -> Result<(), String> {
    if sum.bytes > most.bytes {
        return Err(format!(
            "wrote more than build.disk = {} bytes, the code included",
            most.bytes
        ));
    }
    match sum.entries > most.entries {
        true => Err(format!(
            "made more than build.entries = {} files, the code included",
            most.entries
        )),
        false => Ok(()),
    }
}

fn unread(directory: &Path, error: &io::Error) -> String {
    let shown = directory.display();
    format!("left {shown} so that it cannot be read: {error}")
}
