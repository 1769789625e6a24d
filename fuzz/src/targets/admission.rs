//! Whether a request may come in.

use http::Request;
use stoker_gateway::fuzzing::{admit, has_both};

/// The longest body that is taken, in bytes.
const LIMIT: u64 = 1000;

/// What is admitted has one plain host and no doubt about its body.
pub(crate) fn run(data: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut fields);
    if !matches!(head.parse(data), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let version = match head.version {
        Some(0) => http::Version::HTTP_10,
        _ => http::Version::HTTP_11,
    };
    let mut request = Request::builder()
        .method(head.method.unwrap_or_default())
        .uri(head.path.unwrap_or_default())
        .version(version);
    for field in head.headers.iter() {
        request = request.header(field.name, field.value);
    }
    let Ok(request) = request.body(()) else {
        return;
    };
    let (parts, ()) = request.into_parts();
    let Some(admitted) = admit(&parts, LIMIT, has_both(data, data.len())) else {
        return;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:[]%".contains(&byte);
    assert!(admitted.host.bytes().all(plain), "{admitted:?}");
    let count = |name: &str| parts.headers.get_all(name).iter().count();
    assert!(count("host") <= 1, "{parts:?}");
    let (lengths, codings) = (count("content-length"), count("transfer-encoding"));
    assert!(codings <= 1 && (codings == 0 || lengths == 0), "{parts:?}");
    assert_eq!(admitted.body, lengths + codings > 0, "{parts:?}");
    if codings == 1 {
        let coding = parts.headers["transfer-encoding"].as_bytes();
        assert!(coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
    }
    if let Some(protocol) = admitted.upgrade {
        let text = String::from_utf8_lossy(&protocol).to_ascii_lowercase();
        let mut names = text.split(',').map(str::trim);
        assert!(names.all(|name| name != "h2c" && name != "h2"), "{text}");
        let none = parts
            .headers
            .get("content-length")
            .is_none_or(|length| length == "0");
        assert!(none && codings == 0, "{parts:?}");
    }
}
