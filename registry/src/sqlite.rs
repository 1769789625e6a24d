//! The embedded store: one SQLite file.
//!
//! Its journal is a write-ahead log and every commit waits for the disk (`synchronous = FULL`), so
//! that what was acknowledged survives the machine's power too. During an upgrade two gateways have
//! it open; SQLite's own locks keep them apart.

mod aliases;
mod audit;
mod canary;
mod functions;
mod pushes;
mod revisions;
mod schema;
mod secrets;
mod settings;
mod traffic;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::store::Store;
use crate::{
    AuditEntry, AuditRow, Author, Digest, Function, Key, NewRevision, Place, Push, Revision,
    Secret, SecretInfo, SecretValue, Settings, StoreError, Traffic,
};

/// How long one gateway waits for the other's transaction, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store in one file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Mutex<Connection>,
    key_file: PathBuf,
    key: Mutex<Option<Arc<Key>>>,
    audit_entries: u64,
}

impl Sqlite {
    /// Opens the file, which is made if there is none, in a directory that exists. `key_file` is for
    /// secrets, and made when the first one is set. So many entries of the audit log are kept.
    ///
    /// # Errors
    /// If it is no database, or one of a newer Stoker.
    pub fn open(file: &Path, key_file: &Path, audit_entries: u64) -> Result<Sqlite, StoreError> {
        let mut connection = Connection::open(file)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        schema::migrate(&mut connection)?;
        Ok(Sqlite {
            connection: Mutex::new(connection),
            key_file: key_file.to_owned(),
            key: Mutex::new(None),
            audit_entries,
        })
    }

    /// One look at one state of everything.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        look(&connection.transaction()?)
    }

    /// One change: all of it is on disk when this returns, or nothing if it fails.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let behavior = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(behavior)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// A change of what a gateway's configuration is made of.
    fn configure<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write(|transaction| {
            let done = change(transaction)?;
            transaction.execute("UPDATE state SET generation = generation + 1", ())?;
            Ok(done)
        })
    }

    /// The key of the secrets, read once; made if `make` says so.
    fn key(&self, make: bool) -> Result<Arc<Key>, StoreError> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*key {
            return Ok(Arc::clone(key));
        }
        let loaded = Arc::new(Key::load(&self.key_file, make)?);
        Ok(Arc::clone(key.insert(loaded)))
    }
}

/// Of SQLite's cache of pages.
const CACHE_KIB: i64 = 1024;

impl Store for Sqlite {
    fn generation(&self) -> Result<u64, StoreError> {
        self.read(|transaction| {
            let sql = "SELECT generation FROM state";
            Ok(transaction.query_one(sql, (), |row| row.get(0))?)
        })
    }

    fn functions(&self) -> Result<Vec<Function>, StoreError> {
        self.read(functions::all)
    }

    fn function(&self, name: &str) -> Result<Option<Function>, StoreError> {
        self.read(|transaction| functions::find(transaction, name))
    }

    fn delete_function(&self, name: &str) -> Result<(), StoreError> {
        self.configure(|transaction| functions::delete(transaction, name))
    }

    fn publish(&self, new: NewRevision) -> Result<Revision, StoreError> {
        new.check()?;
        self.configure(|transaction| revisions::publish(transaction, new))
    }

    fn revisions(&self, function: &str) -> Result<Vec<Revision>, StoreError> {
        self.read(|transaction| revisions::all(transaction, function))
    }

    fn revision(&self, function: &str, number: u32) -> Result<Revision, StoreError> {
        self.read(|transaction| revisions::find(transaction, function, number))
    }

    fn collect(&self, function: &str, number: u32) -> Result<(), StoreError> {
        self.configure(|transaction| revisions::collect(transaction, function, number))
    }

    fn packages(&self) -> Result<Vec<Digest>, StoreError> {
        self.read(revisions::packages)
    }

    fn traffic(&self, function: &str) -> Result<Traffic, StoreError> {
        self.read(|transaction| traffic::get(transaction, function))
    }

