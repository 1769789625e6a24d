//! Tokens that were verified: the same one again costs a hash and no signature.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ring::digest::{SHA256, digest};

use super::Verified;

/// Each has a lock of its own, so that requests seldom meet.
const SHARDS: usize = 16;

/// Of a whole token. What it begins with is no secret, as the hash cannot be chosen.
pub(super) type TokenHash = [u8; 32];

/// Verified tokens, at most a number of them.
pub(crate) struct TokenCache {
    shards: [Mutex<HashMap<TokenHash, Arc<Verified>>>; SHARDS],
    shard_entries: usize,
}

impl TokenCache {
    /// For about `entries` tokens.
    pub(crate) fn new(entries: usize) -> Self {
        TokenCache {
            shards: Default::default(),
            shard_entries: entries.div_ceil(SHARDS).max(1),
        }
    }

    pub(super) fn get(&self, hash: &TokenHash) -> Option<Arc<Verified>> {
        self.shard(hash).lock().get(hash).cloned()
    }

    /// Expired tokens make room, else any: their callers pay for a signature once more.
    pub(super) fn insert(&self, hash: TokenHash, token: Arc<Verified>, now: u64) {
        let mut shard = self.shard(&hash).lock();
        if shard.len() >= self.shard_entries {
            shard.retain(|_, token| !token.is_over(now));
        }
        if shard.len() >= self.shard_entries
            && let Some(other) = shard.keys().next().copied()
        {
            shard.remove(&other);
        }
        shard.insert(hash, token);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(super) fn remove(&self, hash: &TokenHash) {
        self.shard(hash).lock().remove(hash);
    }

    fn shard(&self, hash: &TokenHash) -> &Mutex<HashMap<TokenHash, Arc<Verified>>> {
        &self.shards[usize::from(hash[0]) % SHARDS]
    }
}

pub(super) fn hash(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
