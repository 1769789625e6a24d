//! The cookie that keeps a caller at one revision.

use http::header::{COOKIE, HeaderMap, HeaderValue};

/// The value of the first cookie of this name (RFC 6265 section 4.2.1).
pub(super) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut named = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (&pair[..at], &pair[at + 1..]);
        (key.trim_ascii() == name.as_bytes()).then(|| value.trim_ascii())
    });
    named.find(|value| !value.is_empty())
}

/// Has the caller keep `value` until it closes its windows; `secure` over TLS only.
pub(super) fn set(name: &str, value: &str, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let found = |lines: &[&'static str]| value(&headers(lines), "rev").map(<[u8]>::to_vec);
        assert_eq!(found(&["rev=abc"]), Some(b"abc".to_vec()));
        assert_eq!(found(&["a=1; rev=x; b=2"]), Some(b"x".to_vec()));
        assert_eq!(found(&["a=1", "rev = y ;c"]), Some(b"y".to_vec()));
        assert_eq!(found(&["rev=; rev=z=1"]), Some(b"z=1".to_vec()));
        assert_eq!(found(&["arev=1; Rev=2; rev"]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn it_is_kept_from_scripts_and_other_sites() {
        let plain = set("rev", "0a", false).unwrap();
        assert_eq!(plain, "rev=0a; Path=/; HttpOnly; SameSite=Lax");
        let secure = set("rev", "0a", true).unwrap();
        assert_eq!(secure, "rev=0a; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set("rev", "a\nb", true), None);
    }
}
