use std::io;
use std::time::SystemTime;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd};
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsConnector;

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// An authority for servers and clients.
fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2100, 1, 1);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn store(authority: &Issuer) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add(authority.der().clone()).unwrap();
    Arc::new(store)
}

fn issue(authority: &Issuer, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (vec![certificate.der().clone()], secret)
}

/// A certificate for `name`; the demand stands for the digests too.
fn certificate(authority: &Issuer, name: &str, demand: ClientDemand) -> CertificateSpec {
    let (chain, key) = issue(authority, name);
    let keyed = CertifiedKey::from_der(chain, key, &default_provider()).unwrap();
    let mut digest = [0; 32];
    digest[..name.len()].copy_from_slice(name.as_bytes());
    CertificateSpec {
        certificate: name.into(),
        hosts: vec![name.to_owned()],
        default: false,
        keyed: Arc::new(keyed),
        digest,
        expires: SystemTime::now(),
        clients: ClientRules {
            demand,
            authorities: store(authority),
            digest: [demand as u8; 32],
        },
    }
}

fn spec(mut certificates: Vec<CertificateSpec>) -> TlsSpec {
    certificates[0].default = true;
    TlsSpec {
        minimum_version: TlsVersion::Tls12,
        handshake_timeout: Duration::from_secs(30),
        concurrent_handshakes: 1,
        hsts: None,
        certificates,
    }
}

fn info(rules: ClientDemand) -> TlsInfo {
    TlsInfo {
        rules: [rules as u8; 32],
        client: Vec::new(),
        hsts: None,
    }
}

const OPEN: ClientDemand = ClientDemand::None;
const ASKED: ClientDemand = ClientDemand::Optional;
const FORCED: ClientDemand = ClientDemand::Required;

#[test]
fn hosts_are_found_like_those_of_routes() {
    let authority = authority();
    let mut wild = certificate(&authority, "*.example.org", OPEN);
    wild.hosts.push("*.deep.example.org".to_owned());
    let certificates = vec![
        certificate(&authority, "default.example", OPEN),
        wild,
        certificate(&authority, "a.example.org", OPEN),
    ];
    let tls = Tls::new(&spec(certificates), None).unwrap();
    for (host, index) in [
        ("a.example.org", Some(2)),
        ("A.EXAMPLE.ORG.:8443", Some(2)),
        ("b.example.org", Some(1)),
        ("x.deep.example.org", Some(1)),
        ("b.c.example.org", Some(1)),
        ("example.org", None),
        ("other.example", None),
        ("", None),
    ] {
        assert_eq!(tls.find(host), index, "{host}");
    }
    assert!(Arc::ptr_eq(&tls.select(None).both, &tls.hosts[0].both));
    assert!(Tls::new(&spec(vec![certificate(&authority, "a", OPEN)]), None).is_some());
}

#[test]
fn a_request_needs_the_handshake_of_its_host() {
    let authority = authority();
    let certificates = vec![
        certificate(&authority, "open.example", OPEN),
        certificate(&authority, "asked.example", ASKED),
        certificate(&authority, "forced.example", FORCED),
    ];
    let tls = Tls::new(&spec(certificates), None).unwrap();
    let admitted = |host: &str| {
        let connections = [
            Some(info(OPEN)),
            Some(info(ASKED)),
            Some(info(FORCED)),
            None,
        ];
        connections.map(|connection| tls.admits(host, connection.as_ref()))
    };
    assert_eq!(admitted("open.example"), [true, false, false, true]);
    assert_eq!(admitted("unknown.example:1"), [true, false, false, true]);
    assert_eq!(admitted("asked.example"), [false, true, false, true]);
    assert_eq!(admitted("Forced.example.:443"), [false, false, true, false]);

    // All alike, but other than when the connection began.
    let alike = Tls::new(&spec(vec![certificate(&authority, "a", FORCED)]), None).unwrap();
    assert!(alike.admits("a", Some(&info(FORCED))));
    assert!(!alike.admits("a", Some(&info(OPEN))));
}

#[test]
fn hsts_as_rfc_6797_has_it() {
    let mut spec = HstsSpec {
        max_age: Duration::from_secs(31_536_000),
        include_subdomains: false,
        preload: false,
    };
    assert_eq!(hsts(&spec), "max-age=31536000");
    spec.include_subdomains = true;
    spec.preload = true;
    assert_eq!(hsts(&spec), "max-age=31536000; includeSubDomains; preload");
}

/// A client that trusts the authority.
fn client(authority: &Issuer, identity: Option<&str>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store(authority));
    match identity {
        Some(name) => {
            let (chain, key) = issue(authority, name);
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    }
}

/// What the server's side of one handshake came to, and the client's.
type Outcome = (io::Result<(TlsInfo, bool)>, io::Result<HandshakeKind>);

