//! What `goal` has learned as numbers, for the heir of a gateway.

use crate::policy::learn::demand::{ARRIVALS, Demand};
use crate::policy::learn::levels::{BUCKETS, Level, Levels, MOST_GROUPS};
use crate::policy::learn::price::Price;
use crate::policy::learn::rhythm::Rhythm;
use crate::policy::learn::rise::Rise;
use crate::policy::learn::usage::Usage;
use crate::words::{Reader, Words};
use crate::{Moments, ScaleSpec};

impl Demand {
    pub(super) fn save(&self, words: &mut Words) {
        for moments in [self.start, self.service] {
            words.count(moments.count);
            words.float(moments.mean);
            words.float(moments.deviation);
        }
        words.float(self.gap);
        words.count(self.arrivals);
        words.time_or_none(self.arrived);
        words.time(self.peaked);
        words.float(self.waits);
        words.float(self.starts);
        self.levels.save(words);
        self.rise.save(words);
        self.price.save(words);
        self.usage.save(words);
    }

    /// None if that cannot be what `save` wrote.
    pub(super) fn load(spec: &ScaleSpec, words: &mut Reader<'_>) -> Option<Self> {
        let mut moments = || {
            let read = Moments {
                count: words.count()?,
                mean: words.float()?,
                deviation: words.float()?,
            };
            Some(read.checked())
        };
        let mut demand = Demand {
            start: moments()?,
            service: moments()?,
            gap: words.float()?,
            arrivals: words.count()?.min(ARRIVALS),
            arrived: words.time_or_none()?,
            peaked: words.time()?,
            waits: words.float()?,
            starts: words.float()?,
            levels: Levels::load(words)?,
            rise: Rise::load(words)?,
            price: Price::load(words)?,
            usage: Usage::load(words)?,
            ..Demand::new(spec)
        };
        demand.learn_starting();
        Some(demand)
    }
}

impl Levels {
    fn save(&self, words: &mut Words) {
        words.number(self.groups.len() as u64);
        words.number(self.used as u64);
        for level in &self.groups {
            words.time_or_none(level.fell);
            words.time(level.rose);
            level
                .gaps
                .iter()
                .for_each(|&count| words.count(count.into()));
            level.rhythm.save(words);
        }
    }

    fn load(words: &mut Reader<'_>) -> Option<Self> {
        let groups = words.length(MOST_GROUPS)?;
        let used = words.length(groups)?;
        let groups = (0..groups).map(|_| {
            let mut level = Level {
                fell: words.time_or_none()?,
                ..Level::new(words.time()?)
            };
            for place in 0..BUCKETS {
                level.gaps[place] = words.count()?.try_into().ok()?;
            }
            level.sum_up();
            level.rhythm = Rhythm::load(words)?;
            Some(level)
        });
        Some(Levels {
            groups: groups.collect::<Option<_>>()?,
            used,
        })
    }
}

impl Rhythm {
    fn save(&self, words: &mut Words) {
        words.count(self.count.into());
        self.recent
            .iter()
            .for_each(|&time| words.float(time.into()));
    }

    fn load(words: &mut Reader<'_>) -> Option<Self> {
        let mut rhythm = Rhythm::default();
        rhythm.count = words.length(2 * rhythm.recent.len() - 1)? as u8;
        for time in &mut rhythm.recent {
            *time = words.float()? as f32;
        }
        rhythm.foretell();
        Some(rhythm)
    }
}

impl Rise {
    fn save(&self, words: &mut Words) {
        words.time(self.until);
        for count in [self.first, self.most, self.last] {
            words.count(count);
        }
        words.float(self.stretches.into());
        self.counts
            .iter()
            .for_each(|&count| words.float(count.into()));
    }

    fn load(words: &mut Reader<'_>) -> Option<Self> {
        let mut rise = Rise {
            until: words.time()?,
            first: words.count()?,
            most: words.count()?,
            last: words.count()?,
            stretches: words.float()? as f32,
            ..Rise::default()
        };
        for count in &mut rise.counts {
            *count = words.float()? as f32;
        }
        Some(rise)
    }
}

impl Price {
    fn save(&self, words: &mut Words) {
        for float in [self.log, self.debt, self.late, self.requests] {
            words.float(float);
        }
    }

    fn load(words: &mut Reader<'_>) -> Option<Self> {
        Some(Price {
            // Held within its bound with the next request.
            log: words.float()?.min(100.0),
            debt: words.float()?,
            late: words.float()?,
            requests: words.float()?,
        })
    }
}

impl Usage {
    fn save(&self, words: &mut Words) {
        words.time(self.at);
        words.count(self.instances);
        words.count(self.used);
        words.float(self.alive);
        words.float(self.busy);
    }

    fn load(words: &mut Reader<'_>) -> Option<Self> {
        Some(Usage {
            at: words.time()?,
            instances: words.count()?,
            used: words.count()?,
            alive: words.float()?,
            busy: words.float()?,
        })
    }
}
