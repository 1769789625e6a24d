//! Rate limits: token buckets, of which only those that are not full are kept.
//!
//! A bucket is one number, the time at which it will be full again: the generic cell rate
//! algorithm (ITU-T I.371), which is a token bucket without a clock that fills it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Each has a lock of its own, so that requests seldom meet.
const SHARDS: usize = 64;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// For one token, in nanoseconds; at least 1.
    interval: u64,
    /// For all of them, in nanoseconds.
    depth: u64,
    /// Tokens.
    burst: u32,
}

/// Whose bucket, and of which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    pub(crate) limit: u64,
    pub(crate) subject: Subject,
}

/// Who is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// All.
    Everybody,
    /// Of IPv6 the /64, for that is what one caller has at least.
    Address(IpAddr),
    /// A caller whose connection has no address.
    Local,
    /// A key's owner or a token's subject, hashed.
    Name(u128),
}

/// What a bucket says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// There was a token, and it is taken.
    pub(crate) allowed: bool,
    /// The bucket's size.
    pub(crate) limit: u32,
    /// Tokens left.
    pub(crate) remaining: u32,
    /// Until the bucket is full.
    pub(crate) reset: Duration,
    /// Until there is a token; zero if there was one.
    pub(crate) retry_after: Duration,
}

/// Buckets that are not full, at most a number of them.
pub(crate) struct RateTable {
    shards: Box<[Mutex<HashMap<Bucket, u64>>]>,
    hasher: RandomState,
    shard_entries: usize,
    origin: Instant,
    /// A token was ever taken.
    touched: AtomicBool,
}

impl Rate {
    /// `requests` in `per`, at most `burst` at once; none of them zero.
    pub(crate) fn new(requests: u32, per: Duration, burst: u32) -> Self {
        let interval = (per.as_nanos() / u128::from(requests.max(1))).max(1);
        let interval = u64::try_from(interval).unwrap_or(u64::MAX);
        Rate {
            interval,
            depth: interval.saturating_mul(burst.max(1).into()),
            burst: burst.max(1),
        }
    }

    /// What comes of a request at `now`, in nanoseconds, if the bucket is full at `full`; with
    /// that, when it is full afterwards.
    fn ask(self, full: u64, now: u64) -> (Allowance, u64) {
        let full = full.max(now);
        let next = full.saturating_add(self.interval);
        let ahead = next - now;
        let allowed = ahead <= self.depth;
        let (used, full) = if allowed {
            (ahead, next)
        } else {
            (full - now, full)
        };
        let left = self.depth.saturating_sub(used) / self.interval;
        let allowance = Allowance {
            allowed,
            limit: self.burst,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            reset: Duration::from_nanos(used),
            retry_after: Duration::from_nanos(ahead.saturating_sub(self.depth)),
        };
        (allowance, full)
    }
}

impl Subject {
    /// Of a caller's address.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Subject::Local,
            Some(IpAddr::V6(address)) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Subject::Address(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
            Some(address) => Subject::Address(address),
        }
    }
}

impl RateTable {
    /// For about `entries` buckets.
    pub(crate) fn new(entries: usize, origin: Instant) -> Self {
        RateTable {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            shard_entries: entries.div_ceil(SHARDS).max(1),
            origin,
            touched: AtomicBool::new(false),
        }
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&self, bucket: Bucket, rate: Rate, now: Instant) -> Allowance {
        let now = self.nanos(now);
        let mut shard = self.shard(bucket).lock();
        let full = shard.get(&bucket).copied().unwrap_or(0);
        let (allowance, next) = rate.ask(full, now);
        if allowance.allowed {
            if full == 0 && shard.len() >= self.shard_entries {
                evict(&mut shard, now);
            }
            shard.insert(bucket, next);
            self.touched.store(true, Ordering::Relaxed);
        }
        allowance
    }

    /// True if a token was ever taken.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// What [`Self::take`] would answer.
    pub(crate) fn peek(&self, bucket: Bucket, rate: Rate, now: Instant) -> Allowance {
        let full = self.shard(bucket).lock().get(&bucket).copied();
        rate.ask(full.unwrap_or(0), self.nanos(now)).0
    }

    /// Puts a token back that was taken for nothing.
    pub(crate) fn give_back(&self, bucket: Bucket, rate: Rate) {
        if let Some(full) = self.shard(bucket).lock().get_mut(&bucket) {
            *full = full.saturating_sub(rate.interval);
        }
    }

    fn shard(&self, bucket: Bucket) -> &Mutex<HashMap<Bucket, u64>> {
        let hash = self.hasher.hash_one(bucket);
        &self.shards[hash as usize % SHARDS]
    }

    /// Never 0, which stands for no entry.
    fn nanos(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Makes room: full buckets say nothing and go first, else the one that is nearest to full.
fn evict(shard: &mut HashMap<Bucket, u64>, now: u64) {
    let before = shard.len();
    let mut fullest: Option<(Bucket, u64)> = None;
    shard.retain(|bucket, full| {
        if fullest.is_none_or(|(_, least)| *full < least) {
            fullest = Some((*bucket, *full));
        }
        *full > now
    });
    if shard.len() == before
        && let Some((bucket, _)) = fullest
    {
        shard.remove(&bucket);
    }
}

#[cfg(test)]
mod tests;
