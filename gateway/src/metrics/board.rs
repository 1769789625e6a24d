//! Which revisions have series, and how many functions may.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;

use super::families::PerRevision;
use super::series::Series;

/// The name that functions without series of their own are counted under. No function is called
/// so, for names have no underscore.
const OTHER: &str = "_other";

/// A function's name and a revision's.
pub(crate) type Name = (Arc<str>, Arc<str>);

/// The series that there are.
pub(super) struct Board {
    families: Arc<PerRevision>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Functions with series of their own.
    limit: usize,
    series: HashMap<Name, Arc<Series>>,
    /// Revisions with series, by function.
    revisions: HashMap<Arc<str>, usize>,
    other: Option<Arc<Series>>,
}

impl Board {
    pub(super) fn new(families: PerRevision, limit: usize) -> Self {
        Board {
            families: Arc::new(families),
            inner: Mutex::new(Inner {
                limit,
                series: HashMap::new(),
                revisions: HashMap::new(),
                other: None,
            }),
        }
    }

    /// From now on so many functions have series of their own; those that have them keep them.
    pub(super) fn set_limit(&self, limit: usize) {
        self.inner.lock().limit = limit;
    }

    /// Functions that may have series of their own.
    pub(super) fn limit(&self) -> usize {
        self.inner.lock().limit
    }

    /// The series of a revision: its own, or those of all that have none.
    pub(super) fn series(&self, function: &Arc<str>, revision: &Arc<str>) -> Arc<Series> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let room = inner.revisions.contains_key(function) || inner.revisions.len() < inner.limit;
        let make = |function: &Arc<str>, revision: &Arc<str>| {
            Arc::new(Series::new(&self.families, function, revision))
        };
        match inner
            .series
            .entry((Arc::clone(function), Arc::clone(revision)))
        {
            Entry::Occupied(series) => Arc::clone(series.get()),
            Entry::Vacant(place) if room => {
                *inner.revisions.entry(Arc::clone(function)).or_default() += 1;
                Arc::clone(place.insert(make(function, revision)))
            }
            Entry::Vacant(_) => {
                let other = inner.other.get_or_insert_with(|| {
                    let name = Arc::from(OTHER);
                    make(&name, &name)
                });
                Arc::clone(other)
            }
        }
    }

    /// Whether a revision has series of its own.
    pub(super) fn has(&self, name: &Name) -> bool {
        self.inner.lock().series.contains_key(name)
    }

    /// Takes out the series of revisions that are `gone`.
    pub(super) fn prune(&self, gone: impl Fn(&Name) -> bool) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        inner.series.retain(|name, series| {
            if !gone(name) {
                return true;
            }
            series.remove();
            if let Entry::Occupied(mut count) = inner.revisions.entry(Arc::clone(&name.0)) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
            false
        });
    }

    /// All series, those of the rest last.
    pub(super) fn all(&self) -> Vec<Arc<Series>> {
        let inner = self.inner.lock();
        inner.series.values().chain(&inner.other).cloned().collect()
    }
}
