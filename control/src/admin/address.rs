//! Functions and single revisions of them, as callers name them.

use std::sync::Arc;

use stoker_gateway::{Entry, Snapshot};

use super::problem::Problem;

/// A function, or one revision of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) function: String,
    /// As it is shown everywhere.
    revision: Option<String>,
}

impl Address {
    /// `NAME`, `NAME:rN` or `NAME:ALIAS`. Neither function nor revision need be live, for what they
    /// did is remembered; an alias must be one now.
    pub(super) fn of(snapshot: &Snapshot, text: &str) -> Result<Address, Problem> {
        let (function, alias) = match text.split_once(':') {
            None => (text, None),
            Some((function, alias)) => (function, Some(alias)),
        };
        let live = || snapshot.find(text)?.spec.number;
        let number = |alias: &str| alias.strip_prefix('r')?.parse().ok();
        let revision = match alias {
            None => None,
            Some(alias) => match live().or_else(|| number(alias)) {
                None => return Err(Problem::unknown_function(text, snapshot)),
                number => number,
            },
        };
        Ok(Address {
            function: function.to_owned(),
            revision: revision.map(|number| number.to_string()),
        })
    }

    /// Whether what is said of this revision of this function is asked for.
    pub(super) fn has(&self, function: &str, revision: &str) -> bool {
        let same = |wanted: &String| wanted == revision;
        self.function == function && self.revision.as_ref().is_none_or(same)
    }

    /// In one form, whatever alias was used.
    pub(super) fn canonical(self) -> String {
        match self.revision {
            None => self.function,
            Some(number) => format!("{}:r{number}", self.function),
        }
    }
}

/// What an entry is called: `NAME`, or `NAME:rN` for one revision of a function.
pub(super) fn name(entry: &Entry) -> String {
    match revision(entry) {
        None => entry.spec.name.to_string(),
        Some(_) => of_revision(entry),
    }
}

/// What the revision is called that this entry is, or that is its primary one.
pub(super) fn of_revision(entry: &Entry) -> String {
    let function = &entry.spec.name;
    match entry.spec.number {
        None => function.to_string(),
        Some(number) => format!("{function}:r{number}"),
    }
}

/// The revision that this entry is, as it is shown everywhere; none for a function as a whole.
pub(super) fn revision(entry: &Entry) -> Option<Arc<str>> {
    let whole = entry.deployment().is_some() || entry.spec.number.is_none();
    (!whole).then(|| entry.function.launch().label())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_asked_for_by_its_number() {
        let all = Address {
            function: "f".to_owned(),
            revision: None,
        };
        assert!(all.has("f", "1") && all.has("f", "2") && !all.has("g", "1"));
        let second = Address {
            revision: Some("2".to_owned()),
            ..all.clone()
        };
        assert!(!second.has("f", "1") && second.has("f", "2") && !second.has("g", "2"));
        assert_eq!(
            (all.canonical(), second.canonical()),
            ("f".to_owned(), "f:r2".to_owned())
        );
    }
}
