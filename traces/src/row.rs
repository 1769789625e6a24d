//! The fields of a line.

use std::time::Duration;

use crate::{MAX_SECONDS, TraceError};

/// One line, taken apart.
pub(crate) struct Row<'a> {
    pub(crate) fields: &'a [&'a str],
    pub(crate) line: u64,
}

impl<'a> Row<'a> {
    pub(crate) fn text(&self, column: &Column) -> Result<&'a str, TraceError> {
        let field = self.fields.get(column.index).copied();
        field.ok_or_else(|| {
            let message = format!(
                "the line ends before it, after {} fields",
                self.fields.len()
            );
            self.fault(column, message)
        })
    }

    /// Finite, and at most [`MAX_SECONDS`] either way after it was multiplied by `seconds`.
    pub(crate) fn number(&self, column: &Column, seconds: f64) -> Result<f64, TraceError> {
        let text = self.text(column)?;
        let number = text.parse::<f64>().ok().map(|number| number * seconds);
        let number = number.filter(|number| number.abs() <= MAX_SECONDS);
        number.ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            self.fault(
                column,
                format!("{shown:?} is no number of the size that a trace has"),
            )
        })
    }

    pub(crate) fn duration(&self, column: &Column, seconds: f64) -> Result<Duration, TraceError> {
        let number = self.number(column, seconds)?;
        Duration::try_from_secs_f64(number)
            .map_err(|_| self.fault(column, format!("{number} s is no duration: it is negative")))
    }

    /// None if the column is missing or the field is empty.
    pub(crate) fn optional_duration(
        &self,
        column: Option<&Column>,
        seconds: f64,
    ) -> Result<Option<Duration>, TraceError> {
        match column {
            Some(column) if !self.text(column)?.is_empty() => {
                self.duration(column, seconds).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn fault(&self, column: &Column, message: String) -> TraceError {
        TraceError::new(self.line, &column.name, message)
    }
}

/// Where a column is.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) index: usize,
}

pub(crate) fn unquoted(field: &str) -> &str {
    let field = field.trim();
    let inner = field
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(field)
}
