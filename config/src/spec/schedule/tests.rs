use super::*;

fn window(from: &str, to: &str, zone: &str, min_scale: u32) -> WindowSpec {
    WindowSpec {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        zone: zone.parse().unwrap(),
        min_scale,
    }
}

/// The changes from a time on, both in UTC.
fn changes(windows: &[WindowSpec], now: &str, most: usize) -> Vec<(String, u32)> {
    let schedule = ScheduleSpec {
        windows: windows.to_vec(),
    };
    let now: Timestamp = now.parse().unwrap();
    let changes = schedule.changes(now.into(), most).into_iter();
    changes
        .map(|it| {
            (
                Timestamp::try_from(it.at).unwrap().to_string(),
                it.min_scale,
            )
        })
        .collect()
}

#[track_caller]
fn expect(windows: &[WindowSpec], now: &str, expected: &[(&str, u32)]) {
    let found = changes(windows, now, expected.len());
    let found: Vec<_> = found.iter().map(|(at, it)| (at.as_str(), *it)).collect();
    assert_eq!(found, expected);
}

#[test]
fn office_hours_in_berlin() {
    let hours = [window("0 8 * * 1-5", "0 18 * * 1-5", "Europe/Berlin", 3)];
    // A Friday in winter, an hour ahead of UTC; then the weekend.
    expect(
        &hours,
        "2026-01-09T12:00:00Z",
        &[
            ("2026-01-09T12:00:00Z", 3),
            ("2026-01-09T17:00:00Z", 0),
            ("2026-01-12T07:00:00Z", 3),
            ("2026-01-12T17:00:00Z", 0),
        ],
    );
    // In summer two hours ahead.
    expect(
        &hours,
        "2026-07-10T05:59:59Z",
        &[("2026-07-10T05:59:59Z", 0), ("2026-07-10T06:00:00Z", 3)],
    );
}

#[test]
fn a_window_that_begins_when_a_clock_goes_forward_begins_after_the_gap() {
    // On 2026-03-29 two o'clock is three o'clock there, at 01:00 UTC.
    let night = [window("30 2 * * *", "0 4 * * *", "Europe/Berlin", 1)];
    expect(
        &night,
        "2026-03-28T22:00:00Z",
        &[
            ("2026-03-28T22:00:00Z", 0),
            ("2026-03-29T01:00:00Z", 1),
            ("2026-03-29T02:00:00Z", 0),
            ("2026-03-30T00:30:00Z", 1),
        ],
    );
    // Whoever asks in the midst of it is told the same.
    expect(
        &night,
        "2026-03-29T01:10:00Z",
        &[("2026-03-29T01:10:00Z", 1)],
    );
    expect(
        &night,
        "2026-03-29T02:10:00Z",
        &[("2026-03-29T02:10:00Z", 0)],
    );
}

#[test]
fn a_time_that_comes_twice_when_a_clock_goes_back_counts_once() {
    // On 2026-10-25 it is 02:30 at 00:30 and at 01:30 UTC.
    let night = [window("30 2 * * *", "0 4 * * *", "Europe/Berlin", 1)];
    expect(
        &night,
        "2026-10-24T22:00:00Z",
        &[
            ("2026-10-24T22:00:00Z", 0),
            ("2026-10-25T00:30:00Z", 1),
            ("2026-10-25T03:00:00Z", 0),
            ("2026-10-26T01:30:00Z", 1),
        ],
    );
    for (now, min_scale) in [
        ("00:29", 0),
        ("00:31", 1),
        ("01:29", 1),
        ("01:31", 1),
        ("03:01", 0),
    ] {
        let now = format!("2026-10-25T{now}:00Z");
        expect(&night, &now, &[(&now, min_scale)]);
    }
    // One that ends in that hour ends the first time.
    let evening = [window("0 20 * * *", "30 2 * * *", "Europe/Berlin", 1)];
    for (now, min_scale) in [("00:29", 1), ("00:31", 0), ("01:31", 0)] {
        let now = format!("2026-10-25T{now}:00Z");
        expect(&evening, &now, &[(&now, min_scale)]);
    }
}

#[test]
fn the_largest_of_windows_that_overlap_counts() {
    let windows = [
        window("0 8 * * *", "0 18 * * *", "UTC", 2),
        window("0 12 * * *", "0 13 * * *", "UTC", 5),
        window("0 17 * * *", "0 20 * * *", "UTC", 2),
    ];
    expect(
        &windows,
        "2026-01-09T00:00:00Z",
        &[
            ("2026-01-09T00:00:00Z", 0),
            ("2026-01-09T08:00:00Z", 2),
            ("2026-01-09T12:00:00Z", 5),
            ("2026-01-09T13:00:00Z", 2),
            ("2026-01-09T20:00:00Z", 0),
        ],
    );
}

#[test]
fn windows_of_different_days_and_across_midnight() {
    // Closed on Saturday, for Friday's end is later than its beginning.
    let uneven = [window("0 8 * * 1-5", "0 18 * * *", "UTC", 1)];
    expect(
        &uneven,
        "2026-01-10T10:00:00Z",
        &[("2026-01-10T10:00:00Z", 0), ("2026-01-12T08:00:00Z", 1)],
    );
    let night = [window("0 22 * * *", "0 6 * * *", "Asia/Tokyo", 1)];
    expect(
        &night,
        "2026-01-09T15:30:00Z",
        &[("2026-01-09T15:30:00Z", 1), ("2026-01-09T21:00:00Z", 0)],
    );
    let always = [window("0 0 * * *", "0 0 * * *", "UTC", 1)];
    expect(
        &always,
        "2026-01-09T15:30:00Z",
        &[("2026-01-09T15:30:00Z", 1)],
    );
    assert_eq!(changes(&always, "2026-01-09T15:30:00Z", 9).len(), 1);
    assert!(changes(&[], "2026-01-09T15:30:00Z", 9).is_empty());
}

#[test]
fn what_is_no_time_or_no_zone() {
    for good in [
        "0 8 * * 1-5",
        "*/5 * * * *",
        "0 0 29 2 *",
        "0 9 L * *",
        "0 9 * JAN MON#1",
    ] {
        assert!(good.parse::<CronSpec>().is_ok(), "{good}");
    }
    let bad = [
        "",
        "0 8 * *",
        "0 8 * * 1 2026",
        "0 0 8 * * 1",
        "60 8 * * *",
        "0 8 * * 8",
        "0 0 30 2 *",
        "@daily",
        "0 8 * * 1-",
        "\u{0}",
    ];
    for bad in bad {
        assert!(bad.parse::<CronSpec>().is_err(), "{bad}");
    }
    for zone in ["UTC", "Europe/Berlin", "america/new_york", "Asia/Kolkata"] {
        assert!(zone.parse::<ZoneSpec>().is_ok(), "{zone}");
    }
    for zone in ["", "Europe/Bern", "+02:00", "../UTC"] {
        assert!(zone.parse::<ZoneSpec>().is_err(), "{zone}");
    }
}
