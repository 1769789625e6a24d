//! The walk over a file's tables along the description of its keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Page, dotted, locate};
use crate::schema::{Content, Fault, Key, Preset, Rows, Section, check_text, suggestion};

/// Which table is being read.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    section: &'static str,
    /// Among its like.
    pub(crate) index: Option<usize>,
    /// Where it begins; `None` for one that is not in the file.
    start: Option<usize>,
}

type Entry<'t, 'a> = (
    &'t Spanned<std::borrow::Cow<'a, str>>,
    &'t Spanned<DeValue<'a>>,
);

impl Page<'_> {
    /// Reads the whole file into the target; all that is wrong is noted.
    pub(crate) fn read<T>(
        &mut self,
        table: &DeTable<'_>,
        sections: &'static [Section<T>],
        target: &mut T,
    ) {
        for section in sections {
            if section.name.is_empty() {
                self.beginning(table, sections, section, target);
            } else if let Some(value) = locate(table, section.name) {
                self.section(section, value, target);
            } else if let Content::Keys(keys) = section.content {
                let place = Place {
                    section: section.name,
                    index: None,
                    start: None,
                };
                self.required(place, keys, &DeTable::new());
            }
        }
    }

    fn beginning<T>(
        &mut self,
        table: &DeTable<'_>,
        sections: &'static [Section<T>],
        section: &'static Section<T>,
        target: &mut T,
    ) {
        let Content::Keys(keys) = section.content else {
            return;
        };
        let place = Place {
            section: "",
            index: None,
            start: None,
        };
        for entry in table {
            if !sections
                .iter()
                .any(|section| section.name == entry.0.get_ref())
            {
                self.entry(place, keys, entry, target);
            }
        }
        self.required(place, keys, table);
    }

    fn section<T>(
        &mut self,
        section: &'static Section<T>,
        value: &Spanned<DeValue<'_>>,
        target: &mut T,
    ) {
        let place = Place {
            section: section.name,
            index: None,
            start: Some(value.span().start),
        };
        match (&section.content, value.get_ref()) {
            (Content::Keys(keys), DeValue::Table(table)) => self.keys(place, keys, table, target),
            (Content::Over { keys, copy }, DeValue::Table(table)) => {
                self.keys(place, keys, table, copy(target));
            }
            (Content::Names { rule, allowed, set }, DeValue::Table(table)) => {
                for entry in table {
                    if let Some((name, value)) = self.name(place, (rule, *allowed), entry) {
                        set(target, name, value);
                    }
                }
            }
            (Content::Rows(rows), DeValue::Array(found)) => {
                for (index, row) in found.iter().enumerate() {
                    let place = Place {
                        index: Some(index),
                        start: Some(row.span().start),
                        ..place
                    };
                    self.row(place, *rows, row, target);
                }
            }
            (Content::Rows(_), _) => {
                let expected = format!("tables that begin with [[{}]]", section.name);
                self.fault(section.name.to_owned(), value.span(), expected);
            }
            _ => {
                let expected = format!("a table that begins with [{}]", section.name);
                self.fault(section.name.to_owned(), value.span(), expected);
            }
        }
    }

    fn row<T>(
        &mut self,
        place: Place,
        rows: &dyn Rows<T>,
        row: &Spanned<DeValue<'_>>,
        target: &mut T,
    ) {
        let DeValue::Table(table) = row.get_ref() else {
            let expected = format!("tables that begin with [[{}]]", place.section);
            return self.fault(dotted(place.section, place.index, ""), row.span(), expected);
        };
        rows.read(self, place, table, target);
    }

    /// Reads one table; all that is wrong is noted.
    pub(crate) fn keys<T>(
        &mut self,
        place: Place,
        keys: &'static [Key<T>],
        table: &DeTable<'_>,
        target: &mut T,
    ) {
        for entry in table {
            self.entry(place, keys, entry, target);
        }
        self.required(place, keys, table);
    }

    fn entry<T>(
        &mut self,
        place: Place,
        keys: &'static [Key<T>],
        (name, value): Entry<'_, '_>,
        target: &mut T,
    ) {
        let Some(key) = keys.iter().find(|key| key.name == name.get_ref()) else {
            return self.unknown(place, name, value);
        };
        key.field.read(target, value, &mut |fault: Fault| {
            let mut path = dotted(place.section, place.index, key.name);
            if let Some(index) = fault.index {
                path = dotted(&path, Some(index), "");
            }
            self.fault(path, fault.span, fault.expected);
        });
    }

    /// Reported where the key is: the value may be a table far below.
    fn unknown(
        &mut self,
        place: Place,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let names = (self.names)();
        let inner = dotted(place.section, None, name.get_ref());
        if place.index.is_none() && names.contains(&("", inner.as_str())) {
            // A table in this one, which is read by itself.
            return;
        }
        let expected = suggestion(place.section, name.get_ref(), &names);
        let whole_table = matches!(value.get_ref(), DeValue::Table(_));
        let span: Range<usize> = if whole_table {
            name.span()
        } else {
            value.span()
        };
        self.fault(
            dotted(place.section, place.index, name.get_ref()),
            span,
            expected,
        );
    }

    fn name<'t>(
        &mut self,
        place: Place,
        (rule, allowed): (&str, fn(&str) -> bool),
        (name, value): Entry<'t, '_>,
    ) -> Option<(&'t str, &'t str)> {
        let key = || dotted(place.section, None, name.get_ref());
        if !allowed(name.get_ref()) {
            self.note(
                key(),
                name.span().start,
                dotted("", None, name.get_ref()),
                rule.to_owned(),
            );
        }
        let text = check_text(value.get_ref());
        if text.is_none() {
            let expected = "a text; numbers and the like need quotes".to_owned();
            self.fault(key(), value.span(), expected);
        }
        Some((name.get_ref(), text?))
    }

    fn required<T>(&mut self, place: Place, keys: &'static [Key<T>], table: &DeTable<'_>) {
        for key in keys {
            if matches!(key.preset, Preset::Required) && !table.contains_key(key.name) {
                let path = dotted(place.section, place.index, key.name);
                self.missing(path, place.start, key.field.expected());
            }
        }
    }
}
