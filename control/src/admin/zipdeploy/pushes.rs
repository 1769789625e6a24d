//! Zip pushes of late, in the store; those that this process works on are in memory, too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stoker_registry::{Push, Registry, Store, StoreError};

use super::push::Record;
use super::{ZipDeployQuery, owner, push};
use crate::admin::now_ms;
use crate::admin::token::Caller;
use crate::deployments::chain;
use crate::reload::note;
use crate::wire::{ZipDeployLine, ZipDeployment};

/// Zip pushes of late.
pub(in crate::admin) struct Pushes {
    owner: String,
    running: Mutex<HashMap<String, Arc<Running>>>,
}

/// One that this process works on.
struct Running {
    id: String,
    function: String,
    record: Mutex<Record>,
}

/// The right to work on it; it has failed if this goes before it is over.
pub(super) struct Turn {
    running: Arc<Running>,
    pushes: Arc<Pushes>,
    registry: Arc<Registry>,
}

/// A push as it is known.
pub(super) struct Known {
    id: String,
    function: String,
    record: Record,
}

impl Pushes {
    pub(in crate::admin) fn new() -> Arc<Pushes> {
        Arc::new(Pushes {
            owner: owner::own(),
            running: Mutex::default(),
        })
    }

    /// A new one, unless this process works on one of the same function.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(super) fn begin(
        self: &Arc<Self>,
        registry: Arc<Registry>,
        function: &str,
        (caller, asked): (&Caller, &ZipDeployQuery),
    ) -> Result<Option<Turn>, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut record = Record::new(&caller.name, &self.owner);
        let cut = |text: &Option<String>| push::cut(text.as_deref().unwrap_or_default());
        let author = cut(&asked.author);
        if !author.is_empty() {
            record.author = author;
        }
        record.deployer = cut(&asked.deployer);
        record.message = cut(&asked.message);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:x}-{:x}-{count:x}", now_ms(), std::process::id());
        let row = record.push(&id, function)?;
        let running = Arc::new(Running {
            id: id.clone(),
            function: function.to_owned(),
            record: Mutex::new(record),
        });
        {
            let mut all = lock(&self.running);
            if all.values().any(|other| other.function == function) {
                return Ok(None);
            }
            all.insert(id, Arc::clone(&running));
        }
        let turn = Turn {
            running,
            pushes: Arc::clone(self),
            registry,
        };
        // If it cannot be stored it is forgotten, for the turn goes.
        turn.registry.store().add_push(&row)?;
        Ok(Some(turn))
    }

    /// Newest first.
    pub(super) fn all(&self, store: &dyn Store) -> Result<Vec<Known>, StoreError> {
        let pushes = store.pushes()?;
        pushes.into_iter().map(|it| self.known(store, it)).collect()
    }

    /// By id, or `latest`.
    pub(super) fn find(&self, store: &dyn Store, id: &str) -> Result<Option<Known>, StoreError> {
        let id = Some(id).filter(|id| *id != "latest");
        let found = store.push(id)?;
        found.map(|it| self.known(store, it)).transpose()
    }

    fn known(&self, store: &dyn Store, push: Push) -> Result<Known, StoreError> {
        let (id, function) = (push.id.clone(), push.function.clone());
        let of = |record: Record| Known {
            id: id.clone(),
            function: function.clone(),
            record,
        };
        if push.is_over {
            return Ok(of(Record::read(&push)?));
        }
        if let Some(running) = lock(&self.running).get(&id) {
            return Ok(of(lock(&running.record).clone()));
        }
        let mut record = Record::read(&push)?;
        // One of its own that is not in memory any more is over, or could not be stored.
        if record.owner != self.owner && owner::lives(&record.owner) {
            return Ok(of(record));
        }
        let revisions = match store.revisions(&function) {
            Err(StoreError::UnknownFunction(_)) => Vec::new(),
            revisions => revisions?,
        };
        record.lost(&revisions);
        if store.set_push(&record.push(&id, &function)?)? {
            return Ok(of(record));
        }
        // It came to its end meanwhile.
        match store.push(Some(&id))? {
            Some(push) => Ok(of(Record::read(&push)?)),
            None => Ok(of(record)),
        }
    }
}

impl Turn {
    pub(super) fn say(&self, text: &str) {
        lock(&self.running.record).say(text);
    }

    /// What is received is published now.
    pub(super) fn deploying(&self) {
        lock(&self.running.record).deploying();
        self.save();
    }

    pub(super) fn failed(&self, why: &str) {
        lock(&self.running.record).failed(why);
    }

    pub(super) fn succeeded(&self, revision: u32) {
        lock(&self.running.record).succeeded(revision);
    }

    /// As it is now.
    pub(super) fn known(&self) -> Known {
        let Running {
            id,
            function,
            record,
        } = &*self.running;
        Known {
            id: id.clone(),
            function: function.clone(),
            record: lock(record).clone(),
        }
    }

    /// Blocks.
    fn save(&self) {
        let Known {
            id,
            function,
            record,
        } = self.known();
        let row = record.push(&id, &function);
        let saved = row.and_then(|row| self.registry.store().set_push(&row));
        if let Err(error) = saved {
            let why = chain(&error);
            note(&format!(
                "the zip push {id} of {function} cannot be stored: {why}"
            ));
        }
    }
}

impl Drop for Turn {
    /// Blocks for one transaction, so that whoever can drops it on a thread for that.
    fn drop(&mut self) {
        {
            let mut record = lock(&self.running.record);
            if !record.is_over() && !record.is_deployed() {
                record.failed("whoever pushed it left before all of it was there");
            }
        }
        // Else this process ends, and whoever looks next sees how far it came.
        if lock(&self.running.record).is_over() {
            self.save();
        }
        // Only now: who does not find it here looks into the store.
        lock(&self.pushes.running).remove(&self.running.id);
    }
}

impl Known {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn told(&self) -> ZipDeployment {
        self.record.told(&self.id, &self.function)
    }

    pub(super) fn log(&self) -> Vec<ZipDeployLine> {
        self.record.log()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
