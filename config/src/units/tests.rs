use super::*;

#[test]
fn durations_with_every_unit() {
    let cases = [
        ("250ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        ("10m", 600_000_000_000),
        ("1h", 3_600_000_000_000),
        ("500us", 500_000),
        ("0s", 0),
        ("0.000000001s", 1),
        ("0.5us", 500),
    ];
    for (text, nanos) in cases {
        assert_eq!(
            parse_duration(text),
            Ok(Duration::from_nanos(nanos)),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_duration() {
    for text in [
        "",
        "s",
        "5",
        "-5s",
        "+5s",
        "5 s",
        "5S",
        "5d",
        "1.s",
        ".5s",
        "1.2.3s",
        "1.0000000001s",
    ] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    assert!(parse_duration("99999999999999999999h").is_err());
    assert!(parse_duration("18446744073709551615h").is_err());
}

#[test]
fn sizes_with_every_unit() {
    let cases = [
        ("64KiB", 65_536),
        ("10MiB", 10 << 20),
        ("1GiB", 1 << 30),
        ("10MB", 10_000_000),
        ("2kB", 2_000),
        ("7B", 7),
    ];
    for (text, bytes) in cases {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
    for text in [
        "",
        "5",
        "MiB",
        "1.5MiB",
        "-1B",
        "5 MiB",
        "5mib",
        "99999999999TiB",
    ] {
        assert!(parse_size(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    for text in ["0s", "1us", "250ms", "90s", "5m", "24h", "1500us"] {
        let duration = parse_duration(text).unwrap();
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
    assert_eq!(format_duration(Duration::from_secs(90)), "90s");
    assert_eq!(format_duration(Duration::from_nanos(1_001)), "1.001us");
    assert_eq!(format_size(10 << 20), "10MiB");
    assert_eq!(format_size(1500), "1500");
    assert_eq!(format_size(0), "0");
}
