//! TLS, as curl, openssl and others speak it.

mod clients;

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::harness::{Authority, Function, Gateway, PATIENCE, Site, run, wait_until};

const LISTENER: &str = "[[listeners]]\naddress = \"127.0.0.1:0\"\ntls = true\n";

/// A gateway whose second listener has TLS for `a.test` and whatever `more` adds.
fn gateway(more: &str) -> (Gateway, Authority) {
    let text =
        format!("{LISTENER}[[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n{more}");
    let function = Function::fixture("inherit").scaling(4, 1, "");
    let one = Function::fixture("inherit")
        .scaling(1, 1, "")
        .with("[timeouts]\nqueue = \"120s\"");
    let site = Site::new(&text)
        .function("f", &function)
        .function("one", &one);
    let authority = Authority::new(site.directory(), "ca");
    for host in ["a.test", "b.test", "c.test"] {
        authority.issue(site.directory(), &host[..1], (host, &[host]));
    }
    authority.issue(site.directory(), "alice", ("alice", &["alice.test"]));
    (site.start(), authority)
}

/// Runs curl for `https://HOST:PORT` and the path.
pub(crate) fn curl(
    gateway: &Gateway,
    (host, path): (&str, &str),
    options: &[&str],
) -> (bool, String) {
    let port = gateway.listener(1).port();
    let ca = path_of(gateway, "ca.pem");
    let resolve = format!("{host}:{port}:127.0.0.1");
    let url = format!("https://{host}:{port}{path}");
    let mut arguments = vec![
        "-sSi",
        "--max-time",
        "120",
        "--cacert",
        &ca,
        "--resolve",
        &resolve,
    ];
    arguments.extend(options);
    arguments.push(&url);
    run("curl", &arguments)
}

/// Runs `openssl s_client`, which shakes hands and leaves.
fn s_client(address: SocketAddr, options: &[&str]) -> (bool, String) {
    let address = address.to_string();
    let mut arguments = vec!["s_client", "-connect", &address];
    arguments.extend(options);
    run("openssl", &arguments)
}

fn path_of(gateway: &Gateway, file: &str) -> String {
    gateway.site().directory().join(file).display().to_string()
}

#[test]
fn curl_is_served_over_tls() {
    let (gateway, _) = gateway("");
    let headers = ("a.test", "/function/f/headers");
    let (fine, said) = curl(&gateway, headers, &["--http2"]);
    assert!(fine && said.starts_with("HTTP/2 200"), "by ALPN: {said}");
    let (fine, said) = curl(&gateway, headers, &["--http1.1"]);
    assert!(fine && said.starts_with("HTTP/1.1 200"), "{said}");
    let port = gateway.listener(1).port();
    for part in [
        "[\"x-forwarded-proto\",\"https\"]".to_owned(),
        format!("for=127.0.0.1;host=\\\"a.test:{port}\\\";proto=https"),
    ] {
        assert!(
            said.replace(", ", ",").contains(&part),
            "no {part} in {said}"
        );
    }
    assert!(
        !said.contains("strict-transport-security") && !said.contains("client-cert"),
        "{said}"
    );
    // The plain listener beside it.
    gateway.get("/function/f").good();
    // Large bodies both ways.
    let body = path_of(&gateway, "body");
    fs::write(&body, vec![b'x'; 3 << 20]).expect("can be written");
    let data = format!("@{body}");
    let to = path_of(&gateway, "echoed");
    let options = ["--data-binary", &data, "-o", &to, "-i"];
    let (fine, said) = curl(&gateway, ("a.test", "/function/f/echo"), &options);
    assert!(fine, "{said}");
    let echoed = fs::read(&to).expect("curl wrote it");
    assert!(echoed.ends_with(&vec![b'x'; 3 << 20]));
    // A client that trusts somebody else.
    let (fine, said) = curl(
        &gateway,
        ("a.test", "/"),
        &["--cacert", &path_of(&gateway, "b.pem")],
    );
    assert!(!fine && said.contains("certificate"), "{said}");
}

#[test]
fn the_certificate_is_chosen_by_name() {
    let (gateway, _) = gateway(
        "[[certificates]]\ncertificate = \"b.pem\"\nkey = \"b.key\"\nhosts = [\"b.test\", \"*.b.test\"]\n\
         [[certificates]]\ncertificate = \"c.pem\"\nkey = \"c.key\"\ndefault = true\n",
    );
    for (name, subject) in [
        (Some("a.test"), "a.test"),
        (Some("b.test"), "b.test"),
        (Some("x.b.test"), "b.test"),
        (Some("c.test"), "c.test"),
        (Some("unknown.test"), "c.test"),
        (None, "c.test"),
    ] {
        let options = match name {
            Some(name) => vec!["-servername", name],
            None => vec!["-noservername"],
        };
        let (fine, said) = s_client(gateway.listener(1), &options);
        assert!(
            fine && said.contains(&format!("subject=CN = {subject}\n")),
            "{name:?}: {said}"
        );
    }
}

