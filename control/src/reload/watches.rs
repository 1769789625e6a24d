//! Watching what a configuration was read from.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use notify::{Config, Event, INotifyWatcher, RecursiveMode, Watcher as _};
use stoker_config::Errors;
use tokio::sync::Notify;

use super::interest::Interest;
use super::report::note;

/// Watches directories and rings when something that matters has changed in them.
pub(super) struct Watches {
    /// None if the system refuses.
    watcher: Option<INotifyWatcher>,
    interest: Arc<Mutex<Interest>>,
    changes: Arc<Notify>,
    /// What is watched, with the identity that it had then.
    armed: HashMap<PathBuf, Identity>,
    /// What the last valid configuration was read from.
    watched: Vec<PathBuf>,
    /// The log has been told that something cannot be watched.
    told: bool,
}

/// Device and inode: another directory may take the same path.
type Identity = (u64, u64);

impl Watches {
    /// Not armed yet.
    pub(super) fn new(watched: Vec<PathBuf>) -> Self {
        let interest = Arc::new(Mutex::new(Interest::default()));
        let changes = Arc::new(Notify::new());
        let (of_events, ring) = (Arc::clone(&interest), Arc::clone(&changes));
        let on_event = move |event: notify::Result<Event>| {
            // Whatever went wrong with an event, something happened.
            if event.map_or(true, |event| lock(&of_events).concerns(&event)) {
                ring.notify_one();
            }
        };
        let watcher = INotifyWatcher::new(on_event, Config::default().with_follow_symlinks(false));
        let mut watches = Watches {
            watcher: None,
            interest,
            changes,
            armed: HashMap::new(),
            watched,
            told: false,
        };
        match watcher {
            Ok(watcher) => watches.watcher = Some(watcher),
            Err(error) => watches.complain(&error),
        }
        watches
    }

    /// Rung by every change that matters.
    pub(super) fn changes(&self) -> Arc<Notify> {
        Arc::clone(&self.changes)
    }

    /// Watches what the configuration in force was read from, if nothing is watched yet.
    pub(super) fn begin(&mut self) {
        if self.armed.is_empty() {
            self.watch(Interest::of(&self.watched));
        }
    }

    /// True if any of what the configuration in force was read from may have changed since `time`.
    pub(super) fn changed_since(&self, time: SystemTime) -> bool {
        self.watched.iter().any(|path| {
            // What is missing went, or never was: the directory tells since when.
            let parent = |_| fs::metadata(path.parent().unwrap_or(path));
            let changed = fs::metadata(path).or_else(parent).map(|found| {
                let seconds = u64::try_from(found.ctime()).unwrap_or(0);
                let nanos = u32::try_from(found.ctime_nsec()).unwrap_or(0);
                SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
            });
            changed.map_or(true, |changed| changed >= time)
        })
    }

    /// Watches what a configuration was read from; true if any of it was not watched.
    pub(super) fn follow(&mut self, watched: &[PathBuf]) -> bool {
        self.watched = watched.to_vec();
        self.watch(Interest::of(watched))
    }

    /// Watches also what an invalid configuration was read from, as far as can be told: the files
    /// with errors, and the directories beside those that are known.
    pub(super) fn follow_errors(&mut self, errors: &Errors) -> bool {
        let mut watched = self.watched.clone();
        watched.extend_from_slice(errors.watched());
        let files = errors
            .iter()
            .filter_map(|error| std::path::absolute(&error.file).ok());
        watched.extend(
            files
                .flat_map(|file| {
                    let directory = file.parent().map(Path::to_owned);
                    [Some(file), directory]
                })
                .flatten(),
        );
        for directory in Interest::of(&self.watched).searched() {
            let below = fs::read_dir(directory).into_iter().flatten().flatten();
            watched.extend(below.map(|entry| entry.path()).filter(|path| path.is_dir()));
        }
        self.watch(Interest::of(&watched))
    }

    fn watch(&mut self, interest: Interest) -> bool {
        let wanted = interest.directories.clone();
        let void = {
            let mut current = lock(&self.interest);
            let void = std::mem::take(&mut current.void);
            *current = interest;
            void
        };
        let stale: Vec<PathBuf> = self
            .armed
            .keys()
            .filter(|path| !wanted.contains(*path))
            .cloned()
            .collect();
        for path in stale {
            self.forget(&path);
        }
        let mut new = false;
        for path in wanted {
            new |= self.keep(path, &void);
        }
        new
    }

    /// Watches a directory unless it is watched already; true if it was not.
    fn keep(&mut self, path: PathBuf, void: &HashSet<PathBuf>) -> bool {
        let Ok(found) = fs::metadata(&path) else {
            self.forget(&path);
            return false;
        };
        let identity = (found.dev(), found.ino());
        if self.armed.get(&path) == Some(&identity) && !void.contains(&path) {
            return false;
        }
        self.forget(&path);
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        match watcher.watch(&path, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.armed.insert(path, identity);
                true
            }
            // It was removed a moment ago, and its parent's watch tells when it is back.
            Err(_) if !path.exists() => false,
            Err(error) => {
                self.complain(&error);
                false
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        if self.armed.remove(path).is_some()
            && let Some(watcher) = &mut self.watcher
        {
            // The watch of a directory that is gone went with it.
            watcher.unwatch(path).ok();
        }
    }

    fn complain(&mut self, error: &notify::Error) {
        if !std::mem::replace(&mut self.told, true) {
            note(&format!(
                "not every file of the configuration is watched, so reload by SIGHUP or \
                 \"stoker reload\": {error}"
            ));
        }
    }
}

fn lock(interest: &Mutex<Interest>) -> MutexGuard<'_, Interest> {
    interest.lock().unwrap_or_else(PoisonError::into_inner)
}