    fn set_traffic(
        &self,
        function: &str,
        traffic: &Traffic,
        expected: Option<&Traffic>,
    ) -> Result<bool, StoreError> {
        let traffic = traffic.checked()?;
        self.configure(|transaction| {
            let present = traffic::get(transaction, function)?;
            if expected.is_some_and(|expected| *expected != present) {
                return Ok(false);
            }
            traffic::set(transaction, (function, &present), &traffic)?;
            Ok(true)
        })
    }

    fn roll_back(&self, function: &str, to: Option<u32>) -> Result<u32, StoreError> {
        self.configure(|transaction| traffic::roll_back(transaction, function, to))
    }

    fn aliases(&self, function: &str) -> Result<Vec<(String, u32)>, StoreError> {
        self.read(|transaction| aliases::all(transaction, function))
    }

    fn set_alias(&self, function: &str, alias: &str, revision: u32) -> Result<(), StoreError> {
        self.configure(|transaction| aliases::set(transaction, (function, alias), revision))
    }

    fn delete_alias(&self, function: &str, alias: &str) -> Result<(), StoreError> {
        self.configure(|transaction| aliases::delete(transaction, function, alias))
    }

    fn settings(&self, function: &str) -> Result<Settings, StoreError> {
        self.read(|transaction| settings::get(transaction, function))
    }

    fn set_settings(
        &self,
        function: &str,
        settings: &Settings,
        author: &Author,
    ) -> Result<Option<Revision>, StoreError> {
        crate::names::check_function(function)?;
        crate::revision::check_settings(settings)?;
        author.check()?;
        self.configure(|transaction| settings::set(transaction, (function, settings), author))
    }

    fn secrets(&self, function: &str) -> Result<Vec<SecretInfo>, StoreError> {
        self.read(|transaction| secrets::all(transaction, function))
    }

    fn set_secret(
        &self,
        function: &str,
        (name, place, value): (&str, Place, &SecretValue),
        author: &Author,
    ) -> Result<SecretInfo, StoreError> {
        crate::names::check_function(function)?;
        value.check(name)?;
        author.check()?;
        // A key that was lost is not replaced by a new one while there are secrets under it.
        let make = self.read(secrets::none)?;
        let sealed = self.key(make)?.seal((function, name), value)?;
        self.configure(|transaction| {
            secrets::set(transaction, (function, name), (place, &sealed), author)
        })
    }

    fn delete_secret(&self, function: &str, key: &str) -> Result<(), StoreError> {
        self.configure(|transaction| secrets::delete(transaction, function, key))
    }

    fn reveal_secrets(&self, function: &str) -> Result<Vec<Secret>, StoreError> {
        let sealed = self.read(|transaction| secrets::sealed(transaction, function))?;
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.key(false)?;
        let open = |(info, sealed): (SecretInfo, Vec<u8>)| {
            let value = key.open((function, &info.key), &sealed)?;
            Ok(Secret { info, value })
        };
        sealed.into_iter().map(open).collect()
    }

    fn canary(&self, function: &str) -> Result<Option<String>, StoreError> {
        self.read(|transaction| canary::get(transaction, function))
    }

    fn canaries(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(canary::all)
    }

    fn set_canary(&self, function: &str, state: Option<&str>) -> Result<(), StoreError> {
        self.write(|transaction| canary::set(transaction, function, state))
    }

    fn pushes(&self) -> Result<Vec<Push>, StoreError> {
        self.read(pushes::all)
    }

    fn push(&self, id: Option<&str>) -> Result<Option<Push>, StoreError> {
        self.read(|transaction| pushes::find(transaction, id))
    }

    fn add_push(&self, push: &Push) -> Result<(), StoreError> {
        self.write(|transaction| pushes::add(transaction, push))
    }

    fn set_push(&self, push: &Push) -> Result<bool, StoreError> {
        self.write(|transaction| pushes::set(transaction, push))
    }

    fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write(|transaction| audit::add(transaction, entry, self.audit_entries))
    }

    fn audit_log(&self, since_ms: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.read(|transaction| audit::newest(transaction, since_ms, limit))
    }
}

/// In milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