#[test]
fn versions() {
    let (gateway, _) = gateway("");
    let old = ["-cipher", "DEFAULT@SECLEVEL=0"];
    for (version, protocol) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (fine, said) = s_client(gateway.listener(1), &[version]);
        assert!(
            fine && said.contains(&format!("New, {protocol}, Cipher")),
            "{said}"
        );
    }
    let (fine, said) = s_client(gateway.listener(1), &["-tls1_1", old[0], old[1]]);
    assert!(!fine && said.contains("alert handshake failure"), "{said}");
    drop(gateway);

    let (gateway, _) = self::gateway("[tls]\nminimum-version = \"1.3\"\n");
    let (fine, said) = s_client(gateway.listener(1), &["-tls1_2"]);
    assert!(!fine && said.contains("alert protocol version"), "{said}");
    assert!(s_client(gateway.listener(1), &["-tls1_3"]).0);
}

/// Until this certificate is shown to new connections.
fn wait_for_subject(gateway: &Gateway, subject: &str) {
    let wanted = format!("subject=CN = {subject}\n");
    wait_until(&format!("{subject} is shown"), || {
        s_client(gateway.listener(1), &["-servername", "a.test"])
            .1
            .contains(&wanted)
    });
}

#[test]
fn certificates_are_replaced_under_connections() {
    let (gateway, authority) = gateway("");
    let directory = gateway.site().directory().to_owned();
    let mut kept = authority.connect(gateway.listener(1), "a.test", None);
    kept.get("/function/f").expect("there is an answer").good();

    authority.issue(&directory, "a", ("second", &["a.test"]));
    gateway.wait_for_error(0, &["reload: new certificates: ", "a.pem"]);
    wait_for_subject(&gateway, "second");
    kept.get("/function/f")
        .expect("the connection goes on")
        .good();

    // A file that is broken leaves what is there.
    let said = gateway.error_count();
    fs::write(directory.join("a.pem"), "broken").expect("can be written");
    gateway.wait_for_error(said, &["certificates[0].certificate", "a.pem has none"]);
    wait_for_subject(&gateway, "second");

    // A new certificate with the old key is refused as well, and taken once they fit.
    let key = fs::read(directory.join("a.key")).expect("can be read");
    let said = gateway.error_count();
    authority.issue(&directory, "a", ("third", &["a.test"]));
    let new_key = fs::read(directory.join("a.key")).expect("can be read");
    fs::write(directory.join("a.key"), key).expect("can be written");
    gateway.signal(Signal::HUP);
    gateway.wait_for_error(said, &["certificates[0].key", "the key of"]);
    fs::write(directory.join("a.key"), new_key).expect("can be written");
    wait_for_subject(&gateway, "third");
    kept.get("/function/f")
        .expect("the connection goes on")
        .good();
}

#[test]
fn a_certificate_may_come_after_the_configuration_that_names_it() {
    let (gateway, authority) = gateway("");
    let directory = gateway.site().directory();
    let file = gateway.site().file();
    let text = fs::read_to_string(&file).expect("can be read");
    fs::create_dir_all(directory.join("later")).expect("can be made");
    fs::write(&file, text.replace("\"a.", "\"later/a.")).expect("can be written");
    gateway.wait_for_error(0, &["certificates[0].certificate", "later/a.pem"]);
    authority.issue(&directory.join("later"), "a", ("later", &["a.test"]));
    wait_for_subject(&gateway, "later");
}

#[test]
fn nobody_fails_while_certificates_are_replaced() {
    let (gateway, authority) = gateway("");
    let directory = gateway.site().directory();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let call = || {
            let mut served = 0;
            let mut kept = authority.connect(gateway.listener(1), "a.test", None);
            while !over.load(Ordering::Relaxed) {
                kept.get("/function/f").expect("it goes on").good();
                let mut new = authority.connect(gateway.listener(1), "a.test", None);
                new.get("/function/f").expect("it is accepted").good();
                served += 1;
            }
            served
        };
        let callers = [scope.spawn(call), scope.spawn(call)];
        for round in 0..5 {
            let subject = format!("round-{round}");
            authority.issue(directory, "a", (&subject, &["a.test"]));
            wait_for_subject(&gateway, &subject);
        }
        over.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(caller.join().expect("it was served") > 5);
        }
    });
}

