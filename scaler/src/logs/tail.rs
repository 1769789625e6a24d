//! The end of a log, read backwards.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::line::LogLine;
use super::{LogSettings, file_path};

const BLOCK_BYTES: u64 = 64 << 10;

/// The last `lines` lines of a function, oldest first, within the bounds of `settings`.
pub(super) fn read(
    settings: &LogSettings,
    function: &str,
    lines: usize,
) -> io::Result<Vec<LogLine>> {
    let wanted = lines.min(settings.tail_lines);
    let mut budget = settings.tail_bytes;
    let mut newest_first = Vec::new();
    let mut previous = None;
    for index in 0..settings.files {
        if newest_first.len() >= wanted || budget == 0 {
            break;
        }
        let file = match File::open(file_path(&settings.dir, function, index)) {
            Ok(file) => file,
            // Between two steps of a rotation the first name is nobody's.
            Err(error) if error.kind() == io::ErrorKind::NotFound && index == 0 => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        // A rotation since the last step gave the file that was read its next name.
        let identity = Some((metadata.dev(), metadata.ino()));
        if identity == previous {
            continue;
        }
        previous = identity;
        let end = End::read(&file, metadata.len(), wanted - newest_first.len(), budget)?;
        budget -= end.bytes.len() as u64;
        newest_first.extend(end.lines().take(wanted - newest_first.len()));
    }
    newest_first.reverse();
    Ok(newest_first)
}

/// The last bytes of a file.
struct End {
    bytes: Vec<u8>,
    /// They begin where the file does.
    whole: bool,
}

impl End {
    /// At least `lines` lines of a file of length `length` if it has them, in at most `budget`
    /// bytes.
    fn read(file: &File, length: u64, lines: usize, budget: u64) -> io::Result<End> {
        let mut start = length;
        let mut blocks = Vec::new();
        let mut newlines = 0;
        // One newline more than lines: the one before the first of them.
        while start > 0 && newlines <= lines && length - start < budget {
            let size = BLOCK_BYTES.min(start).min(budget - (length - start));
            let mut block = vec![0; size as usize];
            start -= size;
            file.read_exact_at(&mut block, start)?;
            newlines += block.iter().filter(|&&b| b == b'\n').count();
            blocks.push(block);
        }
        blocks.reverse();
        Ok(End {
            bytes: blocks.concat(),
            whole: start == 0,
        })
    }

    /// The whole lines, newest first. What is not a line of a log is left out: somebody else wrote
    /// it, or half of it was written when the power went.
    fn lines(&self) -> impl Iterator<Item = LogLine> {
        let ended = self.bytes.iter().rposition(|&b| b == b'\n').unwrap_or(0);
        let begun = match self.whole {
            true => 0,
            false => self
                .bytes
                .iter()
                .position(|&b| b == b'\n')
                .map_or(ended, |at| at + 1),
        };
        let whole = self.bytes.get(begun..ended).unwrap_or_default();
        whole
            .rsplit(|&b| b == b'\n')
            .filter_map(|line| std::str::from_utf8(line).ok()?.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TempDir;
    use super::*;

    fn log(numbers: std::ops::Range<u32>) -> String {
        numbers
            .map(|n| format!("2026-11-21T01:02:03.123456Z f 1-1 out {n}\n"))
            .collect()
    }

    fn tail(settings: &LogSettings, lines: usize) -> Vec<u32> {
        let lines = read(settings, "f", lines).unwrap();
        lines
            .iter()
            .map(|line| line.text.parse().unwrap())
            .collect()
    }

    #[test]
    fn takes_the_last_lines_over_all_files() {
        let dir = TempDir::new();
        let settings = LogSettings::new(dir.path());
        assert!(tail(&settings, 5).is_empty());
        dir.write("f.log.2", &log(0..3));
        dir.write("f.log.1", &log(3..6));
        dir.write("f.log", &log(6..8));
        assert!(tail(&settings, 0).is_empty());
        assert_eq!(tail(&settings, 1), [7]);
        assert_eq!(tail(&settings, 2), [6, 7]);
        assert_eq!(tail(&settings, 4), [4, 5, 6, 7]);
        assert_eq!(tail(&settings, 100), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn reads_no_more_than_it_needs_over_many_blocks() {
        let dir = TempDir::new();
        let settings = LogSettings::new(dir.path());
        dir.write("f.log", &log(0..10_000));
        assert_eq!(tail(&settings, 3), [9997, 9998, 9999]);
        assert_eq!(tail(&settings, 5000), (5000..10_000).collect::<Vec<_>>());
        let file = File::open(dir.path().join("f.log")).unwrap();
        let length = file.metadata().unwrap().len();
        assert_eq!(
            End::read(&file, length, 3, u64::MAX).unwrap().bytes.len() as u64,
            BLOCK_BYTES
        );
    }

    #[test]
    fn is_bounded_in_lines_and_bytes() {
        let dir = TempDir::new();
        dir.write("f.log", &log(10..90));
        let line = log(10..11).len() as u64;
        let few = LogSettings {
            tail_lines: 4,
            ..LogSettings::new(dir.path())
        };
        assert_eq!(tail(&few, 50), [86, 87, 88, 89]);
        // Half a line at the front is left out, and so is a file after the budget is used up.
        dir.write("f.log.1", &log(1..9));
        let little = LogSettings {
            tail_bytes: 2 * line + 5,
            ..LogSettings::new(dir.path())
        };
        assert_eq!(tail(&little, 50), [88, 89]);
    }

    #[test]
    fn leaves_out_what_is_no_line() {
        let dir = TempDir::new();
        let settings = LogSettings::new(dir.path());
        dir.write("f.log", &format!("nonsense\n\n{}half of a li", log(1..3)));
        assert_eq!(tail(&settings, 50), [1, 2]);
        dir.write("f.log", "nothing whole");
        assert!(tail(&settings, 50).is_empty());
        dir.write("f.log", "\n");
        assert!(tail(&settings, 50).is_empty());
    }

    #[test]
    fn a_rotation_meanwhile_repeats_nothing() {
        let dir = TempDir::new();
        let settings = LogSettings::new(dir.path());
        dir.write("f.log", &log(0..2));
        std::fs::hard_link(dir.path().join("f.log"), dir.path().join("f.log.1")).unwrap();
        assert_eq!(tail(&settings, 50), [0, 1]);
    }
}
