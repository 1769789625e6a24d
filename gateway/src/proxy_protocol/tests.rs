use proptest::prelude::*;

use super::*;

/// A header of version 2.
fn v2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

fn v4(source: [u8; 4], destination: [u8; 4], ports: [u16; 2]) -> Vec<u8> {
    let mut content = [source, destination].concat();
    content.extend(ports.into_iter().flat_map(u16::to_be_bytes));
    content
}

fn relayed(source: &str, destination: &str, consumed: usize) -> Header {
    Header::Relayed {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        consumed,
    }
}

/// Good headers and what they say.
fn vectors() -> Vec<(Vec<u8>, Header)> {
    let line = |text: &str| text.as_bytes().to_vec();
    let six: Vec<u8> = [
        "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets(),
        "2001:db8::2".parse::<Ipv6Addr>().unwrap().octets(),
    ]
    .concat();
    let six = [six, vec![0x10, 0x00, 0x01, 0xbb]].concat();
    let four = v4([192, 0, 2, 1], [198, 51, 100, 1], [56324, 443]);
    // PP2_TYPE_AUTHORITY and PP2_TYPE_NOOP.
    let fields = [&four[..], &[2, 0, 1, b'a', 4, 0, 3, 0, 0, 0]].concat();
    let longest = "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
    vec![
        (
            line("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"),
            relayed("192.0.2.1:56324", "198.51.100.1:443", 45),
        ),
        (
            line("PROXY TCP6 2001:db8::1 2001:db8::2 4096 443\r\n"),
            relayed("[2001:db8::1]:4096", "[2001:db8::2]:443", 45),
        ),
        (
            line("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n"),
            relayed("255.255.255.255:65535", "0.0.0.0:0", 44),
        ),
        (line("PROXY UNKNOWN\r\n"), Header::Unknown { consumed: 15 }),
        (
            line(longest),
            Header::Unknown {
                consumed: longest.len(),
            },
        ),
        (
            v2(0x21, 0x11, &four),
            relayed("192.0.2.1:56324", "198.51.100.1:443", 28),
        ),
        (
            v2(0x21, 0x11, &fields),
            relayed("192.0.2.1:56324", "198.51.100.1:443", 38),
        ),
        (
            v2(0x21, 0x21, &six),
            relayed("[2001:db8::1]:4096", "[2001:db8::2]:443", 52),
        ),
        (v2(0x20, 0x00, &[]), Header::Local { consumed: 16 }),
        (v2(0x20, 0x11, &four), Header::Local { consumed: 28 }),
        (v2(0x21, 0x00, &[1, 2]), Header::Unknown { consumed: 18 }),
        (
            v2(0x21, 0x31, &[b'/'; 216]),
            Header::Unknown { consumed: 232 },
        ),
        (v2(0x21, 0x12, &four), Header::Unknown { consumed: 28 }),
    ]
}

#[test]
fn good_headers_byte_by_byte() {
    for (bytes, header) in vectors() {
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Header::Incomplete, "{bytes:?} {end}");
        }
        assert_eq!(parse(&bytes), header);
        let followed = [&bytes[..], b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse(&followed), header);
    }
}

#[test]
fn bad_headers() {
    let long = format!("PROXY UNKNOWN {}", "x".repeat(93));
    assert_eq!(long.len(), 107);
    let lines = [
        "GET / HTTP/1.1\r\n",
        "PROXX",
        "\r\nPROXY TCP4",
        "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY \r\n",
        &long,
    ];
    for text in lines {
        assert!(
            matches!(parse(text.as_bytes()), Header::Invalid(_)),
            "{text:?}"
        );
    }
    let four = v4([192, 0, 2, 1], [198, 51, 100, 1], [56324, 443]);
    let mut long = v2(0x21, 0x11, &four);
    long[14..16].copy_from_slice(&4081_u16.to_be_bytes());
    for bytes in [
        v2(0x11, 0x11, &four),
        v2(0x31, 0x11, &four),
        v2(0x22, 0x11, &four),
        v2(0x21, 0x41, &four),
        v2(0x21, 0x13, &four),
        v2(0x21, 0x11, &four[..11]),
        v2(0x21, 0x21, &four),
        long,
        b"\r\n\r\n\0\r\nQUIT\n\x11".to_vec(),
        b"\r\n\r\n\0\r\nQUIX".to_vec(),
    ] {
        assert!(matches!(parse(&bytes), Header::Invalid(_)), "{bytes:?}");
    }
}

proptest! {
    /// Whatever comes, it is told in bounded bytes, and more bytes do not change what was told.
    #[test]
    fn nothing_is_waited_for_without_end(
        start in 0..4_usize,
        rest in prop::collection::vec(any::<u8>(), 0..200),
        length in any::<u16>(),
    ) {
        let bytes = match start {
            0 => rest,
            1 => [&WORD[..], &rest].concat(),
            2 => [&SIGNATURE[..], &[0x21, 0x11], &length.to_be_bytes()[..], &rest].concat(),
            _ => [&SIGNATURE[..], &rest].concat(),
        };
        let mut told = None;
        for end in 0..=bytes.len() {
            let header = parse(&bytes[..end]);
            match &told {
                None if header == Header::Incomplete => {}
                None => told = Some(header),
                Some(told) => prop_assert_eq!(told, &header),
            }
        }
        let mut full = bytes;
        full.resize(LONGEST, b'x');
        prop_assert_ne!(parse(&full), Header::Incomplete);
    }

    #[test]
    fn addresses_come_through(
        source: [u8; 16],
        destination: [u8; 16],
        ports: [u16; 2],
        mapped: bool,
    ) {
        let [from, to] = ports;
        let (source, destination) = if mapped {
            let four = |bytes: [u8; 16]| IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]);
            (four(source), four(destination))
        } else {
            (IpAddr::from(source), IpAddr::from(destination))
        };
        let family = if mapped { "TCP4" } else { "TCP6" };
        let text = format!("PROXY {family} {source} {destination} {from} {to}\r\n");
        let expected = Header::Relayed {
            source: SocketAddr::new(source, from),
            destination: SocketAddr::new(destination, to),
            consumed: text.len(),
        };
        prop_assert_eq!(parse(text.as_bytes()), expected);
    }
}
