//! The record of all functions: what is kept of it, and how it is had.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Scaler;
use crate::record::{Chunk, RecordSettings, Store};

impl<C: Send + 'static> Scaler<C> {
    /// Changes what is recorded and kept; before that the defaults hold.
    pub fn set_record(&self, settings: RecordSettings) {
        self.shared.record.configure(settings);
    }

    /// The store, for its size and its clock.
    pub fn record(&self) -> &Arc<Store> {
        &self.shared.record
    }

    /// What is kept of the function of this name, or of all, since a time in microseconds since
    /// 1970. Chunks of one function are in order.
    pub fn recorded(&self, function: Option<&str>, since: u64) -> Vec<Arc<Chunk>> {
        // Before the store: one that is given meanwhile is in both.
        let open: Vec<_> = self
            .functions()
            .iter()
            .filter(|it| function.is_none_or(|name| **it.name() == *name))
            .filter_map(|it| it.open_chunk())
            .collect();
        let mut chunks = self.shared.record.chunks(function, since);
        let given: HashSet<u64> = chunks.iter().map(|chunk| chunk.id()).collect();
        chunks.extend(open.into_iter().filter(|open| !given.contains(&open.id())));
        chunks
    }

    /// Takes in what files have that an earlier gateway wrote, unless they cannot be read.
    pub fn load_record(&self, directory: &Path) {
        self.shared.record.load(directory);
    }

    /// Writes to `file` all that is known, for the gateway that takes over.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn leave_record(&self, file: &Path) -> io::Result<()> {
        self.seal_record();
        self.shared.record.leave(file)
    }

    /// Takes in what [`Scaler::leave_record`] wrote in the gateway before, and removes the file.
    pub fn inherit_record(&self, file: &Path) -> io::Result<()> {
        self.shared.record.inherit(file)
    }

    /// Writes to the files, if there are any, what is not there yet. Blocks.
    pub fn flush_record(&self) {
        self.seal_record();
        self.shared.record.write();
    }

    fn seal_record(&self) {
        let departed: Vec<_> = self.shared.lock().departed.values().cloned().collect();
        for function in self.functions().iter().chain(&departed) {
            function.seal_record();
        }
    }
}
