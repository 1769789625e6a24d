//! Where connections go.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use rustls::pki_types::ServerName;
use stoker_config::Address;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{Alpn, Fault, Trust, Url, connector};

/// What a connection can do, of whichever kind it is.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// Where connections go. Names are resolved once, so that no sample holds a lookup.
#[derive(Clone)]
pub(crate) struct Endpoint {
    place: Place,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    alpn: Alpn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
}

impl Endpoint {
    /// The one that `url` names, or the Unix socket in its place.
    ///
    /// # Errors
    /// If its host has no address or its authorities cannot be read, in words.
    pub(crate) fn resolve(
        url: &Url,
        unix: Option<PathBuf>,
        (trust, alpn): (&Trust, Alpn),
    ) -> Result<Endpoint, String> {
        let place = match unix {
            Some(path) => Place::Unix(path),
            None => {
                let found = (url.host.as_str(), url.port).to_socket_addrs();
                let found = found.map_err(|error| {
                    format!("{:?} has no address that could be found: {error}", url.host)
                })?;
                Place::Tcp(found.collect())
            }
        };
        let tls = match url.tls {
            true => {
                let name = ServerName::try_from(url.host.clone())
                    .map_err(|error| format!("{:?} is no name for TLS: {error}", url.host))?;
                Some((connector(trust, alpn)?, name))
            }
            false => None,
        };
        Ok(Endpoint { place, tls, alpn })
    }

    /// Whether both lead to the same server, so that they may share connections.
    pub(crate) fn is_same(&self, other: &Endpoint) -> bool {
        let name = |endpoint: &Endpoint| endpoint.tls.as_ref().map(|(_, name)| name.clone());
        self.place == other.place && name(self) == name(other)
    }

    /// Whether one of a gateway's listeners is there. One for all addresses of a machine is taken to be
    /// on this one.
    pub(crate) fn is_of(&self, listeners: &[Address]) -> bool {
        listeners
            .iter()
            .any(|listener| match (&self.place, listener) {
                (Place::Unix(path), Address::Unix(known)) => path == known,
                (Place::Tcp(addresses), Address::Tcp(known)) => addresses.iter().any(|address| {
                    let everywhere = known.ip().is_unspecified() && address.ip().is_loopback();
                    address.port() == known.port() && (everywhere || address.ip() == known.ip())
                }),
                _ => false,
            })
    }

    pub(super) async fn connect(&self) -> Result<Box<dyn Io>, Fault> {
        let stream: Box<dyn Io> = match &self.place {
            Place::Tcp(addresses) => {
                let stream = TcpStream::connect(&addresses[..]).await;
                let stream = stream.map_err(Fault::Connect)?;
                stream.set_nodelay(true).map_err(Fault::Connect)?;
                Box::new(stream)
            }
            Place::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(Fault::Connect)?),
        };
        let Some((connector, name)) = &self.tls else {
            return Ok(stream);
        };
        let secured = connector.connect(name.clone(), stream).await;
        let secured = secured.map_err(Fault::Connect)?;
        let agreed = secured.get_ref().1.alpn_protocol();
        if self.alpn == Alpn::Http2 && agreed != Some(self.alpn.name()) {
            let error = "the server does not agree to HTTP/2 (ALPN)";
            return Err(Fault::Connect(io::Error::other(error)));
        }
        Ok(Box::new(secured))
    }

    /// Tries it once, so that a wrong address is told before anything is measured.
    ///
    /// # Errors
    /// If nobody accepts there.
    pub(crate) async fn probe(&self) -> Result<(), io::Error> {
        match self.connect().await {
            Err(Fault::Connect(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(addresses) => match addresses.first() {
                Some(address) => address.fmt(f),
                None => f.write_str("no address"),
            },
            Place::Unix(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_known_by_where_it_listens() {
        let endpoint = |url: &str, unix: Option<&str>| {
            let url = Url::parse(url).unwrap();
            let trust = (&Trust::Anybody, Alpn::Http1);
            Endpoint::resolve(&url, unix.map(PathBuf::from), trust).unwrap()
        };
        let listener = |text: &str| text.parse::<Address>().unwrap();
        let local = endpoint("http://127.0.0.1:8080/", None);
        assert!(local.is_of(&[listener("[::1]:1"), listener("127.0.0.1:8080")]));
        assert!(local.is_of(&[listener("0.0.0.0:8080")]));
        assert!(!local.is_of(&[listener("0.0.0.0:8081")]));
        let elsewhere = endpoint("http://192.0.2.1:8080/", None);
        assert!(
            !elsewhere.is_of(&[listener("0.0.0.0:8080")]),
            "who knows whose that is"
        );
        assert!(elsewhere.is_of(&[listener("192.0.2.1:8080")]));
        let socket = endpoint("http://localhost/", Some("/run/s"));
        assert!(socket.is_of(&[listener("unix:/run/s")]));
        assert!(!socket.is_of(&[listener("127.0.0.1:80")]));
    }
}
