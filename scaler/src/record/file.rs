//! Chunks in files: `record-N.bin`, the highest number being the newest.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chunk::MAGIC;
use super::codec::Reader;
use super::{Chunk, FileSettings};

/// The file that is written.
#[derive(Debug, Default)]
pub(super) struct Files {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    directory: PathBuf,
    file: File,
    bytes: u64,
}

impl Files {
    /// Appends chunks, and goes on with the next file when one is full.
    pub(super) fn append(
        &mut self,
        settings: &FileSettings,
        chunks: &VecDeque<Arc<Chunk>>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for chunk in chunks {
            bytes.clear();
            chunk.write(&mut bytes);
            let current = self.current(settings)?;
            current.file.write_all(&bytes)?;
            current.bytes += bytes.len() as u64;
        }
        Ok(())
    }

    /// Always a file of our own: one that an earlier gateway was writing when it died may end in
    /// the midst of a chunk.
    fn current(&mut self, settings: &FileSettings) -> io::Result<&mut Current> {
        let fits =
            |it: &Current| it.bytes < settings.file_bytes && it.directory == settings.directory;
        if !self.current.as_ref().is_some_and(fits) {
            self.current = None;
        }
        match &mut self.current {
            Some(current) => Ok(current),
            none => Ok(none.insert(Current::begin(settings)?)),
        }
    }
}

impl Current {
    fn begin(settings: &FileSettings) -> io::Result<Current> {
        let directory = &settings.directory;
        std::fs::create_dir_all(directory)?;
        let mut numbers = numbers(directory)?;
        let next = numbers.last().map_or(0, |last| last + 1);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path(directory, next))?;
        file.write_all(MAGIC)?;
        numbers.push(next);
        let surplus = numbers.len().saturating_sub(settings.files.max(1));
        for number in &numbers[..surplus] {
            std::fs::remove_file(path(directory, *number))?;
        }
        Ok(Current {
            directory: directory.clone(),
            file,
            bytes: MAGIC.len() as u64,
        })
    }
}

/// The chunks of all files of a directory, oldest first, and no more than about `most_bytes` of
/// them, the newest. What is not there or is broken is left out.
pub(super) fn read_all(directory: &Path, most_bytes: u64) -> Vec<Chunk> {
    let mut files = Vec::new();
    let mut bytes = 0;
    for number in numbers(directory).unwrap_or_default().into_iter().rev() {
        if bytes >= most_bytes {
            break;
        }
        let content = std::fs::read(path(directory, number)).unwrap_or_default();
        bytes += content.len() as u64;
        files.push(read(&content));
    }
    files.into_iter().rev().flatten().collect()
}

/// Writes one file with these chunks.
pub(super) fn write_one(path: &Path, chunks: &[Arc<Chunk>]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = BufWriter::new(options.open(path)?);
    file.write_all(MAGIC)?;
    let mut bytes = Vec::new();
    for chunk in chunks {
        bytes.clear();
        chunk.write(&mut bytes);
        file.write_all(&bytes)?;
    }
    file.flush()
}

/// The chunks in a file's content.
pub(super) fn read(content: &[u8]) -> Vec<Chunk> {
    let Some(content) = content.strip_prefix(MAGIC) else {
        return Vec::new();
    };
    let mut reader = Reader(content);
    std::iter::from_fn(|| Chunk::read(&mut reader, 0)).collect()
}

/// Ascending.
fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let number = name
            .strip_prefix("record-")
            .and_then(|rest| rest.strip_suffix(".bin"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("record-{number}.bin"))
}
