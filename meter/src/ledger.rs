//! The file of counters.
//!
//! It is mapped shared, so that what a process has added is the kernel's from that instruction on:
//! the end of the process, however it comes, loses nothing, and two gateways of which one takes over
//! from the other count in the same file. Only the loss of the machine itself loses what the kernel
//! had not written to the disk.

mod instances;
mod meter;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FallocateFlags;
use rustix::process::{Pid, test_kill_process};

use crate::map::Map;
use crate::{COUNTERS, Totals};
use instances::INSTANCES_WORDS;
pub use meter::Meter;

/// The name that revisions are counted under for which the ledger has no room. No function is
/// called so, for names have no underscore.
pub const OTHER: &str = "_other";

/// The number of a revision that is started once before it is published. No published one has it.
pub const TRIAL: u32 = u32::MAX;

/// Slots; the first one is that of [`OTHER`].
const SLOTS: usize = 4096;
const SLOT_WORDS: usize = 48;
const HEADER_WORDS: usize = 512;
const LENGTH: usize = HEADER_WORDS + SLOTS * SLOT_WORDS + INSTANCES_WORDS;

/// "stkmeter", and the number of the layout.
const MAGIC: u64 = u64::from_be_bytes(*b"stkmeter");
const LAYOUT: u64 = 1;

// Words of the header.
const AT_MAGIC: usize = 0;
const AT_LAYOUT: usize = 1;
const AT_BOOT: usize = 2;
const AT_SERIAL: usize = 3;
const AT_BEAT: usize = 4;
const AT_BEAT_WALL: usize = 5;
const AT_HANDED: usize = 6;

// Words of a slot.
const STATE: usize = 0;
const SERIAL: usize = 1;
const OWNER: usize = 2;
const LENGTHS: usize = 3;
const FUNCTION: usize = 4;
const REVISION: usize = 12;
const STAMP: usize = 20;
/// The number of a published revision, zero if it is none.
const NUMBER: usize = 21;
const VALUES: usize = 24;

/// Longest names, bytes.
const NAME_BYTES: usize = 64;

// States of a slot.
const FREE: u64 = 0;
const CLAIMED: u64 = 1;
const USED: u64 = 2;
/// Nobody adds to it any more.
const CLOSED: u64 = 3;

/// The counters of all revisions that are used, in memory that outlives this process.
#[derive(Debug)]
pub struct Ledger {
    map: Words,
    /// Where the instances that this process knows have their records.
    instances: Mutex<HashMap<u64, usize>>,
}

/// Where they are.
#[derive(Debug)]
enum Words {
    Shared(Map),
    Own(Box<[AtomicU64]>),
}

impl Words {
    fn words(&self) -> &[AtomicU64] {
        match self {
            Words::Shared(map) => map.words(),
            Words::Own(words) => words,
        }
    }
}

/// One slot, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Where it is, for [`Ledger::release`].
    pub place: usize,
    /// Never used twice.
    pub serial: u64,
    /// The function's name.
    pub function: String,
    /// The revision's name.
    pub revision: String,
    /// Its number, if it is a published one; [`TRIAL`] of one that is to prove itself.
    pub number: Option<u32>,
    /// Everything that was ever counted in it.
    pub totals: Totals,
    /// Nobody adds to it any more: once this is in the books the slot may go.
    pub is_final: bool,
}

