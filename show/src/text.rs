//! Figures and columns as people read them.

use std::time::Duration;

/// Three significant digits and the largest unit of ns, µs, ms and s that leaves at least 1:
/// `842µs`, `1.23ms`, `73.0s`.
pub fn span(duration: Duration) -> String {
    let ns = duration.as_nanos() as f64;
    // What three digits round up to the next unit is written in that.
    let (unit, name) = match ns {
        ns if ns < 999.5 => return format!("{ns:.0}ns"),
        ns if ns < 999.5e3 => (1e3, "µs"),
        ns if ns < 999.5e6 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{}{name}", digits(ns / unit))
}

/// Three significant digits, more in front of the point: `0.0123`, `1.20`, `45.6`, `7,890`.
pub fn number(number: f64) -> String {
    match number.abs() {
        size if size >= 999.5 => grouped(number.round() as i64),
        0.0 => "0".to_owned(),
        size if size < 0.995 => {
            let places = (2.0 - size.log10().floor()).min(9.0) as usize;
            format!("{number:.places$}")
        }
        _ => digits(number),
    }
}

/// At least 1.
fn digits(number: f64) -> String {
    match number.abs() {
        size if size < 9.995 => format!("{number:.2}"),
        size if size < 99.95 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// Thousands apart: `12,345`.
pub fn count(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A share in [0, 1] in percent: `0.12 %`, and never `0 %` if it is not nothing.
pub fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What came from outside stays on its line and does not speak to the terminal.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// Aligned columns under a heading, each as wide as its widest cell.
pub struct Columns {
    rows: Vec<Vec<String>>,
    /// Columns at the left that begin at one place; the others end at one.
    texts: usize,
    /// Whether the last column is of words too.
    words_last: bool,
}

impl Columns {
    /// With these headings, of which the first `texts` are of words and the others of figures.
    pub fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>, texts: usize) -> Self {
        let headings = headings.into_iter().map(Into::into).collect();
        Columns {
            rows: vec![headings],
            texts,
            words_last: false,
        }
    }

    /// The last column is of words too.
    pub fn ending_in_words(self) -> Self {
        Columns {
            words_last: true,
            ..self
        }
    }

    /// Adds a row; cells that are missing at its end are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    /// One line per row, without blanks at the ends.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if index > 0 {
                    line.push_str("  ");
                }
                let missing = " ".repeat(width - cell.chars().count());
                let (before, after) =
                    match index < self.texts || (self.words_last && index + 1 == columns) {
                        true => ("", missing.as_str()),
                        false => (missing.as_str(), ""),
                    };
                line.extend([before, cell, after]);
            }
            text.push_str(line.trim_end_matches(' '));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (ns, wanted) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1.00µs"),
            (842_300, "842µs"),
            (999_600, "1.00ms"),
            (1_234_567, "1.23ms"),
            (9_999_000, "10.0ms"),
            (12_345_678, "12.3ms"),
            (73_000_000_000, "73.0s"),
            (3_600_000_000_000, "3600s"),
        ] {
            assert_eq!(span(Duration::from_nanos(ns)), wanted);
        }
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, wanted) in [
            (0.0, "0"),
            (0.012_34, "0.0123"),
            (0.999, "1.00"),
            (1.2, "1.20"),
            (45.64, "45.6"),
            (999.9, "1,000"),
            (7890.4, "7,890"),
            (-12345.0, "-12,345"),
        ] {
            assert_eq!(number(value), wanted);
        }
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(percent(0.0012), "0.120 %");
    }

    #[test]
    fn columns_are_aligned() {
        let mut columns = Columns::new(["NAME", "N"], 1);
        columns.row(["a\u{1b}[1m".to_owned(), "1,000".to_owned()]);
        columns.row(["längerer".to_owned(), "1".to_owned()]);
        assert_eq!(
            columns.render(),
            "NAME          N\na?[1m     1,000\nlängerer      1\n"
        );
    }
}
