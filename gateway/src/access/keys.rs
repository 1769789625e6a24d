//! Keys: made, listed, rotated and revoked by operators, looked up by every request to a function
//! that asks for one.
//!
//! A key is 256 bits from the system's random source, so there is nothing to guess that a slow
//! hash would make slower: SHA-256 is enough to make the file worthless to whoever reads it.

mod file;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod table;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ring::rand::{SecureRandom as _, SystemRandom};

use file::Record;
pub(crate) use table::{KeyMatch, PREFIX};
use table::{KeyTable, hex};

/// The file's name in the state directory.
const FILE: &str = "keys.json";
/// So many keys of the same name may be valid at once: that is what a rotation needs.
const SAME_NAME: usize = 2;
/// Of a key's name.
const NAME_CHARACTERS: usize = 64;

/// What a key opens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyScope {
    /// One function.
    Function(Arc<str>),
    /// Every function of level `function` or `host`.
    Host,
    /// Everything.
    Master,
}

/// A key, without what would open anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Sixteen hexadecimal digits; the key itself begins with them.
    pub id: String,
    /// What operators call it; two keys share it while one replaces the other.
    pub name: String,
    /// What it opens.
    pub scope: KeyScope,
    /// In seconds since 1970.
    pub created: u64,
    /// The same; `None` if it does not expire.
    pub expires: Option<u64>,
}

/// A key that was just made.
#[derive(Clone)]
pub struct NewKey {
    /// What it is.
    pub info: KeyInfo,
    /// The key itself, which is kept nowhere.
    pub secret: String,
}

/// What was asked of the keys cannot be done.
#[derive(Debug)]
pub enum KeyError {
    /// There is no key of this id.
    Unknown(String),
    /// The name, which is quoted, is not allowed.
    Name(String),
    /// A valid key has this name already.
    Taken(String),
    /// Two valid keys have this name already.
    Rotating(String),
    /// There are as many keys as there may be.
    Full(usize),
    /// It would expire too late for a clock.
    Expiry,
    /// The file of keys cannot be read or written.
    Store(PathBuf, io::Error),
}

/// All keys. Readers never wait; changes are on disk before they are in force.
pub struct KeyStore {
    path: PathBuf,
    table: ArcSwap<KeyTable>,
    /// What the file holds; `None` until it was read.
    records: Mutex<Option<Vec<Record>>>,
}

impl KeyStore {
    /// The keys in the directory, none of them valid before [`Self::load`].
    pub(crate) fn new(directory: &Path) -> Self {
        KeyStore {
            path: directory.join(FILE),
            table: ArcSwap::default(),
            records: Mutex::new(None),
        }
    }

    /// Reads the file, if that was not done yet. Without a file there are no keys.
    ///
    /// # Errors
    /// If it cannot be read or is damaged: then no key is valid, and none can be made.
    pub fn load(&self) -> Result<(), KeyError> {
        self.loaded(&mut self.records.lock()).map(drop)
    }

