//! What a text may be, where that takes more than a type and two bounds.

use std::path::PathBuf;

/// Variables that the contract sets for every instance.
const CONTRACT_VARIABLES: [&str; 7] = [
    "PORT",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "K_SERVICE",
    "K_REVISION",
    "K_CONFIGURATION",
];

pub(crate) const VARIABLE: &str = "a variable's name of letters, digits and \"_\" that does not \
    begin with a digit and that the contract does not set itself: not PORT, LISTEN_FDS, \
    LISTEN_FDNAMES, LISTEN_PID, K_SERVICE, K_REVISION, K_CONFIGURATION or STOKER_*";

pub(crate) const FUNCTION_NAME: &str =
    "a name of 1 to 63 lower-case letters, digits and \"-\" that begins with a letter";

pub(crate) const ADDRESS: &str =
    "an IP address with a port, such as \"127.0.0.1:8080\", or \"unix:/path/to/socket\"";

pub(crate) const HOST: &str = "a host's name without port, such as \"example.org\", \
    \"*.example.org\" or an IP address";

pub(crate) const NETWORK: &str =
    "a network such as \"10.0.0.0/8\" or \"fd00::/8\", or a single IP address";

pub(crate) const TOKEN: &str = "a token of at least 16 characters: visible ASCII without spaces";

pub(crate) const DIGEST: &str = "\"sha256:\" and the SHA-256 of a token, 64 hexadecimal digits";

pub(crate) const PATH: &str = "a path";

pub(crate) const ALGORITHM: &str = "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, \
    EdDSA, HS256, HS384 and HS512";

pub(crate) const OWN_HEADER: &str = "a header's name that neither HTTP nor the gateway uses itself, \
    such as \"X-User-Id\"";

/// Headers that say how a message is to be read, who sent it or who asks.
const TAKEN_HEADERS: [&str; 19] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

/// `[A-Za-z_][A-Za-z0-9_]*`, and not one of the contract's own.
pub(crate) fn is_variable(text: &str) -> bool {
    crate::spec::is_identifier(text)
        && !text.starts_with("STOKER_")
        && !CONTRACT_VARIABLES.contains(&text)
}

/// `[a-z][a-z0-9-]{0,62}`
pub(crate) fn is_function_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whatever names a handler; what it means is for the runner to say.
pub(crate) fn handler(text: &str) -> Option<String> {
    let visible = |c: char| !c.is_whitespace() && !c.is_control();
    ((1..=255).contains(&text.chars().count()) && text.chars().all(visible))
        .then(|| text.to_owned())
}

/// What a user's name is.
pub(crate) const USER: &str = "a user's name of 1 to 32 letters, digits, \"_\", \"-\" and \".\"";

/// As `useradd` takes them, with the dots of directory services.
pub(crate) fn is_user(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && !text.starts_with(['-', '.'])
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// What a bearer token can be.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `sha256:` and 64 hexadecimal digits.
pub(crate) fn digest(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:")?.as_bytes();
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok()?;
    }
    Some(digest)
}

/// An HTTP method: a token of RFC 9110, of sane length.
pub(crate) fn is_method(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Stores a method in upper case; twice the same means the same as once.
pub(crate) fn push_method(list: &mut Vec<String>, text: &str) -> bool {
    let method = is_method(text).then(|| text.to_ascii_uppercase());
    method.as_ref().is_some_and(|method| list.contains(method)) || push(list, method)
}

/// In lower case: a header's name, which is a token like a method, or `*`.
pub(crate) fn header_or_any(text: &str) -> Option<String> {
    (text == "*" || is_header(text)).then(|| text.to_ascii_lowercase())
}

/// Whether the gateway may tell a function something in this header.
pub(crate) fn is_own_header(text: &str) -> bool {
    is_header(text) && !text.starts_with("proxy-") && !TAKEN_HEADERS.contains(&text)
}

fn is_header(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// In lower case: scheme, host and perhaps a port, as RFC 6454 section 6.2 has it, or `*`.
pub(crate) fn origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = match text.split_once("://") {
        Some(parts) => parts,
        None => return (text == "*").then_some(text),
    };
    let scheme_fits = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest_fits = !rest.is_empty()
        && rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
    (scheme_fits && rest_fits).then_some(text)
}

/// A URL that can be fetched: `http` or `https`, a host, no user, no fragment.
pub(crate) fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':', '?'])
            && rest
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"@#\"<>\\".contains(&b))
    })
}

/// A signature algorithm of JWA (RFC 7518) that can be verified here; `none` is none.
pub(crate) fn algorithm(text: &str) -> Option<String> {
    let known = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256",
        "HS384", "HS512",
    ];
    known.contains(&text).then(|| text.to_owned())
}

/// In lower case: a field name of RFC 9110 section 5.1, of sane length.
pub(crate) fn header_name(text: &str) -> Option<String> {
    let good = (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    good.then(|| text.to_ascii_lowercase())
}

/// `Name: value`, the name in lower case.
pub(crate) fn header_line(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(':')?;
    let value = value.trim();
    let visible = value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    Some((header_name(name)?, value.to_owned())).filter(|_| visible)
}

/// In lower case: what can stand before the `=` of a query parameter.
pub(crate) fn redacted_name(text: &str) -> Option<String> {
    let good = (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"=&%".contains(&b));
    good.then(|| text.to_ascii_lowercase())
}

/// In lower case: a host's name, `*.` and a host's name, or an IP address (IPv6 in brackets).
pub(crate) fn host(text: &str) -> Option<String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let is_name = name.len() <= 253 && name.split('.').all(label);
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let is_v6 = bracketed.is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    (is_name || is_v6).then(|| text.to_ascii_lowercase())
}

/// Without the slash at the end that the root has: `/function`, or nothing for `/`.
pub(crate) fn prefix(text: &str) -> Option<String> {
    if text == "/" {
        return Some(String::new());
    }
    let pattern = crate::spec::PathPattern::parse(text).ok()?;
    let literal = |segment: &_| matches!(segment, crate::spec::Segment::Literal(_));
    pattern
        .segments
        .iter()
        .all(literal)
        .then(|| text.to_owned())
}

/// `20000-29999`
pub(crate) fn ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let port = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    Some((port(first)?, port(last)?)).filter(|(first, last)| first <= last)
}

/// Stores what the text stands for, if it stands for anything.
pub(crate) fn put<V>(place: &mut V, value: Option<V>) -> bool {
    match value {
        Some(value) => {
            *place = value;
            true
        }
        None => false,
    }
}

/// Adds what the text stands for, if it stands for anything.
pub(crate) fn push<V>(list: &mut Vec<V>, value: Option<V>) -> bool {
    let some = value.is_some();
    list.extend(value);
    some
}

/// Anything but nothing.
pub(crate) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}
