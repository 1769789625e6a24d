//! The one description of every key: its name, type, default, bound and meaning. Reading,
//! checking, suggestions and the reference are all made from it, so they cannot disagree.

mod access;
mod admin;
mod build;
mod check;
mod freeze;
pub(crate) mod gateway;
mod history;
mod http2;
mod isolation;
mod load;
pub(crate) mod manifest;
mod metering;
mod mirror;
mod packages;
mod record;
mod registry;
mod rows;
pub(crate) mod rules;
mod runtime;
mod scaling;
mod schedule;
mod show;
mod starts;
mod suggest;
mod takeover;
mod telemetry;
pub(crate) mod tls;

use std::time::Duration;

use toml::de::DeValue;

pub(crate) use check::{Fault, text as check_text};
pub(crate) use rows::{Rows, Table};
pub use suggest::edit_distance;
pub(crate) use suggest::suggestion;

/// A table of the file, or (without a name) its beginning. A dotted name is a table in a table,
/// which comes after it.
pub(crate) struct Section<T: 'static> {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) content: Content<T>,
}

/// What a table holds; `T` is what it is read into.
pub(crate) enum Content<T: 'static> {
    Keys(&'static [Key<T>]),
    /// Keys of another table that comes before this one, which are read into a copy of what there
    /// is by then. None of them is required.
    Over {
        keys: &'static [Key<T>],
        copy: fn(&mut T) -> &mut T,
    },
    /// Any number of tables, `[[name]]`.
    Rows(&'static dyn Rows<T>),
    /// Names that the writer chooses, with text values.
    Names {
        rule: &'static str,
        allowed: fn(&str) -> bool,
        set: fn(&mut T, &str, &str),
    },
}

/// One key.
pub(crate) struct Key<T: 'static> {
    pub(crate) name: &'static str,
    pub(crate) preset: Preset,
    pub(crate) field: Field<T>,
    pub(crate) meaning: &'static str,
}

/// What holds if the key is left out.
#[derive(Clone, Copy)]
pub(crate) enum Preset {
    /// This TOML value, read like one in a file.
    Value(&'static str),
    /// Something that depends on other things, in words.
    Else(&'static str),
    /// It must not be left out.
    Required,
}

/// The type and the bound of a key, and where its value goes.
pub(crate) enum Field<T: 'static> {
    /// From, to.
    Whole(u64, u64, fn(&mut T, u64)),
    Number(Bounds, fn(&mut T, f64)),
    Flag(fn(&mut T, bool)),
    /// From, to.
    Span(Duration, Duration, fn(&mut T, Duration)),
    /// Like `Span`, without fractions of a second.
    Seconds(Duration, Duration, fn(&mut T, Duration)),
    /// From, to, in bytes.
    Size(u64, u64, fn(&mut T, u64)),
    /// One of these texts, and what it sets.
    Choice(&'static [Choice<T>]),
    /// What is allowed in words, and what stores the text unless it is not allowed.
    Text(&'static str, fn(&mut T, &str) -> bool),
    /// A text that is never shown.
    Secret(&'static str, fn(&mut T, &str) -> bool),
    List(List<T>),
}

/// A text and what it sets.
pub(crate) type Choice<T> = (&'static str, fn(&mut T));

/// A list of texts.
pub(crate) struct List<T: 'static> {
    /// What one element may be, in words.
    pub(crate) rule: &'static str,
    /// At least this many.
    pub(crate) least: usize,
    /// Forgets the default.
    pub(crate) clear: fn(&mut T),
    /// Stores one element unless it is not allowed.
    pub(crate) push: fn(&mut T, &str) -> bool,
}

/// Of a number with a fraction.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) min: f64,
    /// `min` itself is not allowed.
    pub(crate) above: bool,
    pub(crate) max: f64,
}

/// Section and key, as in the file.
pub(crate) type Name = (&'static str, &'static str);

/// Every name that the file may have; a section itself is a key of the beginning.
pub(crate) fn names<T>(sections: &'static [Section<T>]) -> Vec<Name> {
    let mut names = Vec::new();
    for section in sections {
        if !section.name.is_empty() {
            names.push(("", section.name));
        }
        match &section.content {
            Content::Keys(keys) => names.extend(keys.iter().map(|key| (section.name, key.name))),
            Content::Rows(rows) => {
                names.extend(rows.names().into_iter().map(|name| (section.name, name)));
            }
            // Those of another table.
            Content::Over { .. } | Content::Names { .. } => {}
        }
    }
    names
}

/// The target with every default in place.
pub(crate) fn with_presets<T>(sections: &'static [Section<T>], mut target: T) -> T {
    for section in sections {
        if let Content::Keys(keys) = &section.content {
            apply_presets(keys, &mut target);
        }
    }
    target
}

/// Stores the defaults of these keys.
pub(crate) fn apply_presets<T>(keys: &'static [Key<T>], target: &mut T) {
    for key in keys {
        if let Preset::Value(text) = key.preset {
            let value = DeValue::parse(text).expect("defaults are TOML, as a test shows");
            key.field.read(target, &value, &mut |fault: Fault| {
                unreachable!("the default of {} is not {}", key.name, fault.expected)
            });
        }
    }
}

const fn key<T>(
    name: &'static str,
    preset: Preset,
    field: Field<T>,
    meaning: &'static str,
) -> Key<T> {
    Key {
        name,
        preset,
        field,
        meaning,
    }
}
