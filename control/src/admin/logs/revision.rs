//! The lines of one revision among those of its function.
//!
//! A line names its instance. Which revision that ran is known of those that are there, and of those
//! whose start is remembered; lines of others, and those of no instance, are left out.

use std::collections::HashMap;
use std::sync::Arc;

use stoker_core::InstanceId;
use stoker_gateway::{Gateway, Scaler};
use stoker_scaler::logs::LogLine;

/// Whether a line is one of a revision.
pub(super) struct OfRevision {
    scaler: Arc<Scaler>,
    function: String,
    revision: Arc<str>,
    known: HashMap<InstanceId, bool>,
}

impl OfRevision {
    /// Of this function's revision, which is called so everywhere.
    pub(super) fn new(gateway: &Gateway, function: String, revision: Arc<str>) -> Self {
        OfRevision {
            scaler: Arc::clone(gateway.scaler()),
            function,
            revision,
            known: HashMap::new(),
        }
    }

    /// Whether it is this revision's.
    pub(super) fn has(&mut self, line: &LogLine) -> bool {
        let Some(id) = line.instance else {
            return false;
        };
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        // An instance is known before it can say anything.
        self.learn();
        *self.known.entry(id).or_insert(false)
    }

    fn learn(&mut self) {
        for start in self.scaler.starts(Some(&self.function)) {
            let mine = start.revision == self.revision;
            self.known.insert(start.instance, mine);
        }
        let functions = self.scaler.functions().into_iter();
        for function in functions.filter(|it| **it.name() == *self.function) {
            let mine = function.launch().label() == self.revision;
            let instances = function.view().pool.instances.into_iter();
            self.known.extend(instances.map(|it| (it.id, mine)));
        }
    }
}
