//! One GET, bounded in length; whoever calls bounds the time.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The body of the answer, which must be a 200; redirects are not followed, for the address of
/// keys is the root of all trust in tokens.
pub(super) async fn get(url: &str, limit_bytes: usize) -> Result<Vec<u8>, String> {
    let tls = match url.starts_with("https:") {
        true => Some(client_config(native_roots().await?)?),
        false => None,
    };
    get_with(url, limit_bytes, tls).await
}

async fn get_with(
    url: &str,
    limit_bytes: usize,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Vec<u8>, String> {
    let uri: Uri = url.parse().map_err(|_| "it is no address".to_owned())?;
    let authority = uri.authority().ok_or("it has no host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let usual = if tls.is_some() { 443 } else { 80 };
    let port = authority.port_u16().unwrap_or(usual);
    let tcp = TcpStream::connect((host, port))
        .await
        .map_err(|error| format!("no connection: {error}"))?;
    let Some(tls) = tls else {
        return ask(tcp, &uri, limit_bytes).await;
    };
    let name =
        ServerName::try_from(host.to_owned()).map_err(|_| "its host is no name".to_owned())?;
    let tls = TlsConnector::from(tls)
        .connect(name, tcp)
        .await
        .map_err(|error| format!("no TLS: {error}"))?;
    ask(tls, &uri, limit_bytes).await
}

/// As they are on disk now: what an administrator has changed holds at once.
async fn native_roots() -> Result<RootCertStore, String> {
    let roots = tokio::task::spawn_blocking(|| {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.unwrap_or_default());
        roots
    });
    match roots.await {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err("the system has no root certificates that can be read".to_owned()),
    }
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

async fn ask<S>(stream: S, uri: &Uri, limit_bytes: usize) -> Result<Vec<u8>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let request = Request::get(target)
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json")
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    // It ends with this future, so nothing is left behind when that is given up.
    let asking = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(format!("the answer has the status {}", response.status()));
        }
        let body = Limited::new(response.into_body(), limit_bytes)
            .collect()
            .await;
        let body = body.map_err(|error| format!("the answer is not whole or too long: {error}"))?;
        Ok(body.to_bytes().to_vec())
    };
    let driving = async {
        // What goes wrong here, the answer tells.
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = asking => result,
        () = driving => Err("the connection ended".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server with a certificate for `localhost`, its port, and the certificate.
    async fn server() -> (u16, RootCertStore) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                // Callers that do not trust us leave in the handshake.
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(tls.read_u8().await.unwrap());
                }
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkeys";
                tls.write_all(answer).await.unwrap();
                tls.flush().await.unwrap();
            }
        });
        (port, roots)
    }

    #[tokio::test]
    async fn certificates_are_checked() {
        let (port, roots) = server().await;
        let config = client_config(roots).unwrap();
        let get = |host: &str, config: &Arc<ClientConfig>| {
            let url = format!("https://{host}:{port}/keys");
            let config = Arc::clone(config);
            async move { get_with(&url, 4, Some(config)).await }
        };
        assert_eq!(get("localhost", &config).await, Ok(b"keys".to_vec()));
        // Another name, and a certificate that nobody trusts.
        assert!(
            get("127.0.0.1", &config)
                .await
                .unwrap_err()
                .starts_with("no TLS: ")
        );
        let (_, others) = server().await;
        let stranger = client_config(others).unwrap();
        assert!(
            get("localhost", &stranger)
                .await
                .unwrap_err()
                .starts_with("no TLS: ")
        );
    }
}
