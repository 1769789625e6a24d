//! Chunks in files: `record-N.bin`, the highest number being the newest.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write as _};
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
    /// Appends chunks, and goes on with the next file when one is full. Those that are written are
    /// taken out.
    pub(super) fn append(
        &mut self,
        settings: &FileSettings,
        chunks: &mut VecDeque<Arc<Chunk>>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.front() {
            bytes.clear();
            chunk.write(&mut bytes);
            let current = self.current(settings)?;
            if let Err(error) = current.file.write_all(&bytes) {
                // It may end in the midst of the chunk, and nothing after that could be read.
                self.current = None;
                return Err(error);
            }
            current.bytes += bytes.len() as u64;
            chunks.pop_front();
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
        let (next, mut file) = create(directory, next)?;
        file.write_all(MAGIC)?;
        numbers.push(next);
        let surplus = numbers.len().saturating_sub(settings.files.max(1));
        for number in &numbers[..surplus] {
            match std::fs::remove_file(path(directory, *number)) {
                // The gateway that takes over from this one does so too.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(Current {
            directory: directory.clone(),
            file,
            bytes: MAGIC.len() as u64,
        })
    }
}

/// The first file from this number on that nobody has made.
fn create(directory: &Path, number: u64) -> io::Result<(u64, File)> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut number = number;
    loop {
        match options.open(path(directory, number)) {
            // By the gateway that takes over from this one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            opened => return Ok((number, opened?)),
        }
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
pub(crate) fn read(content: &[u8]) -> Vec<Chunk> {
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
        let number = number.and_then(|number| number.parse::<u64>().ok());
        // Those that a next one cannot follow are not ours.
        numbers.extend(number.filter(|number| *number < u64::from(u32::MAX)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("record-{number}.bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, which goes with it.
    struct Scratch(FileSettings);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("stoker-record-{name}-{}", std::process::id());
            Scratch(FileSettings {
                directory: std::env::temp_dir().join(name),
                file_bytes: 1 << 20,
                files: 4,
            })
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0.directory).ok();
        }
    }

    fn chunks(functions: &[&str]) -> VecDeque<Arc<Chunk>> {
        let chunk = |name: &&str| Arc::new(Chunk::of(name, "r", 5, &[]));
        functions.iter().map(chunk).collect()
    }

    fn functions(settings: &FileSettings) -> Vec<String> {
        let chunks = read_all(&settings.directory, u64::MAX);
        chunks.iter().map(|it| it.function.to_string()).collect()
    }

    #[test]
    fn what_was_not_written_whole_is_the_end_of_its_file_only() {
        let scratch = Scratch::new("torn");
        let settings = &scratch.0;
        let mut files = Files::default();
        files.append(settings, &mut chunks(&["one"])).unwrap();
        // A disk that is full takes a part.
        let first = path(&settings.directory, 0);
        let mut torn = OpenOptions::new().append(true).open(&first).unwrap();
        torn.write_all(&[200]).unwrap();
        files.current.as_mut().unwrap().file = File::open(&first).unwrap();
        let mut lost = chunks(&["two", "three"]);
        files.append(settings, &mut lost).unwrap_err();
        assert_eq!(lost.len(), 2);
        files.append(settings, &mut chunks(&["four"])).unwrap();
        assert_eq!(functions(settings), ["one", "four"]);
    }

    #[test]
    fn another_gateway_and_foreign_names_are_in_no_ones_way() {
        let scratch = Scratch::new("shared");
        let settings = &scratch.0;
        let (mut former, mut heir) = (Files::default(), Files::default());
        former.append(settings, &mut chunks(&["one"])).unwrap();
        let foreign = settings.directory.join(format!("record-{}.bin", u64::MAX));
        std::fs::write(foreign, "").unwrap();
        heir.append(settings, &mut chunks(&["two"])).unwrap();
        former.append(settings, &mut chunks(&["three"])).unwrap();
        assert_eq!(functions(settings), ["one", "three", "two"]);
        assert_eq!(create(&settings.directory, 0).unwrap().0, 2);
    }
}
