//! What is going on, on the standard error.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Characters of a bar.
const BAR: usize = 30;
/// Between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);

/// A bar on a terminal, a line per part elsewhere, nothing if it is to be quiet.
pub struct Progress {
    kind: Kind,
    label: String,
    drawn: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bar,
    Lines,
    Quiet,
}

impl Progress {
    /// Nothing is drawn yet.
    pub fn new(quiet: bool) -> Progress {
        let kind = match (quiet, io::stderr().is_terminal()) {
            (true, _) => Kind::Quiet,
            (false, true) => Kind::Bar,
            (false, false) => Kind::Lines,
        };
        Progress {
            kind,
            label: String::new(),
            drawn: None,
        }
    }

    /// Another part begins.
    pub fn part(&mut self, label: String) {
        self.clear();
        if self.kind == Kind::Lines && self.label != label {
            writeln!(io::stderr(), "{label}").ok();
        }
        self.label = label;
    }

    /// How far it is, if that is known, and what is counted.
    pub fn show(&mut self, done: Option<f64>, counted: Arguments<'_>) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= INTERVAL);
        if self.kind != Kind::Bar || !due {
            return;
        }
        self.drawn = Some(Instant::now());
        let bar = bar(done);
        let label = &self.label;
        // Losing it harms nobody.
        write!(io::stderr(), "\r\x1b[K{label} {bar} {counted}").ok();
    }

    /// Takes the bar away, for something else is about to be written.
    pub fn clear(&mut self) {
        if self.kind == Kind::Bar && self.drawn.take().is_some() {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}

fn bar(done: Option<f64>) -> String {
    let Some(done) = done else {
        return String::new();
    };
    let done = done.clamp(0.0, 1.0);
    let full = (done * BAR as f64) as usize;
    let percent = (done * 100.0) as u32;
    format!(
        "[{}{}] {percent:3}%",
        "#".repeat(full),
        " ".repeat(BAR - full)
    )
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_are_of_one_length() {
        assert_eq!(bar(None), "");
        assert_eq!(bar(Some(0.0)).len(), bar(Some(1.7)).len());
        assert!(bar(Some(0.5)).ends_with(" 50%"));
    }
}
