//! Minimum numbers of instances by the time of day.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Minimum numbers of instances by the time of day. Where windows overlap the largest counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// In the order of the manifest.
    pub windows: Vec<WindowSpec>,
}

/// A minimum number of instances from each time to the next one that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSpec {
    /// When it begins.
    pub from: CronSpec,
    /// When it ends; at a time at which it begins too, it begins.
    pub to: CronSpec,
    /// Whose wall clock both go by.
    pub zone: ZoneSpec,
    /// Never fewer instances meanwhile.
    pub min_scale: u32,
}

/// Times that come again and again: minute, hour, day of the month, month and day of the week, as in
/// `crontab(5)`.
///
/// Where a clock goes forward over such a time, that is when it is past the gap; where one goes back
/// over it, it is the first of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronSpec(Cron);

/// A time zone of the IANA database; the machine's own where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneSpec(TimeZone);

/// From a time on there are to be at least so many instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorChange {
    /// The time.
    pub at: SystemTime,
    /// Until the next one.
    pub min_scale: u32,
}

impl ScheduleSpec {
    /// True if it never asks for anything.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// What holds at `now`, and then the changes to come, `most` in all and fewer if there are
    /// fewer. Empty without windows, or at a time that no calendar has.
    pub fn changes(&self, now: SystemTime, most: usize) -> Vec<FloorChange> {
        let mut changes = Vec::new();
        let Ok(mut time) = Timestamp::try_from(now) else {
            return changes;
        };
        if self.is_empty() {
            return changes;
        }
        let mut last = None;
        // Windows that begin when others end change nothing; there may be many such times.
        for _ in 0..most.saturating_mul(16) {
            let min_scale = self.floor(time);
            if last.replace(min_scale) != Some(min_scale) {
                let at = SystemTime::from(time);
                changes.push(FloorChange { at, min_scale });
            }
            let next = self.windows.iter().filter_map(|it| it.next(time)).min();
            match next {
                Some(next) if changes.len() < most => time = next,
                _ => break,
            }
        }
        changes
    }

    fn floor(&self, time: Timestamp) -> u32 {
        let open = self.windows.iter().filter(|window| window.is_open(time));
        open.map(|window| window.min_scale).max().unwrap_or(0)
    }
}

impl WindowSpec {
    fn is_open(&self, time: Timestamp) -> bool {
        let time = Zoned::new(time, self.zone.0.clone());
        let last = |cron: &CronSpec| cron.0.find_previous_occurrence(&time, true).ok();
        match (last(&self.from), last(&self.to)) {
            (Some(from), Some(to)) => from.timestamp() >= to.timestamp(),
            (from, _) => from.is_some(),
        }
    }

    /// When it next begins or ends.
    fn next(&self, time: Timestamp) -> Option<Timestamp> {
        let zoned = Zoned::new(time, self.zone.0.clone());
        let next = |cron: &CronSpec| cron.0.find_next_occurrence(&zoned, false).ok();
        let next = next(&self.from).into_iter().chain(next(&self.to));
        // A clock that stands still would be asked for ever.
        next.map(|it| it.timestamp()).filter(|it| *it > time).min()
    }
}

impl FromStr for CronSpec {
    type Err = ();

    /// Five fields, at a time that comes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        // Nicknames such as `@daily` are not needed to say this, and `@reboot` would mean nothing.
        let fields = text.split_ascii_whitespace().count();
        let cron = parser.parse(text).map_err(drop)?;
        // Every day of the calendar comes within eight years.
        let start = Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let first = cron.find_next_occurrence(&start, true).map_err(drop)?;
        match fields == 5 && first.year() < 1_980 {
            true => Ok(CronSpec(cron)),
            false => Err(()),
        }
    }
}

impl fmt::Display for CronSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for ZoneSpec {
    type Err = ();

    /// `Europe/Berlin`, `UTC`.
    fn from_str(text: &str) -> Result<Self, ()> {
        TimeZone::get(text).map(ZoneSpec).map_err(drop)
    }
}

#[cfg(test)]
mod tests;
