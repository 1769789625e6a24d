//! Minimum numbers of instances by the time of day.

use std::time::{Duration, SystemTime};

use stoker_config::{ScheduleSpec, WindowSpec};

const MOST: usize = 4;

/// Lines of `from`, `to` and a time zone, each window with another minimum, and in the first line
/// the time, seconds since 1970: changes come from then on, one after the other, and are changes.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let seconds = lines.next().and_then(|line| line.trim().parse().ok());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unwrap_or(0_u32).into());
    let mut windows = Vec::new();
    while let (Some(from), Some(to), Some(zone)) = (lines.next(), lines.next(), lines.next()) {
        if let (Ok(from), Ok(to), Ok(zone)) = (from.parse(), to.parse(), zone.parse()) {
            windows.push(WindowSpec {
                from,
                to,
                zone,
                min_scale: 1 + windows.len() as u32,
            });
        }
    }
    let most = windows.len() as u32;
    let changes = ScheduleSpec { windows }.changes(now, MOST);
    assert!(changes.len() <= MOST);
    assert_eq!(changes.is_empty(), most == 0);
    assert!(changes.first().is_none_or(|first| first.at == now));
    assert!(changes.iter().all(|change| change.min_scale <= most));
    for pair in changes.windows(2) {
        assert!(pair[0].at < pair[1].at && pair[0].min_scale != pair[1].min_scale);
    }
}