impl Ledger {
    /// The one in this file, which is made if it is missing. One that is not a ledger of this layout
    /// is replaced.
    ///
    /// # Errors
    /// If the file cannot be made, written in full length or mapped.
    pub fn open(path: &Path) -> io::Result<Arc<Ledger>> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = open(path)?;
        let bytes = (LENGTH * size_of::<u64>()) as u64;
        if !matches!(file.metadata()?.len(), 0) && !is_ledger(&file, bytes) {
            // Others may have mapped it.
            std::fs::remove_file(path)?;
            file = open(path)?;
        }
        // All of it, for a page that the disk has no room for would kill whoever writes to it.
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
        Ok(Ledger::begin(Words::Shared(Map::of_file(&file, LENGTH)?)))
    }

    /// One that goes with this process.
    pub fn in_memory() -> Arc<Ledger> {
        Ledger::begin(Words::Own((0..LENGTH).map(|_| AtomicU64::new(0)).collect()))
    }

    fn begin(map: Words) -> Arc<Ledger> {
        let ledger = Ledger {
            map,
            instances: Mutex::default(),
        };
        let header = ledger.map.words();
        let boot = boot();
        if header[AT_BOOT].swap(boot, Ordering::AcqRel) != boot {
            // Another life of the machine: its processes and its clock are gone.
            for slot in (0..SLOTS).map(|place| ledger.slot(place)) {
                slot[OWNER].store(0, Ordering::Release);
            }
            for slot in (0..SLOTS).map(|place| ledger.slot(place)) {
                slot[STAMP].store(0, Ordering::Release);
            }
            ledger.clear_instances();
            header[AT_BEAT].store(0, Ordering::Release);
            header[AT_HANDED].store(0, Ordering::Release);
        }
        // Serials of a file that was lost are not used again.
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = u64::try_from(nanos.unwrap_or_default().as_nanos()).unwrap_or(1);
        header[AT_SERIAL].fetch_max(nanos.max(1), Ordering::AcqRel);
        let other = ledger.slot(0);
        if swap(&other[STATE], FREE, CLAIMED) {
            ledger.name(0, (OTHER, OTHER), None);
        }
        header[AT_LAYOUT].store(LAYOUT, Ordering::Release);
        header[AT_MAGIC].store(MAGIC, Ordering::Release);
        ledger.find_instances();
        Arc::new(ledger)
    }

    /// Everything that was counted and is not released.
    pub fn readings(&self) -> Vec<Reading> {
        (0..SLOTS).filter_map(|place| self.reading(place)).collect()
    }

    /// Frees a slot whose reading was final, if it still is that one.
    pub fn release(&self, reading: &Reading) {
        let slot = self.slot(reading.place);
        if !reading.is_final || slot[SERIAL].load(Ordering::Acquire) != reading.serial {
            return;
        }
        for value in &slot[VALUES..VALUES + COUNTERS] {
            value.store(0, Ordering::Relaxed);
        }
        slot[SERIAL].store(0, Ordering::Relaxed);
        slot[STATE].store(FREE, Ordering::Release);
    }

    /// Notes that whoever counts is alive: nanoseconds of CLOCK_MONOTONIC, and seconds since 1970.
    pub fn beat(&self, monotonic_nanos: u64, second: u64) {
        let header = self.map.words();
        header[AT_BEAT].store(monotonic_nanos, Ordering::Release);
        header[AT_BEAT_WALL].store(second, Ordering::Release);
    }

    /// Up to when the time of this revision's instances is counted, as [`Meter::stamp`] said last,
    /// whoever said it; zero if nobody did.
    pub fn last_stamp(&self, function: &str, revision: &str) -> u64 {
        let readings = self.readings().into_iter();
        let its = readings.filter(|it| it.function == function && it.revision == revision);
        let stamp = |it: Reading| self.slot(it.place)[STAMP].load(Ordering::Acquire);
        its.map(stamp).max().unwrap_or(0)
    }

    /// What was last noted; zeros if nothing was since the machine started.
    pub fn last_beat(&self) -> (u64, u64) {
        let header = self.map.words();
        let read = |at: usize| header[at].load(Ordering::Acquire);
        (read(AT_BEAT), read(AT_BEAT_WALL))
    }

    /// The time of instances is counted up to now and goes on in another gateway: nanoseconds of
    /// CLOCK_MONOTONIC.
    pub fn hand_over(&self, monotonic_nanos: u64) {
        self.map.words()[AT_HANDED].store(monotonic_nanos, Ordering::Release);
    }

    /// When that was; zero if never.
    pub fn handed_over(&self) -> u64 {
        self.map.words()[AT_HANDED].load(Ordering::Acquire)
    }

    fn reading(&self, place: usize) -> Option<Reading> {
        let slot = self.slot(place);
        // Before the values: what is final now was so when they are read.
        let state = slot[STATE].load(Ordering::Acquire);
        let orphan = place != 0 && is_gone(slot[OWNER].load(Ordering::Acquire));
        match state {
            USED | CLOSED => {}
            // Whoever wanted it has died over it.
            CLAIMED if orphan => {
                slot[STATE].store(FREE, Ordering::Release);
                return None;
            }
            _ => return None,
        }
        let lengths = slot[LENGTHS].load(Ordering::Relaxed);
        let (function, revision) = ((lengths & 0xff) as usize, (lengths >> 8 & 0xff) as usize);
        let mut totals = Totals::default();
        for (total, value) in totals.0.iter_mut().zip(&slot[VALUES..]) {
            *total = value.load(Ordering::Relaxed);
        }
        Some(Reading {
            place,
            serial: slot[SERIAL].load(Ordering::Acquire),
            function: text(&slot[FUNCTION..], function),
            revision: text(&slot[REVISION..], revision),
            number: u32::try_from(slot[NUMBER].load(Ordering::Relaxed))
                .ok()
                .filter(|number| *number > 0),
            totals,
            is_final: state == CLOSED || orphan,
        })
    }

    /// Takes a slot; that of all others if there is none, or the names are too long.
    fn take(&self, (function, revision): (&str, &str), number: Option<u32>) -> usize {
        if function.len() > NAME_BYTES || revision.len() > NAME_BYTES {
            return 0;
        }
        for place in 1..SLOTS {
            let state = &self.slot(place)[STATE];
            if state.load(Ordering::Relaxed) == FREE && swap(state, FREE, CLAIMED) {
                self.name(place, (function, revision), number);
                return place;
            }
        }
        0
    }

    /// Makes a slot that was claimed usable.
    fn name(&self, place: usize, (function, revision): (&str, &str), number: Option<u32>) {
        let slot = self.slot(place);
        slot[OWNER].store(std::process::id().into(), Ordering::Relaxed);
        let serial = self.map.words()[AT_SERIAL].fetch_add(1, Ordering::AcqRel);
        slot[SERIAL].store(serial, Ordering::Relaxed);
        let lengths = function.len() as u64 | (revision.len() as u64) << 8;
        slot[LENGTHS].store(lengths, Ordering::Relaxed);
        slot[STAMP].store(0, Ordering::Relaxed);
        slot[NUMBER].store(number.unwrap_or(0).into(), Ordering::Relaxed);
        write(&slot[FUNCTION..], function);
        write(&slot[REVISION..], revision);
        slot[STATE].store(USED, Ordering::Release);
    }

    fn slot(&self, place: usize) -> &[AtomicU64] {
        let from = HEADER_WORDS + place * SLOT_WORDS;
        &self.map.words()[from..from + SLOT_WORDS]
    }
}

