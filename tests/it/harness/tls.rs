//! Certificates made for a test, and clients that speak TLS.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::Stream;
use super::{Client, PATIENCE};

/// Who issues certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A client over TLS.
pub(crate) type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn limit_reads(&self, time: Duration) -> io::Result<()> {
        self.sock.set_read_timeout(Some(time))
    }
}

impl Authority {
    /// A new one, with its certificate in `FILE.pem`.
    pub(crate) fn new(directory: &Path, file: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named(file);
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("it can sign");
        fs::write(directory.join(format!("{file}.pem")), issuer.pem()).expect("can be written");
        Authority { issuer }
    }

    /// Writes a certificate for these hosts to `FILE.pem`, with its subject, and its key to
    /// `FILE.key`.
    pub(crate) fn issue(&self, directory: &Path, file: &str, (subject, hosts): (&str, &[&str])) {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("they are names");
        params.distinguished_name = named(subject);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("it can sign");
        let place = |ending: &str| directory.join(format!("{file}.{ending}"));
        // The gateway sees one of them first, and must not take it with the other's old one.
        fs::write(place("key"), key.serialize_pem()).expect("can be written");
        fs::write(place("pem"), certificate.pem()).expect("can be written");
    }

    /// Shakes hands on a connection as a client that names `host`, with the certificate of
    /// `identity` (directory and file) if there is one.
    pub(crate) fn over(
        &self,
        stream: TcpStream,
        host: &str,
        identity: Option<(&Path, &str)>,
    ) -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("it is one");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("they are known")
            .with_root_certificates(roots);
        let config = match identity {
            Some((directory, file)) => {
                let place = |ending: &str| directory.join(format!("{file}.{ending}"));
                let chain = CertificateDer::from_pem_file(place("pem")).expect("is there");
                let key = PrivateKeyDer::from_pem_file(place("key")).expect("is there");
                builder
                    .with_client_auth_cert(vec![chain], key)
                    .expect("they fit")
            }
            None => builder.with_no_client_auth(),
        };
        let name = ServerName::try_from(host.to_owned()).expect("it is a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("it can begin");
        Client::over(StreamOwned::new(connection, stream))
    }

    /// The same on a new connection.
    pub(crate) fn connect(
        &self,
        address: SocketAddr,
        host: &str,
        identity: Option<(&Path, &str)>,
    ) -> TlsClient {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the gateway accepts");
        stream.set_nodelay(true).expect("it is TCP");
        self.over(stream, host, identity)
    }
}

/// Nothing but a common name.
fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Runs a program to its end with nothing to read; answers whether it was content, and what it
/// said, standard error last.
pub(crate) fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is missing (scripts/setup-tests): {error}"));
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}
