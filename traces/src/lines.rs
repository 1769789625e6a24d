//! The lines of a file.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::{MAX_LINE_BYTES, TraceError};

/// The lines of a file, of bounded length.
#[derive(Debug)]
pub(crate) struct Lines {
    name: String,
    file: BufReader<File>,
    line: Vec<u8>,
    /// Read so far.
    count: u64,
    /// Read so far.
    pub(crate) bytes: u64,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, TraceError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Ok(Lines {
                name,
                file: BufReader::with_capacity(1 << 16, file),
                line: Vec::new(),
                count: 0,
                bytes: 0,
            }),
            Err(cause) => {
                let error = TraceError::new(0, "", format!("cannot be read: {cause}"));
                Err(TraceError {
                    file: name,
                    ..error
                })
            }
        }
    }

    /// Reads the next one; false if there is none.
    pub(crate) fn next(&mut self) -> Result<bool, TraceError> {
        self.line.clear();
        let mut bounded = self.file.by_ref().take(MAX_LINE_BYTES + 1);
        let read = bounded.read_until(b'\n', &mut self.line);
        self.count += 1;
        let read = read.map_err(|cause| {
            let message = format!("cannot be read: {cause}");
            self.named(TraceError::new(self.count, "", message))
        })?;
        self.bytes += read as u64;
        Ok(read > 0)
    }

    /// The one that was read last, with its end; what is not UTF-8 is replaced.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.line)
    }

    pub(crate) fn named(&self, error: TraceError) -> TraceError {
        TraceError {
            file: self.name.clone(),
            ..error
        }
    }
}
