//! Any number of tables of the same kind: `[[routes]]`.

use toml::de::DeTable;

use super::{Key, apply_presets};
use crate::page::{Page, Place};

/// The keys of tables that are read into a `T`, whatever one of them is read into.
pub(crate) trait Rows<T> {
    /// Of its keys.
    fn names(&self) -> Vec<&'static str>;

    /// The cells of the reference, one row per key.
    fn cells(&self) -> Vec<[String; 5]>;

    /// Reads one table into the target; all that is wrong is noted.
    fn read(&self, page: &mut Page<'_>, place: Place, table: &DeTable<'_>, target: &mut T);
}

/// Tables that are read into an `R` each.
pub(crate) struct Table<R: 'static, T: 'static> {
    pub(crate) keys: &'static [Key<R>],
    /// The key that a table must have to count, and where it is said to be.
    pub(crate) main: &'static str,
    /// Takes a table, its index in the file and its line.
    pub(crate) add: fn(&mut T, R, (usize, usize)),
}

impl<R: Default, T> Rows<T> for Table<R, T> {
    fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }

    fn cells(&self) -> Vec<[String; 5]> {
        self.keys.iter().map(Key::cells).collect()
    }

    fn read(&self, page: &mut Page<'_>, place: Place, table: &DeTable<'_>, target: &mut T) {
        let mut row = R::default();
        apply_presets(self.keys, &mut row);
        page.keys(place, self.keys, table, &mut row);
        if let Some(main) = table.get(self.main) {
            let line = page.line(main.span().start);
            (self.add)(target, row, (place.index.unwrap_or_default(), line));
        }
    }
}
