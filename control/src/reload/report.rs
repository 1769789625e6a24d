//! Saying what a reload did, in one line.

use std::io::Write as _;
use std::sync::Arc;

use stoker_config::Errors;
use stoker_gateway::Applied;

use crate::wire::Reloaded;

/// Names shown of a list; of the others, how many.
const NAMES: usize = 5;

/// What a reload was caused by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The gateway has started.
    Start,
    /// Files have changed.
    Files,
    /// SIGHUP.
    Hangup,
    /// The admin API.
    Request,
    /// Something was published by another gateway.
    Registry,
}

/// Writes to the log what a reload did. `former` is what was wrong before.
pub(super) fn tell(cause: Cause, result: &Result<Applied, Errors>, former: Option<&Errors>) {
    let asked = matches!(cause, Cause::Hangup | Cause::Request);
    match result {
        Ok(applied) => {
            let nothing = *applied == Applied::default();
            if !nothing {
                note(&format!("reload: {}", sentence(applied)));
            } else if former.is_some() {
                note("reload: the configuration is valid again and nothing changed");
            } else if asked {
                note("reload: nothing changed");
            }
        }
        // The same again, because another file was touched.
        Err(errors) if !asked && former == Some(errors) => {}
        Err(errors) => {
            note("reload: refused, the former configuration stays in force");
            for error in errors {
                note(&format!("reload: {error}"));
            }
        }
    }
}

/// A line in the gateway's log.
pub(crate) fn note(text: &str) {
    // There is nobody left to tell if this cannot be written.
    writeln!(std::io::stderr(), "stoker: {text}").ok();
}

/// What changed.
fn sentence(applied: &Applied) -> String {
    let parts = [
        ("added", &applied.added),
        ("new revision of", &applied.replaced),
        ("new settings of", &applied.changed),
        ("removed", &applied.removed),
        ("new certificates:", &applied.certificates),
    ];
    let mut words: Vec<String> = parts
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(verb, names)| format!("{verb} {}", list(names)))
        .collect();
    if !applied.needs_restart.is_empty() {
        let names = applied.needs_restart.join(", ");
        words.push(format!("takes effect with the next start only: {names}"));
    }
    words.join("; ")
}

fn list(names: &[Arc<str>]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES).map(|name| &**name).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl From<&Applied> for Reloaded {
    fn from(applied: &Applied) -> Self {
        let names = |names: &[Arc<str>]| names.iter().map(|name| name.to_string()).collect();
        Reloaded {
            added: names(&applied.added),
            replaced: names(&applied.replaced),
            changed: names(&applied.changed),
            removed: names(&applied.removed),
            certificates: names(&applied.certificates),
            needs_restart: applied
                .needs_restart
                .iter()
                .map(|&name| name.to_owned())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_all_in_one_line() {
        let names = |count: usize| (0..count).map(|n| Arc::from(format!("f{n}"))).collect();
        let applied = Applied {
            added: names(7),
            replaced: names(1),
            changed: Vec::new(),
            removed: names(2),
            certificates: names(1),
            needs_restart: vec!["listen", "ports"],
        };
        assert_eq!(
            sentence(&applied),
            "added f0, f1, f2, f3, f4 and 2 more; new revision of f0; removed f0, f1; new certificates: f0; takes effect \
             with the next start only: listen, ports"
        );
    }
}
