//! `http://HOST[:PORT]/PATH` and the same with `https`.

use http::Uri;

/// An absolute URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// `https`.
    pub(crate) tls: bool,
    /// Without brackets.
    pub(crate) host: String,
    /// 80 or 443 if it names none.
    pub(crate) port: u16,
    /// What the header `host` says.
    pub(crate) authority: String,
    /// With the query; at least `/`.
    pub(crate) path: String,
}

impl Url {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none, in words.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        let form = "give http://HOST[:PORT]/PATH, the same with https, or the name of a function";
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("{text:?} is no URL ({error}); {form}"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(format!("{text:?} is neither http nor https; {form}")),
        };
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let host = uri.host().unwrap_or_default();
        // A port that is no number is none to the library.
        let port = authority.and_then(|text| text.strip_prefix(host)?.strip_prefix(':'));
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(format!("{text:?} has no port from 1 to 65535; {form}"));
        }
        match authority {
            Some(authority) if !host.is_empty() && !authority.contains('@') => Ok(Url {
                tls,
                host: host.trim_matches(['[', ']']).to_owned(),
                port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
                authority: authority.to_owned(),
                path: uri
                    .path_and_query()
                    .map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned()),
            }),
            _ => Err(format!("{text:?} names no host; {form}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn reads_hosts_ports_and_paths() {
        let url = Url::parse("http://[::1]:8080/a?b=c").unwrap();
        assert_eq!((&*url.host, url.port, url.tls), ("::1", 8080, false));
        assert_eq!((&*url.authority, &*url.path), ("[::1]:8080", "/a?b=c"));
        let url = Url::parse("https://example.org").unwrap();
        assert_eq!((url.port, url.tls, &*url.path), (443, true, "/"));
    }

    #[test]
    fn refuses_what_is_no_url() {
        for wrong in [
            "",
            "hello",
            "ftp://x/",
            "http:///x",
            "http://u@h/",
            "http://h:x/",
        ] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }
}