/// Puts a value in place of another; false if that was not there.
fn swap(word: &AtomicU64, from: u64, to: u64) -> bool {
    let swapped = word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    swapped.is_ok()
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Whether a file is a ledger of this layout, or was about to become one.
fn is_ledger(file: &File, bytes: u64) -> bool {
    use std::os::unix::fs::FileExt as _;
    let mut head = [0; 16];
    let whole = file.metadata().is_ok_and(|it| it.len() == bytes);
    if !whole || file.read_exact_at(&mut head, 0).is_err() {
        return false;
    }
    let word = |at: usize| {
        head[at * 8..]
            .first_chunk()
            .map(|word| u64::from_ne_bytes(*word))
    };
    head == [0; 16] || (word(AT_MAGIC), word(AT_LAYOUT)) == (Some(MAGIC), Some(LAYOUT))
}

/// A number for this life of the machine.
fn boot() -> u64 {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // FNV-1a; zero is a file that was never used.
    let hash = id.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    hash.max(1)
}

/// Whether a process has ended. One that got its number since only delays what depends on it.
fn is_gone(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

fn write(words: &[AtomicU64], text: &str) {
    for (word, bytes) in words.iter().zip(text.as_bytes().chunks(8)) {
        let mut chunk = [0; 8];
        chunk[..bytes.len()].copy_from_slice(bytes);
        word.store(u64::from_ne_bytes(chunk), Ordering::Relaxed);
    }
}

fn text(words: &[AtomicU64], length: usize) -> String {
    let words = words.iter().take(NAME_BYTES / 8);
    let bytes = words.flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
    String::from_utf8_lossy(&bytes.take(length).collect::<Vec<u8>>()).into_owned()
}
