//! The last words of a process that could not become what it was to be.

use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, SpliceFlags};

use crate::spawner::protocol::Ending;

/// More of a pipe is not looked at: that is what a pipe holds.
const MOST: usize = 64 * 1024;
/// Lines that are told.
const LINES: usize = 3;
/// Characters that are told.
const CHARACTERS: usize = 600;

/// The last lines in a pipe, which keeps them; empty if there are none.
pub(super) fn last_lines(pipe: &OwnedFd) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        rustix::pipe::tee(pipe, &writer, MOST, SpliceFlags::NONBLOCK)?;
        drop(writer);
        let mut text = Vec::new();
        std::fs::File::from(reader)
            .take(MOST as u64)
            .read_to_end(&mut text)?;
        Ok(text)
    };
    shorten(&String::from_utf8_lossy(&read().unwrap_or_default()))
}

/// The last lines that say something, in one.
fn shorten(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join(" | ");
    let cut = last.chars().count().saturating_sub(CHARACTERS);
    last.chars()
        .skip(cut)
        .filter(|letter| !letter.is_control())
        .collect()
}

/// A sentence of a runner, which may be anything.
pub(super) fn sentence(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().take(CHARACTERS).collect()
}

/// How a process ended, `when`, and what it said last.
pub(super) fn ended(ending: Ending, when: &str, last_lines: &str) -> String {
    let how = match ending {
        Ending::Status(status) => format!("exited with status {status}"),
        Ending::Signal(signal) => format!("was killed by signal {signal}"),
        Ending::OutOfMemory { limit_bytes } => format!(
            "was killed for its memory: it used more than resources.memory = {limit_bytes} bytes"
        ),
    };
    match last_lines {
        "" => format!("{how}{when}"),
        words => format!("{how}{when}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_lines_stay_in_the_pipe() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let mut writer = std::fs::File::from(writer);
        writer
            .write_all(b"one\ntwo\n\n  three\nfour: x\n")
            .expect("there is room");
        assert_eq!(last_lines(&reader), "two | three | four: x");
        assert_eq!(last_lines(&reader), "two | three | four: x");
        drop(writer);
        let mut text = String::new();
        std::fs::File::from(reader)
            .read_to_string(&mut text)
            .expect("can be read");
        assert!(text.starts_with("one\n"), "{text}");
    }

    #[test]
    fn an_empty_pipe_has_none() {
        let (reader, _writer) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK).expect("a pipe");
        assert_eq!(last_lines(&reader), "");
        assert_eq!(ended(Ending::Status(3), "", ""), "exited with status 3");
        assert_eq!(
            ended(Ending::Signal(9), " at once", "killed"),
            "was killed by signal 9 at once: killed"
        );
    }

    #[test]
    fn long_and_odd_words_are_cut() {
        assert_eq!(shorten(&"x".repeat(5000)).len(), CHARACTERS);
        assert_eq!(shorten("a\x1b[1mb"), "a[1mb");
        assert_eq!(sentence(" two\n words "), "two words");
    }
}
