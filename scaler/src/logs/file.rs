//! A file that rotates: the current one and the older ones beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Appends lines to a file and rotates it: `NAME` becomes `NAME.1`, that `NAME.2`, and so on. The
/// file is opened when there is something to append.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    /// Size that a file does not exceed, unless by a single line.
    file_bytes: u64,
    /// Files kept, the current one included.
    files: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl RotatingFile {
    /// At `path`, with at most `files` files, at least one, of at most `file_bytes` bytes.
    pub fn new(path: PathBuf, file_bytes: u64, files: u32) -> Self {
        RotatingFile {
            path,
            file_bytes,
            files: files.max(1),
            open: None,
        }
    }

    /// Opens the file, if it is not open, so that an error is known before there are lines.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn prepare(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(self.open()?);
        }
        Ok(())
    }

    /// Opens the file anew for the next lines: somebody may have moved it away.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Appends whole lines, and rotates between them when the file is full.
    ///
    /// After an error some of the lines may be there. The file is opened anew the next time, which
    /// also helps if somebody took it away.
    ///
    /// # Errors
    /// If the file cannot be opened, written or rotated.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let result = self.try_append(lines);
        if result.is_err() {
            self.open = None;
        }
        result
    }

    fn try_append(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.open()?,
            };
            let fitting = fitting(lines, open.bytes, self.file_bytes);
            if fitting == 0 {
                drop(open);
                self.rotate()?;
                continue;
            }
            let (now, later) = lines.split_at(fitting);
            open.file.write_all(now)?;
            open.bytes += now.len() as u64;
            self.open = Some(open);
            lines = later;
        }
        Ok(())
    }

    fn open(&self) -> io::Result<Open> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o640)
            .open(self.path(0))?;
        let mut bytes = file.seek(SeekFrom::End(0))?;
        if bytes > 0 {
            // A crash or a full disk may have left half a line, which must not swallow the next.
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                bytes += 1;
            }
        }
        Ok(Open { file, bytes })
    }

    /// Makes the current file the first of the older ones, and forgets the oldest.
    fn rotate(&self) -> io::Result<()> {
        let oldest = self.files - 1;
        // More than one goes if there used to be more.
        let mut index = oldest;
        while remove(self.path(index))? {
            index += 1;
        }
        for index in (0..oldest).rev() {
            match fs::rename(self.path(index), self.path(index + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, index: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        if index > 0 {
            path.push(format!(".{index}"));
        }
        path.into()
    }
}

/// How many bytes of whole lines still fit in a file; a line too long for any gets its own.
fn fitting(lines: &[u8], used: u64, limit: u64) -> usize {
    let room = usize::try_from(limit.saturating_sub(used)).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines.len();
    }
    let line_end = |slice: &[u8]| slice.iter().rposition(|&b| b == b'\n').map(|at| at + 1);
    match line_end(&lines[..room]) {
        Some(end) => end,
        None if used > 0 => 0,
        None => lines
            .iter()
            .position(|&b| b == b'\n')
            .map_or(lines.len(), |at| at + 1),
    }
}

/// Whether there was such a file.
fn remove(path: PathBuf) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TempDir;
    use super::*;

    fn file(dir: &TempDir, file_bytes: u64, files: u32) -> RotatingFile {
        RotatingFile::new(dir.path().join("f.log"), file_bytes, files)
    }

    #[test]
    fn rotates_between_lines_and_keeps_so_many_files() {
        let dir = TempDir::new();
        let mut file = file(&dir, 8, 3);
        file.append(b"aaa\nbbb\nccc\n").unwrap();
        file.append(b"ddd\n").unwrap();
        dir.assert_files(&[("f.log", "ccc\nddd\n"), ("f.log.1", "aaa\nbbb\n")]);
        file.append(b"eee\nfff\nggg\nhhh\niii\n").unwrap();
        dir.assert_files(&[
            ("f.log", "iii\n"),
            ("f.log.1", "ggg\nhhh\n"),
            ("f.log.2", "eee\nfff\n"),
        ]);
    }

    #[test]
    fn a_line_that_is_too_long_gets_its_own_file() {
        let dir = TempDir::new();
        let mut file = file(&dir, 8, 3);
        file.append(b"aaa\nthis is long\nbbb\n").unwrap();
        dir.assert_files(&[
            ("f.log", "bbb\n"),
            ("f.log.1", "this is long\n"),
            ("f.log.2", "aaa\n"),
        ]);
    }

    #[test]
    fn one_file_begins_anew() {
        let dir = TempDir::new();
        let mut file = file(&dir, 8, 1);
        file.append(b"aaa\nbbb\nccc\n").unwrap();
        dir.assert_files(&[("f.log", "ccc\n")]);
    }

    #[test]
    fn files_beyond_the_number_go() {
        let dir = TempDir::new();
        for index in 1..5 {
            fs::write(dir.path().join(format!("f.log.{index}")), "old\n").unwrap();
        }
        file(&dir, 4, 2).append(b"aaa\nbbb\n").unwrap();
        dir.assert_files(&[("f.log", "bbb\n"), ("f.log.1", "aaa\n")]);
    }

    #[test]
    fn goes_on_where_another_left_off() {
        let dir = TempDir::new();
        file(&dir, 100, 2).append(b"aaa\n").unwrap();
        fs::write(dir.path().join("f.log"), "aaa\nhalf a li").unwrap();
        file(&dir, 100, 2).append(b"bbb\n").unwrap();
        dir.assert_files(&[("f.log", "aaa\nhalf a li\nbbb\n")]);
    }

    #[test]
    fn an_error_is_told_and_overcome() {
        let dir = TempDir::new();
        let mut file = file(&dir, 4, 2);
        file.append(b"aaa\n").unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        file.append(b"bbb\n").unwrap_err();
        fs::create_dir(dir.path()).unwrap();
        file.append(b"ccc\n").unwrap();
        dir.assert_files(&[("f.log", "ccc\n")]);
    }
}
