//! What is kept ready, for people to look at.

use super::pool::Pool;
use crate::driver::Prepared;

impl Pool {
    /// As it is now.
    pub(super) fn state(&self) -> Prepared {
        let raw = |pid: rustix::process::Pid| pid.as_raw_nonzero().get().unsigned_abs();
        let mut functions: Vec<_> = self.wants.keys().cloned().collect();
        functions.sort();
        Prepared {
            number: self.number,
            language: self.runtime.language,
            functions,
            parent: self
                .parent
                .as_ref()
                .map(|parent| (raw(parent.pid), parent.loaded)),
            spares: self
                .spares
                .iter()
                .filter_map(|spare| spare.pid.map(raw))
                .collect(),
            failure: self.failures.words.clone(),
        }
    }

    /// The same if it is not what was told last.
    pub(super) fn news(&mut self) -> Option<Prepared> {
        let state = self.state();
        if self.told.as_ref() == Some(&state) {
            return None;
        }
        self.told = Some(state.clone());
        Some(state)
    }

    /// The last that is told of it.
    pub(super) fn gone(&self) -> Prepared {
        Prepared {
            functions: Vec::new(),
            parent: None,
            spares: Vec::new(),
            failure: None,
            ..self.state()
        }
    }
}
