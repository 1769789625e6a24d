//! What a policy remembers, as numbers and back.

use crate::Timestamp;
use crate::policy::{Panic, PolicyState, RollingMax};
use crate::words::{Reader, Words};

impl PolicyState {
    /// Without what was learned.
    pub(crate) fn save(&self, words: &mut Words) {
        words.time_or_none(self.panic.map(|panic| panic.last_breach));
        words.count(self.panic.map_or(0, |panic| panic.peak));
        self.wanted.save(words);
        words.flag(self.initial_reached);
        words.flag(self.decided);
    }

    /// None if it is none of `save`.
    pub(crate) fn load(words: &mut Reader<'_>) -> Option<Self> {
        let (last_breach, peak) = (words.time_or_none()?, words.count()?);
        Some(PolicyState {
            panic: last_breach.map(|last_breach| Panic { last_breach, peak }),
            wanted: RollingMax::load(words)?,
            initial_reached: words.flag()?,
            decided: words.flag()?,
            learned: None,
        })
    }
}

impl RollingMax {
    /// There is one for each number of instances that was wanted: no more than instances.
    const MOST_ENTRIES: usize = 1_024;

    fn save(&self, words: &mut Words) {
        let entries = self.entries.iter().take(Self::MOST_ENTRIES);
        words.number(entries.len() as u64);
        for &(time, value) in entries {
            words.time(time);
            words.count(value);
        }
    }

    fn load(words: &mut Reader<'_>) -> Option<Self> {
        let mut entries: Vec<(Timestamp, u32)> = Vec::new();
        for _ in 0..words.length(Self::MOST_ENTRIES)? {
            let (time, value) = (words.time()?, words.count()?);
            let fits = |&(earlier, larger): &(Timestamp, u32)| earlier <= time && larger > value;
            if !entries.last().is_none_or(fits) {
                return None;
            }
            entries.push((time, value));
        }
        Some(RollingMax { entries })
    }
}
