//! What a caller presents.

use http::header::{self, HeaderMap};
use http::request::Parts;

use super::keys::PREFIX;

/// The header of keys, as in Azure Functions.
pub(crate) const KEY_HEADER: &str = "x-functions-key";
/// The parameter of keys in a query.
const KEY_PARAMETER: &str = "code";

/// A key or a token, and where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    /// In `X-Functions-Key`.
    KeyInHeader(&'a str),
    /// In `?code=`.
    KeyInQuery(&'a str),
    /// As `Authorization: Bearer`, told from a token by its beginning.
    KeyAsBearer(&'a str),
    /// As `Authorization: Bearer`.
    Token(&'a str),
    /// None of them.
    Nothing,
    /// Twice the same header, or bytes that are no text.
    Malformed,
}

/// What the request presents: the header comes before the query, which comes before
/// `Authorization`. Without `keys` only tokens count.
pub(crate) fn find(parts: &Parts, keys: bool) -> Presented<'_> {
    if keys {
        let mut headers = parts.headers.get_all(KEY_HEADER).iter();
        if let Some(value) = headers.next() {
            return match (value.to_str(), headers.next()) {
                (Ok(key), None) => Presented::KeyInHeader(key.trim()),
                _ => Presented::Malformed,
            };
        }
        if let Some(key) = parts.uri.query().and_then(in_query) {
            return Presented::KeyInQuery(key);
        }
    }
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = headers.next() else {
        return Presented::Nothing;
    };
    let (Ok(value), None) = (value.to_str(), headers.next()) else {
        return Presented::Malformed;
    };
    match bearer(value) {
        None => Presented::Nothing,
        Some(text) if keys && text.starts_with(PREFIX) => Presented::KeyAsBearer(text),
        Some(text) => Presented::Token(text),
    }
}

/// What comes with the scheme `Bearer`. Other schemes are between caller and function.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, text) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

/// Whether any `Authorization` has a key, be it the one that counts or not.
pub(crate) fn has_bearer_key(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    let mut bearers = values.filter_map(|value| bearer(value.to_str().ok()?));
    bearers.any(|text| text.starts_with(PREFIX))
}

/// Whether any parameter of a query is a key.
pub(crate) fn has_key(query: &str) -> bool {
    in_query(query).is_some()
}

/// A function may have a parameter of this name for itself, so only what looks like a key is one.
/// Keys have nothing in them that would be percent-encoded.
fn in_query(query: &str) -> Option<&str> {
    query.split('&').find_map(key_of)
}

fn key_of(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    (name == KEY_PARAMETER && value.starts_with(PREFIX)).then_some(value)
}

/// The query without keys; `None` if nothing is left.
pub(crate) fn without_keys(query: &str) -> Option<String> {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|parameter| key_of(parameter).is_none())
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_header_wins_then_the_query() {
        let header = ("X-Functions-Key", "anything");
        let bearer = ("Authorization", "bearer stk_b");
        let both = parts("/?a=1&code=stk_q", &[header, bearer]);
        assert_eq!(find(&both, true), Presented::KeyInHeader("anything"));
        let query = parts("/?a=1&code=stk_q", &[bearer]);
        assert_eq!(find(&query, true), Presented::KeyInQuery("stk_q"));
        assert_eq!(
            find(&parts("/", &[bearer]), true),
            Presented::KeyAsBearer("stk_b")
        );
        // Where keys mean nothing, all of that is the function's.
        assert_eq!(find(&both, false), Presented::Token("stk_b"));
    }

    #[test]
    fn what_is_no_credential() {
        assert_eq!(find(&parts("/", &[]), true), Presented::Nothing);
        assert_eq!(
            find(&parts("/?code=oauth-code", &[]), true),
            Presented::Nothing
        );
        let basic = [("Authorization", "Basic YTpi")];
        assert_eq!(find(&parts("/", &basic), true), Presented::Nothing);
        let token = [("Authorization", "Bearer a.b.c")];
        assert_eq!(find(&parts("/", &token), true), Presented::Token("a.b.c"));
        for name in ["X-Functions-Key", "Authorization"] {
            let twice = parts("/", &[(name, "Bearer stk_a"), (name, "Bearer stk_b")]);
            assert_eq!(find(&twice, true), Presented::Malformed);
        }
    }

    #[test]
    fn keys_are_cut_out_of_queries() {
        let cases = [
            ("code=stk_a", None),
            ("a=1&code=stk_a&b=2", Some("a=1&b=2")),
            ("code=stk_a&code=stk_b&c", Some("c")),
            ("code=other", Some("code=other")),
        ];
        for (query, left) in cases {
            assert_eq!(without_keys(query).as_deref(), left, "{query}");
        }
    }
}
