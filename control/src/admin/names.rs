//! Asking for some functions only, for whoever looks often and sees few of thousands.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;
use stoker_gateway::Snapshot;

use super::address::Address;
use super::problem::{Kind, Problem};

/// Functions in one request: more than a screen has lines.
const NAMES_MOST: usize = 100;

/// Of a request for functions, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamesQuery {
    /// Only functions of these names, with commas between them, at most 100; all if left out. Single
    /// revisions are `NAME:rN` or `NAME:ALIAS`. Of a name that there is not there is nothing in the
    /// answer.
    pub(super) names: Option<String>,
}

/// Which functions are asked for.
#[derive(Debug)]
pub(super) struct Names(Option<HashSet<String>>);

impl NamesQuery {
    pub(super) fn names(self, snapshot: &Snapshot) -> Result<Names, Problem> {
        self.resolved(|name| Some(Address::of(snapshot, name).ok()?.canonical()))
    }

    fn resolved(self, resolve: impl Fn(&str) -> Option<String>) -> Result<Names, Problem> {
        let Some(text) = self.names else {
            return Ok(Names(None));
        };
        let names = text.split(',').filter(|name| !name.is_empty());
        let names = names.map(|name| match name.contains(':') {
            false => name.to_owned(),
            true => resolve(name).unwrap_or_else(|| name.to_owned()),
        });
        let names: HashSet<String> = names.collect();
        if names.len() > NAMES_MOST {
            let count = names.len();
            let detail = format!("names has {count} names; ask for at most {NAMES_MOST} at once");
            return Err(Problem::new(Kind::BadRequest, detail));
        }
        Ok(Names(Some(names)))
    }
}

impl Names {
    /// Whether a function is asked for.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Whether one revision of a function is asked for, with the others or by itself.
    pub(super) fn has_revision(&self, name: &str, revision: &str) -> bool {
        let alone = |names: &HashSet<String>| names.contains(&format!("{name}:r{revision}"));
        self.has(name) || self.0.as_ref().is_some_and(alone)
    }

    /// The revisions that are asked for by themselves: `NAME:rN`.
    pub(super) fn revisions(&self) -> impl Iterator<Item = &String> {
        let names = self.0.iter().flatten();
        names.filter(|name| name.contains(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: Option<&str>) -> Result<Names, Problem> {
        let names = text.map(str::to_owned);
        NamesQuery { names }.resolved(|name| (name == "a:new").then(|| "a:r2".to_owned()))
    }

    #[test]
    fn some_all_or_too_many() {
        let some = names(Some("a,b,,a")).unwrap();
        assert!(some.has("a") && some.has("b") && !some.has("c") && !some.has(""));
        assert!(names(None).unwrap().has("c"));
        let one = names(Some("a:new,b,c:x")).unwrap();
        assert!(!one.has("a") && one.has_revision("a", "2") && !one.has_revision("a", "1"));
        assert!(one.has_revision("b", "7") && one.revisions().any(|name| name == "a:r2"));
        assert!(!names(Some("")).unwrap().has("c"));
        let many: Vec<_> = (0..101).map(|index| index.to_string()).collect();
        assert!(names(Some(&many[..100].join(","))).is_ok());
        assert!(names(Some(&many.join(","))).is_err());
    }
}
