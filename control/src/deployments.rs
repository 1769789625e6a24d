//! What was published, put beside the functions of files in a configuration.
//!
//! A configuration can always be made: a function that has the name of one of a file, whose code is
//! gone or whose secrets cannot be read is left out with a warning, and so is a revision by itself
//! where others of its function can serve.

mod collect;
mod overlay;
mod secret_files;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stoker_config::Config;
use stoker_registry::Registry;

use crate::policies;

pub(crate) use collect::collect;
pub(crate) use overlay::dress;

/// No generation that a store has.
const NONE: u64 = 0;

/// The registry of this gateway, and how much of it is in force.
#[derive(Debug)]
pub struct Deployments {
    /// Why there is none, if it could not be opened.
    registry: Result<Arc<Registry>, String>,
    directory: PathBuf,
    /// The store's generation that was looked at last.
    seen: AtomicU64,
}

impl Deployments {
    /// Opens the registry of the state directory, which is made if it is not there. One that cannot
    /// be opened is a warning, and nothing of it is served.
    pub fn open(config: &mut Config) -> Arc<Deployments> {
        let spec = &config.gateway.registry;
        let directory = config.gateway.registry_dir();
        let registry = Registry::open(&directory, spec.key_file.as_deref(), spec.audit_entries);
        let registry = registry.map_err(|error| {
            let shown = directory.display();
            let why = chain(&error);
            format!("the registry in {shown} cannot be opened, and nothing of it is served: {why}")
        });
        if let Err(why) = &registry {
            config.warnings.push(why.clone());
        }
        Arc::new(Deployments {
            registry: registry.map(Arc::new),
            directory,
            seen: AtomicU64::new(NONE),
        })
    }

    /// The registry.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub fn registry(&self) -> Result<&Arc<Registry>, &str> {
        self.registry.as_ref().map_err(String::as_str)
    }

    /// Removes what a crash left behind. Only while this process alone leads the state directory, and
    /// before anything is published.
    pub fn clean_up(&self) {
        let Ok(registry) = &self.registry else {
            return;
        };
        if let Err(error) = registry.clean_up() {
            let (directory, why) = (self.directory.display(), chain(&error));
            eprintln!("stoker: what a crash left in {directory} is not all removed: {why}");
        }
    }

    /// Puts what was published into a configuration of files, and then the policies that were
    /// promoted.
    pub fn apply(&self, config: &mut Config) {
        if let Ok(registry) = &self.registry {
            // Before anything is read: what changes meanwhile is seen as a change.
            let generation = registry.store().generation().unwrap_or(NONE);
            self.seen.store(generation, Ordering::Relaxed);
            overlay::apply(config, registry);
        }
        policies::apply(config);
    }

    /// Whether something was published, here or by another gateway, since a configuration was made or
    /// this was asked last.
    pub fn changed(&self) -> bool {
        let Ok(registry) = &self.registry else {
            return false;
        };
        let generation = registry.store().generation();
        let seen = |generation| self.seen.swap(generation, Ordering::Relaxed);
        generation.is_ok_and(|generation| generation != seen(generation))
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
