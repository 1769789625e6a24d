//! Writing to the standard output and the standard error.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

pub(super) use crate::span::{span, span_of};

/// The standard output. Every method returns the error of a closed pipe; none panics.
pub(super) struct Output(BufWriter<Stdout>);

impl Output {
    pub(super) fn standard() -> Self {
        Output(BufWriter::new(io::stdout()))
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{text}")
    }

    /// One line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, value)?;
        self.0.write_all(b"\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What a revision of a function is called: `NAME:rN` if it has a number, else as its function.
pub(super) fn address(function: &str, revision: &str) -> String {
    // Those of files have the sixteen digits of a hash in its place.
    match revision.parse::<u32>() {
        Ok(number) if revision.len() < 16 => format!("{function}:r{number}"),
        _ => function.to_owned(),
    }
}

/// A line on the standard error; lost if that is closed.
pub(super) fn complain(text: &str) {
    remark(&format!("stoker: {text}"));
}

/// A line on the standard error, as it is.
pub(super) fn remark(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}
