//! A comparison as people read it.

use super::{Compared, Comparison};
use crate::samples::duration;
use stoker_show::text::{self, Columns, printable};

/// The most characters of a value that differs.
const MAX_SHOWN: usize = 60;

impl Comparison {
    /// The differences between the runs first, then the figures. `first` and `second` are what the
    /// runs are called, such as their files.
    pub fn text(&self, first: &str, second: &str) -> String {
        let mut page = format!("A  {}\nB  {}\n", printable(first), printable(second));
        if !self.differences.is_empty() {
            page.push_str("\nThe runs differ in more than their figures:\n");
            let mut columns = Columns::new(["WHAT", "A", "B"], 3);
            for one in &self.differences {
                let cells = [&one.what, &one.first, &one.second];
                columns.row(cells.map(|cell| shortened(cell)));
            }
            page.push_str(&columns.render());
        }
        page.push('\n');
        page.push_str(&self.table());
        if !self.notes.is_empty() {
            page.push('\n');
        }
        for note in &self.notes {
            page.push_str(&format!("note: {}\n", printable(note)));
        }
        page
    }

    fn table(&self) -> String {
        if self.figures.is_empty() {
            return "no series is in both runs\n".to_owned();
        }
        let headings = [
            "SERIES", "OF", "FIGURE", "A", "B", "B/A", "95 %", "CHANCE", "  B IS",
        ];
        let mut columns = Columns::new(headings, 3).ending_in_words();
        for one in &self.figures {
            let show = |value: Option<f64>| value.map_or_else(nothing, |value| one.show(value));
            let ratio = |value: f64| format!("{value:.3}");
            let interval = one.low.zip(one.high);
            columns.row([
                one.series.clone(),
                one.measure.clone(),
                one.figure.clone(),
                show(one.first),
                show(one.second),
                one.ratio.map_or_else(nothing, ratio),
                interval.map_or_else(nothing, |(low, high)| {
                    format!("{}..{}", ratio(low), ratio(high))
                }),
                one.chance
                    .map_or_else(nothing, |chance| format!("{chance:.3}")),
                one.verdict.name().to_owned(),
            ]);
        }
        columns.render()
    }
}

impl Compared {
    fn show(&self, value: f64) -> String {
        match self.unit.as_str() {
            "ns" => text::span(duration(value)),
            _ => format!("{}/s", text::number(value)),
        }
    }
}

fn nothing() -> String {
    "-".to_owned()
}

fn shortened(cell: &str) -> String {
    if cell.is_empty() {
        return nothing();
    }
    if cell.chars().count() <= MAX_SHOWN {
        return cell.to_owned();
    }
    let start: String = cell.chars().take(MAX_SHOWN - 1).collect();
    start + "…"
}
