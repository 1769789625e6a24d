//! Keys and tokens in requests.

use http::Request;
use http::header::AUTHORIZATION;
use stoker_gateway::fuzzing::{credentials, passed_on, without_keys};

use super::header_map;

/// What every key begins with.
const PREFIX: &str = "stk_";

/// The first line is a query and the rest are fields. A key is cut out wherever it is, whatever
/// is used of it, and nothing else is.
pub(crate) fn run(data: &[u8]) {
    let mut lines = data.splitn(2, |&byte| byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_key(pair)).collect();
    let kept = (!kept.is_empty()).then(|| kept.join("&"));
    let left = without_keys(&query);
    assert_eq!(left, kept);
    if let Some(left) = &left {
        assert_eq!(without_keys(left).as_ref(), Some(left));
    }

    let headers = header_map(lines.next().unwrap_or_default());
    let Ok(request) = Request::builder().uri(format!("/?{query}")).body(()) else {
        return;
    };
    let (mut parts, ()) = request.into_parts();
    parts.headers = headers;
    let query = parts.uri.query().unwrap_or_default();
    let bearers = parts.headers.get_all(AUTHORIZATION).iter();
    let bearer_keys = bearers.filter(|value| value.to_str().is_ok_and(is_bearer_key));

    let (kind, found) = credentials(&parts, true);
    let named = parts.headers.get_all("x-functions-key").iter().count();
    match (kind, found.as_deref()) {
        ("header", Some(key)) => {
            assert!(
                named == 1
                    && parts.headers["x-functions-key"].as_bytes().trim_ascii() == key.as_bytes()
            );
        }
        ("query", Some(key)) => {
            assert!(named == 0 && key.starts_with(PREFIX));
            assert!(query.split('&').any(|pair| pair == format!("code={key}")));
        }
        ("bearer", Some(key)) => {
            assert!(named == 0 && is_sent(&parts.headers, key) && key.starts_with(PREFIX))
        }
        ("token", Some(token)) => {
            assert!(named == 0 && is_sent(&parts.headers, token) && !token.starts_with(PREFIX))
        }
        ("nothing", None) => assert!(named == 0 && !query.split('&').any(is_key)),
        ("malformed", None) => assert!(named > 0 || parts.headers.contains_key(AUTHORIZATION)),
        other => panic!("{other:?} is no credential"),
    }
    let (kind, _) = credentials(&parts, false);
    assert!(["token", "nothing", "malformed"].contains(&kind), "{kind}");

    let passed = passed_on(&parts, true).expect("it asks for keys");
    let pairs: Vec<&str> = query.split('&').filter(|pair| !is_key(pair)).collect();
    let pairs = (!pairs.is_empty()).then(|| pairs.join("&"));
    assert_eq!(passed.query, pairs, "{query:?}");
    assert!(
        !passed.key && (!passed.authorization || bearer_keys.count() == 0),
        "{parts:?}"
    );
    // Where no key is asked for, they are the function's.
    let passed = passed_on(&parts, false).expect("it asks for a method");
    assert_eq!(passed.query.as_deref(), parts.uri.query());
}

fn is_key(pair: &str) -> bool {
    pair.strip_prefix("code=")
        .is_some_and(|value| value.starts_with(PREFIX))
}

fn is_bearer_key(value: &str) -> bool {
    let scheme = value.get(..7).unwrap_or_default();
    scheme.eq_ignore_ascii_case("bearer ") && value[7..].trim().starts_with(PREFIX)
}

fn is_sent(headers: &http::HeaderMap, text: &str) -> bool {
    let values: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
    values.len() == 1 && values[0].to_str().is_ok_and(|value| value.ends_with(text))
}