#[test]
fn browsers_are_sent_to_https_and_kept_there() {
    let (gateway, authority) = gateway(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\nredirect-to-https = true\nredirect-port = 8443\n\
         [tls]\nhsts-max-age = \"1h\"\nhsts-include-subdomains = true\n",
    );
    let hsts = Some("max-age=3600; includeSubDomains");
    let mut secure = authority.connect(gateway.listener(1), "a.test", None);
    let answer = secure
        .get("/function/f")
        .expect("there is an answer")
        .good();
    assert_eq!(answer.header("strict-transport-security"), hsts);
    let answer = secure.get("/nowhere").expect("there is an answer");
    assert_eq!(answer.header("strict-transport-security"), hsts);
    answer.problem(404, "not-found");
    let answer = gateway.get("/function/f").good();
    assert_eq!(answer.header("strict-transport-security"), None);

    let mut plain = crate::harness::Client::connect(gateway.listener(2)).expect("it accepts");
    for method in ["GET", "POST"] {
        plain
            .send(format!("{method} /function/f?a=b%20c HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 0\r\n\r\n"))
            .expect("can be sent");
        let answer = plain.receive().expect("there is an answer");
        assert_eq!(answer.status, 308);
        assert_eq!(
            answer.header("location"),
            Some("https://a.test:8443/function/f?a=b%20c")
        );
        assert_eq!(answer.header("strict-transport-security"), None);
    }
    for host in ["a.test@evil.test", "a.test/x", "", "[x]"] {
        plain
            .send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .expect("can be sent");
        let answer = plain.receive().expect("there is an answer");
        assert_eq!(
            (answer.status, answer.header("location")),
            (400, None),
            "{host}"
        );
    }
    let port = gateway.listener(2).port();
    let url = format!("http://127.0.0.1:{port}/x");
    let (fine, said) = run("curl", &["-sSi", &url]);
    assert!(
        fine && said.contains("location: https://127.0.0.1:8443/x"),
        "{said}"
    );
}

#[test]
fn who_does_not_shake_hands_is_closed() {
    let (gateway, authority) = gateway("[tls]\nhandshake-timeout = \"5s\"\n");
    let connect = || crate::harness::Client::connect(gateway.listener(1)).expect("it accepts");
    let mut silent = connect();
    let mut slow = connect();
    slow.send(b"\x16\x03\x01\x02\x00\x01").expect("can be sent");
    let mut plain = connect();
    plain
        .send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .expect("can be sent");
    for client in [&mut silent, &mut slow, &mut plain] {
        assert!(client.is_closed_within(PATIENCE));
    }
    let mut good = authority.connect(gateway.listener(1), "a.test", None);
    good.get("/function/f").expect("there is an answer").good();

    let socket = path_of(&gateway, "state/admin.sock");
    let (fine, said) = run(
        "curl",
        &["-sS", "--unix-socket", &socket, "http://stoker/metrics"],
    );
    assert!(fine, "{said}");
    for line in [
        "stoker_tls_handshakes_total{result=\"timeout\"} 2",
        "stoker_tls_handshakes_total{result=\"failed\"} 1",
        "stoker_tls_handshakes_total{result=\"ok\"} 1",
        &format!(
            "stoker_certificate_expiry_timestamp_seconds{{certificate=\"{}\"}} ",
            path_of(&gateway, "a.pem")
        ),
    ] {
        assert!(said.contains(line), "no {line} in {said}");
    }
}

#[test]
fn many_handshakes_at_once() {
    let (gateway, authority) = gateway("[tls]\nconcurrent-handshakes = 1\n");
    let statuses = crate::harness::in_parallel(40, |_| {
        let mut client = authority.connect(gateway.listener(1), "a.test", None);
        let answer = client.get("/function/f").expect("there is an answer");
        answer.status
    });
    assert_eq!(statuses, [200; 40]);
}

#[test]
fn a_caller_that_takes_nothing_is_cut_off_over_tls_too() {
    let (gateway, authority) = gateway("[timeouts]\nwrite = \"300ms\"\n");
    let mut client = authority.connect(gateway.listener(1), "a.test", None);
    client
        .request("GET /function/one/bytes?n=60000000", "", b"")
        .expect("can be sent");
    client.receive_head().expect("there is a head");
    // It waits for the one slot, which the other one holds.
    gateway.get("/function/one/work").good();
    let rest = client.receive_rest();
    assert!(rest.map_or(true, |rest| rest.len() < 60_000_000));
}

#[test]
fn the_check_tells_what_is_wrong() {
    let text = format!("{LISTENER}[[certificates]]\ncertificate = \"a.pem\"\nkey = \"b.key\"\n");
    let site = Site::new(&text);
    let authority = Authority::new(site.directory(), "ca");
    authority.issue(site.directory(), "a", ("a", &["a.test"]));
    authority.issue(site.directory(), "b", ("b", &["b.test"]));
    let file = site.file().display().to_string();
    let (fine, said) = run(env!("CARGO_BIN_EXE_stoker"), &["check", &file]);
    assert!(
        !fine && said.contains("certificates[0].key: got \"b.key\", expected the key of"),
        "{said}"
    );
}
