//! What is sent to a target.

use bytes::Bytes;
use http::{HeaderName, Method, Uri, Version, header};

use crate::client::{Request, Url};
use crate::target::Call;

/// Who calls, unless the headers say otherwise.
const AGENT: &str = concat!("stoker-bench/", env!("CARGO_PKG_VERSION"));
/// Of one connection of HTTP/1.1, and forbidden over HTTP/2 (RFC 9113, section 8.2.2). The host is in
/// the target there.
const NOT_IN_HTTP2: [HeaderName; 5] = [
    header::CONNECTION,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// The request, ready to be sent.
///
/// # Errors
/// If it cannot be said over HTTP/2, in words.
pub(crate) fn request(url: &Url, call: &Call) -> Result<Request, String> {
    let default = match call.body {
        Some(_) => Method::POST,
        None => Method::GET,
    };
    let method = call.method.clone().unwrap_or(default);
    let (head_only, repeatable) = (method == Method::HEAD, method.is_idempotent());
    let (bytes, http2) = match call.http2 {
        true => (Vec::new(), Some(over_http2(url, call, method)?)),
        false => (over_http1(url, call, &method), None),
    };
    Ok(Request {
        bytes,
        http2,
        head_only,
        repeatable,
    })
}

fn has(call: &Call, name: &HeaderName) -> bool {
    call.headers.iter().any(|(known, _)| known == name)
}

/// Head and body.
fn over_http1(url: &Url, call: &Call, method: &Method) -> Vec<u8> {
    let mut head = format!("{method} {} HTTP/1.1\r\n", url.path).into_bytes();
    let mut line = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    if !has(call, &header::HOST) {
        line("host", url.authority.as_bytes());
    }
    if !has(call, &header::USER_AGENT) {
        line("user-agent", AGENT.as_bytes());
    }
    for (name, value) in &call.headers {
        line(name.as_str(), value.as_bytes());
    }
    let body = call.body.as_deref().unwrap_or_default();
    let has_length = has(call, &header::CONTENT_LENGTH) || has(call, &header::TRANSFER_ENCODING);
    if !has_length && (!body.is_empty() || matches!(*method, Method::POST | Method::PUT)) {
        line("content-length", body.len().to_string().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(body);
    head
}

/// hyper adds the length of the body.
fn over_http2(url: &Url, call: &Call, method: Method) -> Result<http::Request<Bytes>, String> {
    let host = call.headers.iter().find(|(name, _)| *name == header::HOST);
    let authority = match host {
        Some((_, value)) => value.as_bytes(),
        None => url.authority.as_bytes(),
    };
    let target = Uri::builder()
        .scheme(if url.tls { "https" } else { "http" })
        .authority(authority)
        .path_and_query(url.path.as_str())
        .build();
    let target = target.map_err(|error| {
        let authority = String::from_utf8_lossy(authority);
        format!("{authority:?} cannot be the host of a request over HTTP/2: {error}")
    })?;
    let body = Bytes::from(call.body.clone().unwrap_or_default());
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    if !has(call, &header::USER_AGENT) {
        headers.append(header::USER_AGENT, http::HeaderValue::from_static(AGENT));
    }
    for (name, value) in &call.headers {
        if !NOT_IN_HTTP2.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::client::Trust;

    fn call() -> Call {
        Call {
            method: None,
            headers: Vec::new(),
            body: None,
            path: String::new(),
            http2: false,
            unix_socket: None,
            trust: Trust::System,
        }
    }

    fn url() -> Url {
        Url::parse("http://localhost:8080/x?y=1").unwrap()
    }

    fn text(call: &Call) -> String {
        String::from_utf8(request(&url(), call).unwrap().bytes).unwrap()
    }

    #[test]
    fn requests_are_whole() {
        let get = text(&call());
        assert!(get.starts_with(
            "GET /x?y=1 HTTP/1.1\r\nhost: localhost:8080\r\nuser-agent: stoker-bench/"
        ));
        assert!(get.ends_with("\r\n\r\n") && !get.contains("content-length"));
        let mut with_body = call();
        with_body.body = Some(b"abc".to_vec());
        with_body.headers = vec![(http::header::HOST, HeaderValue::from_static("other"))];
        let post = text(&with_body);
        assert!(
            post.starts_with("POST /x?y=1 HTTP/1.1\r\nuser-agent"),
            "{post}"
        );
        assert!(
            post.contains("host: other\r\ncontent-length: 3\r\n"),
            "{post}"
        );
        assert!(post.ends_with("\r\n\r\nabc"));
    }

    #[test]
    fn the_same_over_http2() {
        let mut call = call();
        call.http2 = true;
        let get = request(&url(), &call).unwrap().http2.unwrap();
        assert_eq!(get.uri(), "http://localhost:8080/x?y=1");
        assert_eq!(get.method(), Method::GET);
        assert_eq!(get.headers()["user-agent"], AGENT);
        call.body = Some(b"abc".to_vec());
        let header = |name, value| (name, HeaderValue::from_static(value));
        call.headers = vec![
            header(header::HOST, "other"),
            header(header::CONNECTION, "close"),
            header(header::ACCEPT, "a"),
            header(header::ACCEPT, "b"),
        ];
        let post = request(&url(), &call).unwrap();
        assert!(post.bytes.is_empty() && !post.repeatable);
        let post = post.http2.unwrap();
        assert_eq!(
            (post.uri().host(), post.method()),
            (Some("other"), &Method::POST)
        );
        assert_eq!(post.headers().get_all("accept").iter().count(), 2);
        assert!(post.headers().get("connection").is_none() && post.headers().get("host").is_none());
        call.headers = vec![header(header::HOST, "no host")];
        assert!(request(&url(), &call).unwrap_err().contains("no host"));
    }
}
