//! The keys of a manifest about minimum numbers of instances by the time of day.

use super::Field::{Text, Whole};
use super::Preset::{Required, Value};
use super::{Content, Key, Section, Table, key, rules};
use crate::draft::{FunctionDraft, WindowDraft};
use crate::units::narrow;

/// `[[scaling.schedule]]`.
pub(super) const SCHEDULE: Section<FunctionDraft> = Section {
    name: "scaling.schedule",
    meaning: "Minimum numbers of instances by the time of day, under every policy. Where windows \
        overlap the largest counts, and `min-scale` beside them. At most 32.",
    content: Content::Rows(&Table {
        keys: KEYS,
        main: "from",
        add: |d: &mut FunctionDraft, row: WindowDraft, _| d.schedule.push(row),
    }),
};

const CRON: &str = "five fields as in crontab: minute, hour, day of the month, month and day of the \
    week, such as \"0 8 * * 1-5\", at a time that comes";

const KEYS: &[Key<WindowDraft>] = &[
    key(
        "from",
        Required,
        Text(CRON, |d, v| {
            rules::put(&mut d.from, v.parse().ok().map(Some))
        }),
        "When the window begins. Where a clock goes forward over that time, it begins after the \
         gap; where it goes back, the first time counts.",
    ),
    key(
        "to",
        Required,
        Text(CRON, |d, v| rules::put(&mut d.to, v.parse().ok().map(Some))),
        "When it ends.",
    ),
    key(
        "time-zone",
        Value("'UTC'"),
        Text(
            "a time zone's name in the IANA database, such as \"Europe/Berlin\"",
            |d, v| rules::put(&mut d.zone, v.parse().ok().map(Some)),
        ),
        "Whose clock both go by.",
    ),
    key(
        "min-scale",
        Required,
        Whole(1, 1000, |d, v| d.min_scale = narrow(v)),
        "Never fewer instances meanwhile; no more than `max-scale`.",
    ),
];
