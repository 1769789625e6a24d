//! The PROXY protocol, with and without TLS.

use std::io::Write as _;
use std::net::TcpStream;

use crate::harness::{
    Authority, Client, Function, Gateway, PATIENCE, Response, Site, in_parallel, run,
};

/// A gateway whose second listener asks for the protocol, and whose third one for TLS after it.
fn gateway(more: &str) -> (Gateway, Authority) {
    let listener = "[[listeners]]\naddress = \"127.0.0.1:0\"\nproxy-protocol = true\n";
    let text = format!(
        "trusted-proxies = [\"192.0.2.128/25\"]\n{listener}{listener}tls = true\n\
         [[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n{more}"
    );
    let site = Site::new(&text).function("f", &Function::fixture("inherit"));
    let authority = Authority::new(site.directory(), "ca");
    authority.issue(site.directory(), "a", ("a", &["a.test"]));
    (site.start(), authority)
}

/// Version 2, for IPv4, with a field after the addresses.
fn v2(command: u8, source: [u8; 4]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, 0x11, 0, 12 + 4]);
    bytes.extend(source);
    bytes.extend([198, 51, 100, 1]);
    bytes.extend([0x30, 0x39, 0x01, 0xbb]);
    bytes.extend([0x04, 0x00, 0x01, 0x00]);
    bytes
}

/// The addresses that the function saw.
fn forwarded_for(answer: Response) -> String {
    let json = answer.good().json();
    let pairs = json["headers"].as_array().expect("a list of headers");
    let found = pairs
        .iter()
        .find(|pair| pair[0].as_str() == Some("x-forwarded-for"));
    let found = found.and_then(|pair| pair[1].as_str());
    found.expect("it is always there").to_owned()
}

const REQUEST: &[u8] =
    b"GET /function/f/headers HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";

fn headers() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n".to_vec(),
            "192.0.2.7",
        ),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 12345 443\r\n".to_vec(),
            "2001:db8::7",
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), "unknown"),
        (v2(0x21, [192, 0, 2, 7]), "192.0.2.7"),
        // It is the address in the header that is trusted or not.
        (v2(0x21, [192, 0, 2, 200]), "203.0.113.9, 192.0.2.200"),
        (v2(0x20, [192, 0, 2, 7]), "127.0.0.1"),
    ]
}

#[test]
fn the_header_says_who_calls() {
    let (gateway, authority) = gateway("");
    for (header, expected) in headers() {
        // In one piece.
        let mut client = Client::connect(gateway.listener(1)).expect("it accepts");
        client
            .send([&header[..], REQUEST].concat())
            .expect("can be sent");
        let answer = client.receive().expect("there is an answer");
        assert_eq!(forwarded_for(answer), expected, "{header:?}");
        // The connection's later requests are the same caller's.
        client.send(REQUEST).expect("can be sent");
        let answer = client.receive().expect("there is an answer");
        assert_eq!(forwarded_for(answer), expected, "{header:?}");

        // Byte by byte.
        let mut client = Client::connect(gateway.listener(1)).expect("it accepts");
        for byte in &header {
            client.send([*byte]).expect("can be sent");
        }
        client.send(REQUEST).expect("can be sent");
        let answer = client.receive().expect("there is an answer");
        assert_eq!(forwarded_for(answer), expected, "{header:?}");

        // Before TLS.
        let mut stream = TcpStream::connect(gateway.listener(2)).expect("it accepts");
        stream.write_all(&header).expect("can be sent");
        let mut client = authority.over(stream, "a.test", None);
        client.send(REQUEST).expect("can be sent");
        let answer = client.receive().expect("there is an answer");
        assert_eq!(forwarded_for(answer), expected, "{header:?}");
    }
}

#[test]
fn who_sends_none_is_closed() {
    const WITHOUT: [&[u8]; 5] = [
        REQUEST,
        b"PROXY TCP4 192.0.2.7 198.51.100.1 12345\r\nGET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 192.0.2.7",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x00",
        b"",
    ];
    let (gateway, _) = gateway("[timeouts]\nheader = \"4s\"\n");
    for listener in [1, 2] {
        in_parallel(WITHOUT.len(), |index| {
            let mut client = Client::connect(gateway.listener(listener)).expect("it accepts");
            // It may be closed by then.
            client.send(WITHOUT[index]).ok();
            let rest = client.receive_rest();
            assert_eq!(rest.expect("it is closed"), b"", "{index}");
        });
    }
    // Nor is a header expected elsewhere.
    let mut client = gateway.connect();
    client
        .send([b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n", REQUEST].concat())
        .expect("can be sent");
    assert_eq!(
        client.receive_head().expect("there is an answer").status,
        400
    );
}

#[test]
fn headers_are_taken_from_some_only() {
    let listener = |from: &str| {
        format!(
            "[[listeners]]\naddress = \"127.0.0.1:0\"\nproxy-protocol = true\n\
             proxy-protocol-from = [\"{from}\"]\n"
        )
    };
    let (gateway, _) = gateway(&format!(
        "{}{}",
        listener("127.0.0.0/8"),
        listener("192.0.2.0/24")
    ));
    let ask = |listener| {
        let mut client = Client::connect(gateway.listener(listener)).expect("it accepts");
        client
            .send([b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n", REQUEST].concat())
            .ok();
        client
    };
    assert_eq!(
        forwarded_for(ask(3).receive().expect("there is an answer")),
        "192.0.2.7"
    );
    assert!(ask(4).is_closed_within(PATIENCE));
}

#[test]
fn curl_speaks_it() {
    let (gateway, _) = gateway("");
    let ca = gateway
        .site()
        .directory()
        .join("ca.pem")
        .display()
        .to_string();
    let plain = format!("http://{}/function/f/headers", gateway.listener(1));
    let port = gateway.listener(2).port();
    let (secure, resolve) = (
        format!("https://a.test:{port}/function/f/headers"),
        format!("a.test:{port}:127.0.0.1"),
    );
    let common = ["-sSi", "--max-time", "120", "--haproxy-protocol"];
    for (more, proto) in [
        (vec![&*plain], "http"),
        (
            vec!["--cacert", &ca, "--resolve", &resolve, &secure],
            "https",
        ),
    ] {
        let arguments = [&common[..], &more].concat();
        let (fine, said) = run("curl", &arguments);
        let said = said.replace(", ", ",");
        assert!(
            fine && said.contains("[\"x-forwarded-for\",\"127.0.0.1\"]"),
            "{said}"
        );
        assert!(
            said.contains(&format!("[\"x-forwarded-proto\",\"{proto}\"]")),
            "{said}"
        );
    }
    let without = run("curl", &["-sSi", "--max-time", "120", &plain]);
    assert!(!without.0, "{}", without.1);
}
