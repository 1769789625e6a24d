//! A policy that is tried: which settings each function gets.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stoker_config::{Changes, FunctionSpec};

use crate::{Setup, Times};

/// What settings are applied to.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// A manifest that says nothing.
    Blank,
    /// This manifest, for every function of the trace.
    Manifest(PathBuf),
    /// The manifests of a gateway, by the names of functions; others are like `Blank`.
    Gateway(Vec<(String, PathBuf)>),
}

/// What is the same for all candidates.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) base: Base,
    /// Settings that all candidates have unless they say otherwise.
    pub(crate) settings: Changes,
    pub(crate) start: Arc<Times>,
    pub(crate) start_cpu: Duration,
    /// Of an instance whose manifest limits it to no less.
    pub(crate) memory_bytes: u64,
    /// The same of single functions, or of all that are named after this and a hyphen.
    pub(crate) memories: HashMap<String, u64>,
}

/// One policy.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// As it was named.
    pub(crate) label: String,
    /// What it changes.
    pub(crate) changes: Changes,
    setup: Limited,
    named: HashMap<String, Limited>,
    memories: HashMap<String, u64>,
}

/// What is settled about a function, and its limit of memory if it has one.
#[derive(Clone, Debug)]
struct Limited {
    setup: Setup,
    most_bytes: Option<u64>,
}

impl Candidate {
    /// Checks the settings against the tables of the manifest's keys.
    pub(crate) fn new(label: &str, changes: &Changes, common: &Common) -> Result<Self, String> {
        let all = common.settings.and(changes);
        let fail = |errors: stoker_config::Errors| format!("policy {label:?}: {errors}");
        let apply = |manifest: Option<&PathBuf>| {
            let function = all.apply(manifest.map(PathBuf::as_path)).map_err(fail)?;
            Ok::<_, String>(setup(&function, common))
        };
        let (setup, named) = match &common.base {
            Base::Blank => (apply(None)?, HashMap::new()),
            Base::Manifest(path) => (apply(Some(path))?, HashMap::new()),
            Base::Gateway(functions) => {
                let named = functions
                    .iter()
                    .map(|(name, manifest)| Ok((name.clone(), apply(Some(manifest))?)));
                (apply(None)?, named.collect::<Result<_, String>>()?)
            }
        };
        Ok(Candidate {
            label: label.to_owned(),
            changes: changes.clone(),
            setup,
            named,
            memories: common.memories.clone(),
        })
    }

    /// Of this function of the trace.
    pub(crate) fn setup(&self, function: &str) -> Setup {
        let limited = self.named.get(function).unwrap_or(&self.setup);
        let app = function.split_once('-').map_or(function, |(app, _)| app);
        let memories = &self.memories;
        let memory_bytes = match memories.get(function).or_else(|| memories.get(app)) {
            Some(bytes) => limited.most_bytes.unwrap_or(*bytes).min(*bytes),
            None => limited.setup.memory_bytes,
        };
        Setup {
            memory_bytes,
            ..limited.setup.clone()
        }
    }

    /// Of functions that have none of their own.
    pub(crate) fn default_setup(&self) -> &Setup {
        &self.setup.setup
    }
}

fn setup(function: &FunctionSpec, common: &Common) -> Limited {
    let most_bytes = function.resources.memory_bytes;
    let setup = Setup {
        spec: Arc::clone(&function.scaling),
        patience: function.timeouts.queue,
        schedule: function.schedule.clone(),
        start: Arc::clone(&common.start),
        start_cpu: common.start_cpu,
        memory_bytes: most_bytes
            .map_or(common.memory_bytes, |limit| limit.min(common.memory_bytes)),
    };
    Limited { setup, most_bytes }
}
