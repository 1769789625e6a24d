//! Processes that are kept ready to become instances.

use std::fs;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use stoker_scaler::driver::{Language, Prepared};

use super::problem::Problem;
use super::{App, aside};
use crate::wire::PreparedInfo;

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    aside(move || {
        let prepared = app.state.gateway.scaler().prepared();
        let list: Vec<PreparedInfo> = prepared.iter().flat_map(processes).collect();
        Json(list).into_response()
    })
    .await
}

/// How many processes wait for the starts of a revision.
pub(super) fn spares_of(all: &[Prepared], function: &str, revision: &str) -> u32 {
    let of_it = |prepared: &&Prepared| {
        let mut names = prepared.functions.iter();
        names.any(|(name, other)| &**name == function && &**other == revision)
    };
    let count: usize = all.iter().filter(of_it).map(|it| it.spares.len()).sum();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Its processes; the cause stands for them if there are none for that.
fn processes(prepared: &Prepared) -> Vec<PreparedInfo> {
    let functions: Vec<String> = prepared
        .functions
        .iter()
        .map(|(function, _)| function.to_string())
        .collect();
    let info = |kind: &str, state: &str, pid: Option<u32>| PreparedInfo {
        kind: kind.to_owned(),
        functions: functions.clone(),
        runtime: prepared.language.name().to_owned(),
        state: state.to_owned(),
        pid,
        memory_bytes: pid.and_then(memory),
        failure: prepared.failure.clone(),
    };
    let kind = match prepared.language {
        Language::Python => "spare",
        Language::Node => "cell",
    };
    let parent = prepared.parent.map(|(pid, loaded)| {
        let state = if loaded { "ready" } else { "loading" };
        info("parent", state, Some(pid))
    });
    let spares = prepared.spares.iter();
    let mut all: Vec<PreparedInfo> = parent
        .into_iter()
        .chain(spares.map(|pid| info(kind, "waiting", Some(*pid))))
        .collect();
    if all.is_empty() && prepared.failure.is_some() {
        let kind = match prepared.language {
            Language::Python => "parent",
            Language::Node => "cell",
        };
        all.push(info(kind, "failed", None));
    }
    all
}

/// What a process holds: its own pages, and its part of those that it shares (PSS), or all of them
/// if the kernel does not tell us more.
fn memory(pid: u32) -> Option<u64> {
    fn field(text: &str, name: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024)
    }
    let shared = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    shared.and_then(|text| field(&text, "Pss:")).or_else(|| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        field(&status, "VmRSS:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python() -> Prepared {
        Prepared {
            number: 1,
            language: Language::Python,
            functions: vec![(Arc::from("f"), Arc::from("r"))],
            parent: Some((std::process::id(), true)),
            spares: vec![std::process::id(), 1],
            failure: None,
        }
    }

    #[test]
    fn each_process_is_listed_with_its_memory() {
        let all = processes(&python());
        let kinds: Vec<_> = all.iter().map(|it| (&*it.kind, &*it.state)).collect();
        assert_eq!(
            kinds,
            [
                ("parent", "ready"),
                ("spare", "waiting"),
                ("spare", "waiting")
            ]
        );
        assert!(all[0].memory_bytes.is_some_and(|bytes| bytes > 100_000));
        assert_eq!(spares_of(&[python()], "f", "r"), 2);
        assert_eq!(spares_of(&[python()], "f", "s"), 0);
    }

    #[test]
    fn a_failure_is_shown_without_a_process() {
        let failing = Prepared {
            parent: None,
            spares: Vec::new(),
            failure: Some("no such module".to_owned()),
            ..python()
        };
        let all = processes(&failing);
        assert_eq!(all.len(), 1);
        assert_eq!((&*all[0].state, all[0].pid), ("failed", None));
        assert_eq!(all[0].failure.as_deref(), Some("no such module"));
    }
}
