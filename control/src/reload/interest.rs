//! Which events of which files matter.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind};
use stoker_config::MANIFEST;

/// Symbolic links that lead from one to the next.
const LINKS: usize = 16;

/// What to watch and which of its events matter. Functions write files beside their manifests, and
/// those must not cause a reload.
///
/// Directories are watched, never files: a file that is replaced by a rename takes its watch along.
/// All paths are real ones, so that a directory with two names is watched once.
#[derive(Debug, Default)]
pub(super) struct Interest {
    /// To be watched.
    pub(super) directories: HashSet<PathBuf>,
    /// Files and directories whose every change matters.
    paths: HashSet<PathBuf>,
    /// Directories in which a new directory may be a function.
    searched: HashSet<PathBuf>,
    /// Watched directories that were removed or moved, so that their watches are void.
    pub(super) void: HashSet<PathBuf>,
}

impl Interest {
    /// In the files and directories that a configuration was read from.
    pub(super) fn of(watched: &[PathBuf]) -> Self {
        let mut tracer = Tracer::default();
        for path in watched {
            tracer.trace(path, LINKS);
            if let Ok(real) = fs::canonicalize(path)
                && real.is_dir()
            {
                tracer.interest.searched.insert(real.clone());
                tracer.interest.paths.insert(real.clone());
                tracer.interest.directories.insert(real);
            }
        }
        // What has a manifest is a function, and what is below it is the function's own.
        let Interest {
            paths, searched, ..
        } = &mut tracer.interest;
        searched.retain(|directory| !paths.contains(&directory.join(MANIFEST)));
        tracer.interest
    }

    /// Whether the event may have changed the configuration.
    pub(super) fn concerns(&mut self, event: &Event) -> bool {
        if event.need_rescan() {
            return true;
        }
        match event.kind {
            // Reading the configuration is no change of it.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            EventKind::Access(_) => return false,
            _ => {}
        }
        let gone = matches!(
            event.kind,
            EventKind::Remove(RemoveKind::Folder | RemoveKind::Any | RemoveKind::Other)
                | EventKind::Modify(ModifyKind::Name(_))
        );
        let come = matches!(
            event.kind,
            EventKind::Create(CreateKind::Folder | CreateKind::File | CreateKind::Any)
                | EventKind::Modify(ModifyKind::Name(_))
        );
        let mut concerned = false;
        for path in &event.paths {
            if gone && self.directories.contains(path) {
                self.void.insert(path.clone());
            }
            concerned |= self.paths.contains(path)
                || path.file_name().is_some_and(|name| name == MANIFEST)
                || come && self.is_searched(path) && path.is_dir();
        }
        concerned
    }

    /// Directories in which a new directory may be a function.
    pub(super) fn searched(&self) -> impl Iterator<Item = &PathBuf> {
        self.searched.iter()
    }

    /// Whether a directory of that path may be a function's.
    fn is_searched(&self, path: &Path) -> bool {
        path.parent()
            .is_some_and(|parent| self.searched.contains(parent))
    }
}

/// Follows symbolic links: each step on the way to a file may be what changes.
#[derive(Default)]
struct Tracer {
    interest: Interest,
    /// Ten thousand functions share few parents.
    real: HashMap<PathBuf, Option<PathBuf>>,
}

impl Tracer {
    fn trace(&mut self, path: &Path, links: usize) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return;
        };
        let Some(real) = self.real(parent) else {
            return;
        };
        let place = real.join(name);
        let new = self.interest.paths.insert(place.clone());
        self.interest.directories.insert(real.clone());
        if !new || links == 0 {
            return;
        }
        if real != parent {
            self.trace(parent, links - 1);
        }
        if let Ok(target) = fs::read_link(&place) {
            self.trace(&real.join(target), links - 1);
        }
    }

    fn real(&mut self, directory: &Path) -> Option<PathBuf> {
        if let Some(known) = self.real.get(directory) {
            return known.clone();
        }
        let real = fs::canonicalize(directory).ok();
        self.real.insert(directory.to_owned(), real.clone());
        real
    }
}

#[cfg(test)]
mod tests;
