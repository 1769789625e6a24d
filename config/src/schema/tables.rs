//! Arrays of tables, `[[name]]`, whose rows have a description of their own.

use toml::Spanned;
use toml::de::DeValue;

use super::{Key, apply_presets};
use crate::page::Page;
use crate::reference;

/// Rows of any shape, which go into a `T`.
pub(crate) trait Tables<T>: Sync {
    /// For suggestions.
    fn names(&self) -> Vec<&'static str>;

    /// Appends the table of keys to the reference.
    fn describe(&self, text: &mut String);

    /// Reads one row, which is the one of this index.
    fn read(
        &self,
        page: &mut Page<'_>,
        place: (&'static str, usize),
        row: &Spanned<DeValue<'_>>,
        target: &mut T,
    );
}

/// Rows that are read into an `R`.
pub(crate) struct Rows<T: 'static, R: 'static> {
    pub(crate) keys: &'static [Key<R>],
    /// Before the defaults are put in.
    pub(crate) blank: fn() -> R,
    /// Stores a row and its index in the file.
    pub(crate) add: fn(&mut T, R, usize),
}

impl<T, R> Tables<T> for Rows<T, R> {
    fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }

    fn describe(&self, text: &mut String) {
        reference::table(text, self.keys);
    }

    fn read(
        &self,
        page: &mut Page<'_>,
        place: (&'static str, usize),
        row: &Spanned<DeValue<'_>>,
        target: &mut T,
    ) {
        let mut content = (self.blank)();
        apply_presets(self.keys, &mut content);
        if page.row(place, self.keys, row, &mut content) {
            (self.add)(target, content, place.1);
        }
    }
}
