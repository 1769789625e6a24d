//! Aligned columns.

/// Rows of text under a heading. Columns are as wide as their widest cell.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these headings.
    pub(super) fn new(headings: &[&str]) -> Self {
        Table {
            rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()],
        }
    }

    /// Adds a row with a cell for every heading.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().map(printable).collect());
    }

    /// One line per row, without blanks at the ends.
    pub(super) fn render(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let start = text.len();
            for (cell, width) in row.iter().zip(&widths) {
                if text.len() > start {
                    text.push_str("  ");
                }
                text.push_str(cell);
                let missing = width - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', missing));
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }
}

/// A cell stays on its line and does not speak to the terminal. An empty one shows that it is.
fn printable(cell: String) -> String {
    match cell.as_str() {
        "" => "-".to_owned(),
        cell if cell.contains(char::is_control) => cell.replace(char::is_control, "?"),
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["NAME", "N", "URL"]);
        table.row(["a".into(), "1000".into(), "/function/a".into()]);
        table.row(["längerer".into(), "1".into(), String::new()]);
        assert_eq!(
            table.render(),
            "NAME      N     URL\n\
             a         1000  /function/a\n\
             längerer  1     -\n"
        );
    }

    #[test]
    fn cells_cannot_break_out() {
        let mut table = Table::new(&["A"]);
        table.row(["x\ny\u{1b}[31m".into()]);
        assert_eq!(table.render(), "A\nx?y?[31m\n");
    }

    #[test]
    fn headings_stand_alone() {
        assert_eq!(Table::new(&["A", "B"]).render(), "A  B\n");
    }
}
