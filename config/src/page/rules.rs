//! Rules between keys of one file.

use std::time::Duration;

use toml::de::DeTable;

use super::{Page, locate};
use crate::units::format_duration;

/// A page and its content.
pub(crate) struct Rules<'p, 'a> {
    pub(crate) page: &'p mut Page<'a>,
    pub(crate) table: &'p DeTable<'a>,
}

impl Rules<'_, '_> {
    /// Whether the file has the key.
    pub(crate) fn has(&self, key: &str) -> bool {
        locate(self.table, key).is_some()
    }

    /// The value of the key must not exceed that of the other one; if it is the default that does,
    /// it is cut down.
    pub(crate) fn at_most<V>(&mut self, (key, value): (&str, &mut V), (other, bound): (&str, V))
    where
        V: Shown + PartialOrd + Copy,
    {
        if *value <= bound {
            return;
        }
        if !self.has(key) {
            *value = bound;
            return;
        }
        self.require(false, key, &[other], || {
            format!("no more than {other}, which is {}", bound.shown())
        });
    }

    /// Reports the key unless the rule holds, or one of the keys that it is about is wrong anyway.
    pub(crate) fn require(
        &mut self,
        holds: bool,
        key: &str,
        others: &[&str],
        expected: impl FnOnce() -> String,
    ) {
        if holds || !self.page.sound(&[key]) || !self.page.sound(others) {
            return;
        }
        match locate(self.table, key) {
            Some(value) => self.page.fault(key.to_owned(), value.span(), expected()),
            None => self.page.missing(key.to_owned(), None, expected()),
        }
    }

    /// The same about a value that may be a default, and so is given.
    pub(crate) fn require_of(
        &mut self,
        holds: bool,
        (key, value): (&str, &str),
        expected: impl FnOnce() -> String,
    ) {
        if !holds && !self.has(key) {
            self.page.derived(key, format!("{value:?}"), expected());
        } else {
            self.require(holds, key, &[], expected);
        }
    }
}

/// How a bound is shown.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        crate::units::format_size(*self)
    }
}

impl Shown for f64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        format_duration(*self)
    }
}
