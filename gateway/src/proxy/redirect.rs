//! From HTTP to HTTPS.

use std::net::Ipv6Addr;

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::{ORIGIN, admit};
use crate::caller::Caller;
use crate::gateway::Gateway;
use crate::identity::{REQUEST_ID, RequestId};
use crate::problem::{Problem, ProblemKind};
use crate::response::ResponseBody;

/// Answers with the same address by HTTPS at `port`: 308, which unlike 301 keeps the method and the
/// body (RFC 9110 sections 15.4.2 and 15.4.9).
pub(super) fn redirect(
    gateway: &Gateway,
    caller: &Caller,
    request: Request<Incoming>,
    port: u16,
) -> Response<ResponseBody> {
    let turn = caller.link().begin();
    let (parts, _) = request.into_parts();
    let id = RequestId::of(&parts.headers);
    match location(&parts, port) {
        Ok(location) => {
            let status = StatusCode::PERMANENT_REDIRECT;
            gateway.metrics().redirected();
            let mut response = Response::new(ResponseBody::full(Bytes::new(), turn));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(LOCATION, location);
            headers.insert(ORIGIN, HeaderValue::from_static("gateway"));
            headers.insert(REQUEST_ID, id.to_header());
            response
        }
        Err(problem) => {
            gateway.metrics().unrouted(problem.kind);
            problem.into_response(None, (&id, false), turn)
        }
    }
}

fn location(parts: &Parts, port: u16) -> Result<HeaderValue, Problem> {
    let bad = |detail: &str| Problem::new(ProblemKind::BadRequest, detail);
    let host = admit::host(parts)?;
    // What cannot be a host's name is not repeated to browsers.
    let host = name(host).ok_or_else(|| bad("the host header is not valid"))?;
    // `OPTIONS *` asks about the server, and CONNECT about somebody else.
    if parts.method == Method::CONNECT || !parts.uri.path().starts_with('/') {
        return Err(bad("there is no address to be sent to"));
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let location = match port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    };
    HeaderValue::try_from(location).map_err(|_| bad("the address is not valid"))
}

/// The host without its port, if it is a name or an address.
fn name(host: &str) -> Option<&str> {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        let port_is_one = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return port_is_one.then(|| &host[..address.len() + 2]);
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let labels = name.strip_suffix('.').unwrap_or(name);
    let valid = name.len() <= 254 && labels.split('.').all(label) && is_port(port);
    valid.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(method: &str, target: &str, host: Option<&str>, port: u16) -> Option<String> {
        let mut request = Request::builder().method(method).uri(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let location = location(&parts, port).ok()?;
        Some(location.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_same_address() {
        for (target, host, port, expected) in [
            ("/", "example.org", 443, "https://example.org/"),
            (
                "/a%20b?c=d&e",
                "example.org:80",
                443,
                "https://example.org/a%20b?c=d&e",
            ),
            ("/", "example.org:8080", 8443, "https://example.org:8443/"),
            (
                "//evil.example/x",
                "a_b.example.",
                443,
                "https://a_b.example.//evil.example/x",
            ),
            ("/", "127.0.0.1", 443, "https://127.0.0.1/"),
            ("/", "[::1]:8080", 8443, "https://[::1]:8443/"),
            (
                "http://example.org:80/x",
                "other.example",
                443,
                "https://example.org/x",
            ),
        ] {
            let found = to("POST", target, Some(host), port);
            assert_eq!(found.as_deref(), Some(expected));
        }
    }

    #[test]
    fn no_host_that_is_none() {
        let hosts = [
            "", ".", "a..b", "a@b", "a/b", "a b", "a?b", "a:b:c", "a:x", "[::1", "[x]", "[::1]x",
            "%61", "a~b", ":80", "\"",
        ];
        for host in hosts {
            assert_eq!(to("GET", "/", Some(host), 443), None, "{host:?}");
        }
        assert_eq!(to("GET", "/", None, 443), None);
        assert_eq!(to("OPTIONS", "*", Some("example.org"), 443), None);
        assert_eq!(
            to("CONNECT", "example.org:1", Some("example.org"), 443),
            None
        );
    }
}
