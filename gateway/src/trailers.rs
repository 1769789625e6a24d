//! Which fields may come after a body.

use http::header::{self, HeaderMap, HeaderName};

use crate::caller;

/// The trailers that may be passed on.
pub(crate) fn kept(mut trailers: HeaderMap) -> HeaderMap {
    let refused: Vec<_> = trailers
        .keys()
        .filter(|name| !passes(name))
        .cloned()
        .collect();
    for name in refused {
        trailers.remove(name);
    }
    trailers
}

/// False for trailers that a recipient could take for something that must stand in the head:
/// framing, routing, authentication, controls and what says how content is read (RFC 9110 section
/// 6.5.1), and for the headers that the gateway writes itself.
pub(crate) fn passes(name: &HeaderName) -> bool {
    const REFUSED: [HeaderName; 22] = [
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::COOKIE,
        header::EXPECT,
        header::FORWARDED,
        header::HOST,
        header::LOCATION,
        header::MAX_FORWARDS,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::RANGE,
        header::SET_COOKIE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::WWW_AUTHENTICATE,
    ];
    let text = name.as_str();
    let refused = REFUSED.contains(name)
        || text == "keep-alive"
        || !caller::passes(name)
        || ["if-", "proxy-", "x-forwarded-"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
    !refused
}
