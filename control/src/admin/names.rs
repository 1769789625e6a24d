//! Asking for some functions only, for whoever looks often and sees few of thousands.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::{Kind, Problem};

/// Functions in one request: more than a screen has lines.
const NAMES_MOST: usize = 100;

/// Of a request for functions, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamesQuery {
    /// Only functions of these names, with commas between them, at most 100; all if left out. Of a
    /// name that there is not there is nothing in the answer.
    pub(super) names: Option<String>,
}

/// Which functions are asked for.
#[derive(Debug)]
pub(super) struct Names(Option<HashSet<String>>);

impl NamesQuery {
    pub(super) fn names(self) -> Result<Names, Problem> {
        let Some(text) = self.names else {
            return Ok(Names(None));
        };
        let names = text.split(',').filter(|name| !name.is_empty());
        let names: HashSet<String> = names.map(str::to_owned).collect();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: Option<&str>) -> Result<Names, Problem> {
        let names = text.map(str::to_owned);
        NamesQuery { names }.names()
    }

    #[test]
    fn some_all_or_too_many() {
        let some = names(Some("a,b,,a")).unwrap();
        assert!(some.has("a") && some.has("b") && !some.has("c") && !some.has(""));
        assert!(names(None).unwrap().has("c"));
        assert!(!names(Some("")).unwrap().has("c"));
        let many: Vec<_> = (0..101).map(|index| index.to_string()).collect();
        assert!(names(Some(&many[..100].join(","))).is_ok());
        assert!(names(Some(&many.join(","))).is_err());
    }
}
