//! Listeners, TLS and certificates.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use stoker_config::{ClientDemand, HstsSpec, ListenerSpec, TlsVersion};

use crate::tree::Tree;

/// A tree with a certificate and a key for `names` in `a.pem` and `a.key`.
fn tree(names: &[&str]) -> Tree {
    let tree = Tree::new();
    write(&tree, "a", names);
    tree
}

fn write(tree: &Tree, file: &str, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    tree.write(&format!("{file}.pem"), made.cert.pem());
    tree.write(&format!("{file}.key"), made.signing_key.serialize_pem());
}

const PAIR: &str = "[[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";

#[test]
fn listeners_beside_plain_ones() {
    let tree = tree(&["example.org"]);
    let text = "[[listeners]]\naddress = \"127.0.0.1:443\"\ntls = true\nproxy-protocol = true\n\
         proxy-protocol-from = [\"10.0.0.0/8\"]\n\
         [[listeners]]\naddress = \"unix:s\"\nhttp2 = false\nredirect-to-https = true\n";
    let gateway = tree.load(&format!("{text}{PAIR}")).unwrap().gateway;
    // Without `listen` there is no default one beside them.
    let [secure, redirecting] = &gateway.listeners[..] else {
        panic!("{:?}", gateway.listeners);
    };
    assert!(secure.tls && secure.http2 && secure.proxy_protocol);
    assert_eq!(secure.proxy_protocol_from, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(redirecting.redirect_to_https, Some(443));
    assert_eq!(
        redirecting.address.to_string(),
        format!("unix:{}", tree.path("s").display())
    );
    let text = format!("listen = [\"127.0.0.1:1\"]\n{text}{PAIR}");
    let gateway = tree.load(&text).unwrap().gateway;
    assert_eq!(gateway.listeners.len(), 3);
    let plain = ListenerSpec::plain("127.0.0.1:1".parse().unwrap());
    assert_eq!(gateway.listeners[0], plain);
    assert_eq!(plain.to_string(), "127.0.0.1:1");
    assert_eq!(
        gateway.listeners[1].to_string(),
        "127.0.0.1:443 (proxy-protocol, tls)"
    );
}

#[test]
fn defaults() {
    let tls = Tree::new().load("").unwrap().gateway.tls;
    assert_eq!(tls.minimum_version, TlsVersion::Tls12);
    assert_eq!(tls.handshake_timeout, Duration::from_secs(10));
    assert_eq!((tls.hsts, tls.certificates.len()), (None, 0));
    assert!(tls.concurrent_handshakes >= 1);
}

#[test]
fn hosts_come_from_the_certificate() {
    let tree = tree(&["Example.org", "*.example.org", "127.0.0.1", "::1"]);
    let config = tree.load(PAIR).unwrap();
    let certificate = &config.gateway.tls.certificates[0];
    assert_eq!(
        certificate.hosts,
        ["example.org", "*.example.org", "127.0.0.1", "[::1]"]
    );
    assert!(certificate.default);
    assert_eq!(certificate.clients.demand, ClientDemand::None);
    assert!(certificate.expires > SystemTime::now());
    for file in ["a.pem", "a.key"] {
        assert!(config.watched.contains(&tree.path(file)), "{file}");
    }
    assert!(!format!("{certificate:?}").contains("PRIVATE"));
    assert_eq!(config.warnings, [""; 0]);
    let text = format!("{PAIR}hosts = [\"other.example\"]\n");
    let gateway = tree.load(&text).unwrap().gateway;
    assert_eq!(gateway.tls.certificates[0].hosts, ["other.example"]);
}

#[test]
fn the_default_may_be_any() {
    let tree = tree(&["a.example"]);
    write(&tree, "b", &["b.example"]);
    let second = PAIR.replace("\"a.", "\"b.");
    let text = format!(
        "{PAIR}{second}default = true\nclient-certificates = \"required\"\nclient-ca = \"a.pem\"\n"
    );
    let tls = tree.load(&text).unwrap().gateway.tls;
    let defaults = tls.certificates.iter().map(|one| one.default);
    assert_eq!(defaults.collect::<Vec<_>>(), [false, true]);
    let clients = &tls.certificates[1].clients;
    assert_eq!(clients.demand, ClientDemand::Required);
    assert_eq!(clients.authorities.len(), 1);
    assert_ne!(*clients, tls.certificates[0].clients);
    // The same files make the same configuration, other ones another.
    assert_eq!(tree.load(&text).unwrap().gateway.tls, tls);
    write(&tree, "b", &["b.example"]);
    assert_ne!(tree.load(&text).unwrap().gateway.tls, tls);
}

#[test]
fn hsts() {
    let tree = Tree::new();
    let text =
        "[tls]\nhsts-max-age = \"8760h\"\nhsts-include-subdomains = true\nhsts-preload = true";
    let hsts = HstsSpec {
        max_age: Duration::from_secs(365 * 24 * 3600),
        include_subdomains: true,
        preload: true,
    };
    assert_eq!(tree.load(text).unwrap().gateway.tls.hsts, Some(hsts));
}

#[test]
fn everything_that_is_wrong_at_once() {
    let tree = tree(&["example.org"]);
    write(&tree, "b", &["other.example"]);
    tree.write("empty.pem", "nothing of the kind");
    let text = "[tls]\nminimum-version = \"1.1\"\nhsts-preload = true\n\
         [[certificates]]\ncertificate = \"a.pem\"\nkey = \"b.key\"\n\
         [[certificates]]\ncertificate = \"missing.pem\"\nkey = \"empty.pem\"\n\
         [[certificates]]\ncertificate = \"empty.pem\"\nkey = \"a.pem\"\n\
         [[certificates]]\ncertificate = \"b.pem\"\nkey = \"b.key\"\nclient-certificates = \"required\"\n\
         [[certificates]]\ncertificate = \"b.pem\"\nkey = \"b.key\"\nclient-ca = \"empty.pem\"\n\
         [[listeners]]\naddress = \"127.0.0.1:1\"\ntls = true\nredirect-to-https = true\n\
         [[listeners]]\naddress = \"127.0.0.1:1\"\nredirect-port = 1\nproxy-protocol-from = [\"::1\"]\n";
    let errors = tree.errors(text);
    let expected = [
        "tls.minimum-version: got \"1.1\", expected \"1.2\" or \"1.3\"",
        "tls.hsts-preload: got true, expected false, or hsts-include-subdomains and",
        "certificates[0].key: got \"b.key\", expected the key of a.pem: keys may not be consistent",
        "certificates[1].certificate: got \"missing.pem\", expected a PEM file with a certificate; \
         missing.pem cannot be read: no such file",
        "certificates[1].key: got \"empty.pem\", expected a PEM file with a private key; empty.pem has none",
        "certificates[2].certificate: got \"empty.pem\", expected a PEM file with a certificate; empty.pem has none",
        "certificates[2].key: got \"a.pem\", expected a PEM file with a private key; a.pem has none",
        "certificates[3].client-certificates: got \"required\", expected \"none\", or client-ca with it",
        "certificates[4].client-ca: got \"empty.pem\", expected",
        "listeners[0].redirect-to-https: got true, expected false on a listener with tls",
        "listeners[1].address: got \"127.0.0.1:1\", expected an address that no other listener has",
        "listeners[1].redirect-port: got 1, expected no redirect-port without",
        "listeners[1].proxy-protocol-from: got [\"::1\"], expected no proxy-protocol-from without",
    ];
    for part in expected {
        let found = errors.iter().any(|error| error.contains(part));
        assert!(found, "no {part:?} in {errors:#?}");
    }
}

#[test]
fn hosts_and_the_default_are_there_once() {
    let tree = tree(&["example.org"]);
    let errors = tree.errors(&format!("{PAIR}default = true\n{PAIR}default = true\n"));
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(
        errors[0]
            .contains("certificates[1].certificate: got \"a.pem\", expected hosts that no other")
    );
    assert!(errors[1].contains("certificates[1].default: got true, expected false"));
    write(&tree, "a", &[]);
    let errors = tree.errors(PAIR);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(
        errors[0].contains("expected hosts with it, as a.pem names none"),
        "{errors:#?}"
    );
    let errors = tree.errors("[[listeners]]\naddress = \"127.0.0.1:1\"\ntls = true");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("listeners[0].tls: got true, expected false, or [[certificates]]"));
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let tree = Tree::new();
    let mut params = CertificateParams::new(["example.org".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2020, 1, 1);
    let key = KeyPair::generate().unwrap();
    tree.write("a.pem", params.self_signed(&key).unwrap().pem());
    tree.write("a.key", key.serialize_pem());
    let config = tree.load(PAIR).unwrap();
    assert_eq!(
        config.warnings,
        [format!(
            "the certificate {} has expired",
            tree.path("a.pem").display()
        )]
    );
    assert_eq!(
        config.gateway.tls.certificates[0].expires,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800)
    );
}