    /// All keys, by scope, name and age, those included that have expired and are not yet
    /// forgotten.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let mut guard = self.records.lock();
        let mut keys: Vec<KeyInfo> = self.loaded(&mut guard)?.iter().map(Record::info).collect();
        keys.sort_by(|a, b| {
            (&a.scope, &a.name, a.created, &a.id).cmp(&(&b.scope, &b.name, b.created, &b.id))
        });
        Ok(keys)
    }

    /// Makes a key that is valid for `life`, or until it is revoked; the store then holds at most
    /// `limit`.
    ///
    /// # Errors
    /// If the name is not 1 to 64 visible characters or taken, the store is full, or the file
    /// cannot be written.
    pub fn create(
        &self,
        scope: KeyScope,
        name: &str,
        life: Option<Duration>,
        limit: usize,
    ) -> Result<NewKey, KeyError> {
        let fits = (1..=NAME_CHARACTERS).contains(&name.chars().count());
        if !fits || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(KeyError::Name(name.chars().take(NAME_CHARACTERS).collect()));
        }
        let now = unix_now();
        let mut guard = self.records.lock();
        let mut records = self.loaded(&mut guard)?.clone();
        records.retain(|record| record.is_valid(now));
        if records.iter().any(|record| record.is_named(&scope, name)) {
            return Err(KeyError::Taken(name.to_owned()));
        }
        let expires = life.map(|life| later(now, life)).transpose()?;
        let key = self.add(&mut records, (scope, name), (now, expires), limit)?;
        self.replace(&mut guard, records)?;
        Ok(key)
    }

    /// Makes another key of the same name, valid for as long as the old one was from the start,
    /// which stays valid for `overlap`.
    ///
    /// # Errors
    /// If there is no such valid key, two of that name are valid, the store is full, or the file
    /// cannot be written.
    pub fn rotate(&self, id: &str, overlap: Duration, limit: usize) -> Result<NewKey, KeyError> {
        let now = unix_now();
        let mut guard = self.records.lock();
        let mut records = self.loaded(&mut guard)?.clone();
        records.retain(|record| record.is_valid(now));
        let found = records.iter_mut().find(|record| record.id == id);
        let old = found.ok_or_else(|| KeyError::Unknown(id.to_owned()))?;
        let (scope, name) = (old.scope(), old.name.clone());
        let life = old
            .expires
            .map(|expires| expires.saturating_sub(old.created));
        let end = later(now, overlap)?;
        old.expires = Some(old.expires.map_or(end, |expires| expires.min(end)));
        let same = records
            .iter()
            .filter(|record| record.is_named(&scope, &name));
        if same.count() >= SAME_NAME {
            return Err(KeyError::Rotating(name));
        }
        let expires = life
            .map(|life| later(now, Duration::from_secs(life)))
            .transpose()?;
        let key = self.add(&mut records, (scope, &name), (now, expires), limit)?;
        self.replace(&mut guard, records)?;
        Ok(key)
    }

    /// Ends a key at once, and returns what it was.
    ///
    /// # Errors
    /// If there is no such key or the file cannot be written; then it stays valid.
    pub fn revoke(&self, id: &str) -> Result<KeyInfo, KeyError> {
        let mut guard = self.records.lock();
        let mut records = self.loaded(&mut guard)?.clone();
        let place = records.iter().position(|record| record.id == id);
        let place = place.ok_or_else(|| KeyError::Unknown(id.to_owned()))?;
        let info = records.remove(place).info();
        self.replace(&mut guard, records)?;
        Ok(info)
    }

    /// What a presented key is.
    pub(crate) fn check(&self, presented: &str) -> KeyMatch {
        self.table.load().check(presented, unix_now())
    }

    fn loaded<'r>(
        &self,
        records: &'r mut Option<Vec<Record>>,
    ) -> Result<&'r Vec<Record>, KeyError> {
        match records {
            Some(records) => Ok(records),
            None => {
                let read = file::read(&self.path).map_err(|error| self.failed(error))?;
                self.table.store(Arc::new(KeyTable::new(&read)));
                Ok(records.insert(read))
            }
        }
    }

    fn add(
        &self,
        records: &mut Vec<Record>,
        (scope, name): (KeyScope, &str),
        (created, expires): (u64, Option<u64>),
        limit: usize,
    ) -> Result<NewKey, KeyError> {
        if records.len() >= limit {
            return Err(KeyError::Full(limit));
        }
        let mut bytes = [0; 40];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| self.failed(io::Error::other("the system has no random numbers")))?;
        let (id, secret) = bytes.split_at(8);
        let id = hex(id);
        let secret = format!("{PREFIX}{id}_{}", hex(secret));
        let record = Record::new((id, name), scope, (created, expires), &secret);
        let info = record.info();
        records.push(record);
        Ok(NewKey { info, secret })
    }

    fn replace(
        &self,
        place: &mut Option<Vec<Record>>,
        records: Vec<Record>,
    ) -> Result<(), KeyError> {
        file::write(&self.path, &records).map_err(|error| self.failed(error))?;
        self.table.store(Arc::new(KeyTable::new(&records)));
        *place = Some(records);
        Ok(())
    }

    fn failed(&self, error: io::Error) -> KeyError {
        KeyError::Store(self.path.clone(), error)
    }
}

impl KeyInfo {
    /// Whether it has expired at `now`, in seconds since 1970.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// Without the key itself, so that no log ever shows it.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Unknown(id) => write!(f, "there is no key {id:?}"),
            KeyError::Name(name) => write!(
                f,
                "a key's name is 1 to {NAME_CHARACTERS} characters without spaces, not {name:?}"
            ),
            KeyError::Taken(name) => write!(
                f,
                "there is a key named {name:?} for this already; rotate it, or choose another name"
            ),
            KeyError::Rotating(name) => write!(
                f,
                "two keys named {name:?} are valid already; revoke the older one first"
            ),
            KeyError::Full(limit) => write!(f, "there are {limit} keys, which is access.keys"),
            KeyError::Expiry => f.write_str("the key would expire too far in the future"),
            KeyError::Store(path, error) => {
                write!(f, "the keys in {} cannot be used: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyError::Store(_, error) => Some(error),
            _ => None,
        }
    }
}

/// In seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Every JSON reader holds numbers up to 2^53.
fn later(now: u64, by: Duration) -> Result<u64, KeyError> {
    let end = now.saturating_add(by.as_secs());
    if end < 1 << 53 {
        Ok(end)
    } else {
        Err(KeyError::Expiry)
    }
}

#[cfg(test)]
mod tests;
