//! Keys as requests look them up.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use super::KeyScope;
use super::file::Record;

/// What every key begins with, so that scanners of leaked secrets know it.
pub(crate) const PREFIX: &str = "stk_";
/// `stk_`, 16 digits of the id, `_`, 64 digits of the secret.
const LENGTH: usize = PREFIX.len() + 16 + 1 + 64;

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// The keys by their ids.
#[derive(Debug, Default)]
pub(crate) struct KeyTable(HashMap<Arc<str>, Entry>);

#[derive(Debug)]
struct Entry {
    hash: Hash,
    scope: KeyScope,
    expires: Option<u64>,
    owner: u64,
}

/// What a presented key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyMatch {
    /// No valid key.
    None,
    /// A valid one.
    Valid {
        /// Which one: no secret.
        id: Arc<str>,
        /// What it opens.
        scope: KeyScope,
        /// The same for both keys of a rotation.
        owner: u64,
    },
}

impl KeyTable {
    pub(super) fn new(records: &[Record]) -> Self {
        // The same in every table of the process, so that a rate limit goes on.
        static OWNERS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let entry = |record: &Record| {
            let scope = record.scope();
            let entry = Entry {
                hash: record.hash,
                owner: OWNERS.hash_one((&scope, &record.name)),
                scope,
                expires: record.expires,
            };
            (Arc::from(&*record.id), entry)
        };
        KeyTable(records.iter().map(entry).collect())
    }

    /// Ids are no secret: they find the entry. Then all of the key is compared, hashed and in
    /// constant time, also where there is no entry.
    pub(super) fn check(&self, presented: &str, now: u64) -> KeyMatch {
        if presented.len() != LENGTH || !presented.is_ascii() {
            return KeyMatch::None;
        }
        let id = &presented[PREFIX.len()..PREFIX.len() + 16];
        let entry = self.0.get_key_value(id);
        let expected = entry.map_or(&[0; 32], |(_, entry)| &entry.hash);
        let equal = bool::from(hash(presented).ct_eq(expected));
        match entry {
            Some((id, entry)) if equal && entry.expires.is_none_or(|expires| now < expires) => {
                KeyMatch::Valid {
                    id: Arc::clone(id),
                    scope: entry.scope.clone(),
                    owner: entry.owner,
                }
            }
            _ => KeyMatch::None,
        }
    }
}

/// Of a whole key.
pub(super) fn hash(key: &str) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    hash
}

/// In lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// The other way round.
pub(super) fn unhex(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(hash)
}
