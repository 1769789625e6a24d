//! Client certificates, per host.

use std::fs;
use std::path::Path;

use super::{curl, gateway, path_of};
use crate::harness::{Authority, Response};

/// The values of a header that the function saw, in its answer to `/headers`.
fn seen(answer: &Response, name: &str) -> Vec<String> {
    let json = answer.json();
    let pairs = json["headers"]
        .as_array()
        .expect("a list of headers")
        .iter();
    let named = pairs.filter(|pair| pair[0].as_str() == Some(name));
    named
        .filter_map(|pair| pair[1].as_str().map(str::to_owned))
        .collect()
}

/// What clients of `a.test`, `b.test` and `c.test` are asked for: nothing; perhaps; in any case.
const DEMANDS: &str = "[[certificates]]\ncertificate = \"b.pem\"\nkey = \"b.key\"\n\
     client-certificates = \"optional\"\nclient-ca = \"ca.pem\"\n\
     [[certificates]]\ncertificate = \"c.pem\"\nkey = \"c.key\"\n\
     client-certificates = \"required\"\nclient-ca = \"ca.pem\"\n";

#[test]
fn clients_show_certificates_where_they_must() {
    let (gateway, _) = gateway(DEMANDS);
    let directory = gateway.site().directory().to_owned();
    let theirs = directory.join("theirs");
    fs::create_dir_all(&theirs).expect("can be made");
    Authority::new(&theirs, "ca").issue(&theirs, "mallory", ("mallory", &["mallory.test"]));
    let alice = [
        path_of(&gateway, "alice.pem"),
        path_of(&gateway, "alice.key"),
    ];
    let mallory = ["theirs/mallory.pem", "theirs/mallory.key"].map(|file| path_of(&gateway, file));
    let identity = |files: &'_ [String; 2]| {
        [
            "--cert".to_owned(),
            files[0].clone(),
            "--key".to_owned(),
            files[1].clone(),
        ]
    };
    let ask = |host: &str, options: &[String]| {
        let options = options.iter().map(String::as_str);
        let options: Vec<&str> = options.chain(["--http1.1"]).collect();
        curl(&gateway, (host, "/function/f/headers"), &options)
    };
    let subject = "[\"stoker-client-subject\",\"CN=alice\"]";
    for (host, options, served, told) in [
        ("a.test", &[][..], true, false),
        ("a.test", &identity(&alice)[..], true, false),
        ("b.test", &[][..], true, false),
        ("b.test", &identity(&alice)[..], true, true),
        ("b.test", &identity(&mallory)[..], false, false),
        ("c.test", &[][..], false, false),
        ("c.test", &identity(&alice)[..], true, true),
        ("c.test", &identity(&mallory)[..], false, false),
    ] {
        let (fine, said) = ask(host, options);
        assert_eq!(
            fine && said.starts_with("HTTP/1.1 200"),
            served,
            "{host} {options:?}: {said}"
        );
        let said = said.replace(", ", ",");
        assert_eq!(said.contains(subject), told, "{host} {options:?}: {said}");
        assert_eq!(
            said.contains("\"client-cert\""),
            told,
            "{host} {options:?}: {said}"
        );
        assert!(
            served || said.contains("alert"),
            "{host} {options:?}: {said}"
        );
    }
}

#[test]
fn nobody_can_say_that_they_are_somebody_else() {
    let (gateway, authority) = gateway(DEMANDS);
    let directory = gateway.site().directory();
    let forged = "Client-Cert: :Zm9yZ2Vk:\r\nclient_cert: :Zm9yZ2Vk:\r\nClient-Cert-Chain: :Zm9yZ2Vk:\r\n\
         Stoker-Client-Subject: CN=root\r\nstoker_client_subject: CN=root\r\n";
    let ask = |host: &str, identity: Option<(&Path, &str)>| {
        let mut client = authority.connect(gateway.listener(1), host, identity);
        let head = format!("GET /function/f/headers HTTP/1.1\r\nHost: {host}\r\n{forged}\r\n");
        client.send(head).expect("can be sent");
        client.receive().expect("there is an answer").good()
    };
    let mut plain = gateway.connect();
    plain
        .request("GET /function/f/headers", forged, b"")
        .expect("can be sent");
    let unknown = [
        ask("a.test", None),
        ask("b.test", None),
        plain.receive().expect("there is an answer").good(),
    ];
    for answer in unknown {
        for name in [
            "client-cert",
            "client_cert",
            "client-cert-chain",
            "stoker-client-subject",
            "stoker_client_subject",
        ] {
            assert_eq!(seen(&answer, name), [""; 0], "{name}");
        }
    }
    let alice = ask("b.test", Some((directory, "alice")));
    assert_eq!(seen(&alice, "stoker-client-subject"), ["CN=alice"]);
    assert_eq!(seen(&alice, "stoker_client_subject"), [""; 0]);
    assert_eq!(seen(&alice, "client-cert-chain"), [""; 0]);
    // RFC 9440: the certificate in base64 between colons.
    let pem = fs::read_to_string(directory.join("alice.pem")).expect("can be read");
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(seen(&alice, "client-cert"), [format!(":{base64}:")]);
}

#[test]
fn a_request_for_another_hosts_demands_is_misdirected() {
    let (gateway, authority) = gateway(DEMANDS);
    let alice = Some((gateway.site().directory(), "alice"));
    let status = |client_host: &str, identity, host: &str| {
        let mut client = authority.connect(gateway.listener(1), client_host, identity);
        client
            .send(format!("GET /function/f HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .expect("can be sent");
        let answer = client.receive().expect("there is an answer");
        if answer.status == 421 {
            answer.clone().problem(421, "misdirected");
        }
        answer.status
    };
    assert_eq!(status("a.test", None, "a.test"), 200);
    assert_eq!(status("a.test", None, "unknown.test"), 200);
    assert_eq!(status("a.test", None, "c.test"), 421);
    assert_eq!(status("a.test", None, "C.TEST.:443"), 421);
    assert_eq!(status("b.test", alice, "c.test"), 421);
    assert_eq!(status("c.test", alice, "c.test"), 200);
    assert_eq!(status("c.test", alice, "a.test"), 421);
    // Nothing is asked of clients without TLS.
    let mut plain = gateway.connect();
    for (host, expected) in [("c.test", 421), ("b.test", 200), ("stoker.test", 200)] {
        plain
            .send(format!("GET /function/f HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .expect("can be sent");
        assert_eq!(
            plain.receive().expect("there is an answer").status,
            expected,
            "{host}"
        );
    }
}