async fn shake(tls: &Tls, config: &ClientConfig, host: &str, http2: bool) -> Outcome {
    let (near, far) = tokio::io::duplex(1 << 14);
    let handshakes = Handshakes::new(1);
    let server = async {
        let (mut stream, info, agreed) = handshakes.accept(tls, far, http2).await?;
        stream.write_all(b"x").await?;
        stream.shutdown().await?;
        Ok((info, agreed))
    };
    let connector = TlsConnector::from(Arc::new(config.clone()));
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let client = async {
        let mut stream = connector.connect(name, near).await?;
        // Tickets come after the handshake, and so does the refusal of a missing certificate.
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(stream.get_ref().1.handshake_kind().unwrap())
    };
    tokio::join!(server, client)
}

#[tokio::test]
async fn sessions_resume_but_never_under_other_rules() {
    let authority = authority();
    let of = |first: ClientDemand, second: ClientDemand| {
        spec(vec![
            certificate(&authority, "a.example", first),
            certificate(&authority, "b.example", second),
        ])
    };
    let before = Tls::new(&of(ASKED, OPEN), None).unwrap();
    let mut config = client(&authority, Some("alice"));
    config.resumption = Resumption::in_memory_sessions(8);
    let (served, kind) = shake(&before, &config, "a.example", false).await;
    assert_eq!(kind.unwrap(), HandshakeKind::Full);
    assert!(!served.unwrap().0.client.is_empty());

    // Other certificates, the same rules: the session goes on, and so does the identity.
    let after = Tls::new(&of(ASKED, ASKED), Some(&before)).unwrap();
    let (served, kind) = shake(&after, &config, "a.example", false).await;
    assert_eq!(kind.unwrap(), HandshakeKind::Resumed);
    let fields = served.unwrap().0.client;
    let alice = ("stoker-client-subject", "CN=alice".to_owned());
    assert!(fields.contains(&alice), "{fields:?}");

    // Other rules.
    let after = Tls::new(&of(FORCED, FORCED), Some(&after)).unwrap();
    let (served, kind) = shake(&after, &config, "a.example", false).await;
    assert_eq!(kind.unwrap(), HandshakeKind::Full);
    assert_eq!(served.unwrap().0.rules, [FORCED as u8; 32]);

    // What is the same is kept.
    let same = Tls::new(&after.spec, Some(&after)).unwrap();
    assert!(Arc::ptr_eq(&same, &after));
}

#[tokio::test]
async fn a_certificate_that_is_demanded_must_be_shown() {
    let (ours, theirs) = (authority(), authority());
    let tls = Tls::new(&spec(vec![certificate(&ours, "a.example", FORCED)]), None).unwrap();
    let (served, kind) = shake(&tls, &client(&ours, None), "a.example", false).await;
    assert!(served.is_err() && kind.is_err());
    // One that trusts us, with a certificate from elsewhere.
    let mut stranger = client(&ours, None);
    stranger.client_auth_cert_resolver = client(&theirs, Some("mallory")).client_auth_cert_resolver;
    let (served, kind) = shake(&tls, &stranger, "a.example", false).await;
    assert!(served.is_err() && kind.is_err());
}

#[tokio::test]
async fn http2_is_agreed_on_only_where_it_is_served() {
    let authority = authority();
    let tls = Tls::new(
        &spec(vec![certificate(&authority, "a.example", OPEN)]),
        None,
    )
    .unwrap();
    let mut config = client(&authority, None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    for http2 in [true, false] {
        let (served, _) = shake(&tls, &config, "a.example", http2).await;
        assert_eq!(served.unwrap().1, http2);
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_in_the_middle_keeps_nobody_from_theirs() {
    let authority = authority();
    let tls = Tls::new(
        &spec(vec![certificate(&authority, "a.example", OPEN)]),
        None,
    )
    .unwrap();
    let handshakes = Handshakes::new(1);
    let config = Arc::new(client(&authority, None));
    let name = ServerName::try_from("a.example").unwrap();
    let mut hello = Vec::new();
    rustls::ClientConnection::new(Arc::clone(&config), name.clone())
        .unwrap()
        .write_tls(&mut hello)
        .unwrap();

    let (mut silent, far) = tokio::io::duplex(1 << 14);
    silent.write_all(&hello).await.unwrap();
    let stuck = handshakes.accept::<DuplexStream>(&tls, far, false);
    let (near, far) = tokio::io::duplex(1 << 14);
    let begun = tokio::time::Instant::now();
    let good = async {
        // The other one has had its turn.
        let mut first = [0];
        silent.read_exact(&mut first).await.unwrap();
        let (served, connected) = tokio::join!(
            handshakes.accept(&tls, far, false),
            TlsConnector::from(config).connect(name, near),
        );
        served.unwrap();
        connected.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        silent
    };
    let (stuck, _silent) = tokio::join!(stuck, good);
    let error = stuck.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed(), tls.patience());
}
