//! Values that no log may show.

/// What is written in place of a value.
pub(super) const HIDDEN: &[u8] = b"***";

/// Names whose values are never shown, in lower case: keys of functions and credentials.
const ALWAYS: [&str; 5] = [
    "code",
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-functions-key",
];

/// The names of query parameters and headers whose values are not shown.
pub(super) struct Redaction {
    names: Vec<Box<[u8]>>,
}

impl Redaction {
    /// `more` names, in lower case, besides those that are never shown.
    pub(super) fn new(more: &[String]) -> Self {
        let always = ALWAYS.into_iter();
        let names = always
            .chain(more.iter().map(String::as_str))
            .map(|name| name.as_bytes().into())
            .collect();
        Redaction { names }
    }

    /// Whether the value of this header is hidden; `name` is in lower case.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.names.iter().any(|other| **other == *name.as_bytes())
    }

    /// Appends a query, with the hidden values replaced, by `write`.
    pub(super) fn query(
        &self,
        out: &mut Vec<u8>,
        query: &[u8],
        write: impl Fn(&mut Vec<u8>, &[u8]),
    ) {
        for (index, pair) in query.split(|&byte| byte == b'&').enumerate() {
            if index > 0 {
                out.push(b'&');
            }
            match pair.iter().position(|&byte| byte == b'=') {
                Some(at) if self.hides_parameter(&pair[..at]) => {
                    write(out, &pair[..=at]);
                    out.extend_from_slice(HIDDEN);
                }
                _ => write(out, pair),
            }
        }
    }

    /// Appends a URL with the hidden values of its query replaced, by `write`.
    pub(super) fn url(&self, out: &mut Vec<u8>, url: &[u8], write: impl Fn(&mut Vec<u8>, &[u8])) {
        match url.iter().position(|&byte| byte == b'?') {
            Some(at) => {
                write(out, &url[..=at]);
                self.query(out, &url[at + 1..], write);
            }
            None => write(out, url),
        }
    }

    fn hides_parameter(&self, written: &[u8]) -> bool {
        self.names.iter().any(|name| is_written(written, name))
    }
}

/// Whether `written`, percent-encoded and in any case, stands for `name` in lower case: a function
/// sees what it stands for.
fn is_written(written: &[u8], name: &[u8]) -> bool {
    let mut left = written;
    for &wanted in name {
        let (byte, used) = match left {
            [b'%', high, low, ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            [byte, ..] => (*byte, 1),
            [] => return false,
        };
        if byte.to_ascii_lowercase() != wanted {
            return false;
        }
        left = &left[used..];
    }
    left.is_empty()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &str) -> String {
        let redaction = Redaction::new(&["token".to_owned()]);
        let mut out = Vec::new();
        redaction.query(&mut out, query.as_bytes(), |out, text| {
            out.extend_from_slice(text)
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_hidden_however_their_names_are_written() {
        assert_eq!(shown("a=1&code=secret&b"), "a=1&code=***&b");
        assert_eq!(
            shown("Token=x&c%6Fde=y&%63%4f%64%65=z"),
            "Token=***&c%6Fde=***&%63%4f%64%65=***"
        );
        assert_eq!(shown("code"), "code");
        assert_eq!(shown("codes=1&xcode=2&cod%6=3"), "codes=1&xcode=2&cod%6=3");
        assert_eq!(shown(""), "");
        assert_eq!(shown("code=a=b&&=c"), "code=***&&=c");
    }

    #[test]
    fn urls_keep_all_but_those() {
        let redaction = Redaction::new(&[]);
        let mut out = Vec::new();
        let url = b"https://a.example/p?x=1&code=secret";
        redaction.url(&mut out, url, |out, text| out.extend_from_slice(text));
        assert_eq!(out, b"https://a.example/p?x=1&code=***");
        assert!(redaction.hides("authorization") && !redaction.hides("accept"));
    }
}
