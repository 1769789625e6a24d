//! What is called: URLs, or functions of a gateway.

use std::collections::HashMap;
use std::path::PathBuf;

use http::{HeaderName, HeaderValue, Method};

use crate::admin::Admin;
use crate::client::{Alpn, Endpoint, Request, Trust, Url};
use crate::request::request;

/// Targets of one run.
const MOST: usize = 10_000;

/// How each target is called.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// GET, or POST with a body, if none is given.
    pub(crate) method: Option<Method>,
    /// Besides those that every request has.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// None for no body.
    pub(crate) body: Option<Vec<u8>>,
    /// What comes after the path of a function.
    pub(crate) path: String,
    /// Over HTTP/2, and not HTTP/1.1.
    pub(crate) http2: bool,
    /// In place of the address in URLs.
    pub(crate) unix_socket: Option<PathBuf>,
    /// Whose certificates are believed.
    pub(crate) trust: Trust,
}

/// Stands in a URL or path for how long a call of a trace took, in milliseconds.
pub(crate) const DURATION: &str = "{duration_ms}";

/// What is called.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// Where connections go.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Each target's request, and its endpoint.
    pub(crate) requests: Vec<(usize, Request)>,
    /// The functions among them.
    pub(crate) functions: Vec<String>,
    /// The first URL, and how many others there are.
    pub(crate) shown: String,
    /// Of those that were looked up.
    found: HashMap<String, Found>,
}

/// Where a target is.
#[derive(Clone, Debug)]
struct Found {
    /// Its URL, perhaps with [`DURATION`] in it.
    url: String,
    /// The socket it is behind, if it is no address.
    socket: Option<PathBuf>,
}

impl Targets {
    /// Finds out where the targets are: URLs, or names of functions, either with a range as in
    /// `f{00..19}`.
    ///
    /// # Errors
    /// If one cannot be called, in words.
    pub(crate) fn resolve(
        words: &[String],
        call: &Call,
        admin: Option<&Admin>,
    ) -> Result<Targets, String> {
        let mut targets = Targets::default();
        for word in expand_all(words)? {
            targets.add(&word, None, (call, admin))?;
        }
        let others = targets.requests.len() - 1;
        if others > 0 {
            targets.shown.push_str(&format!(" and {others} others"));
        }
        Ok(targets)
    }

    /// The same for calls of a trace: each a target, and how many milliseconds it took if that is
    /// known.
    ///
    /// # Errors
    /// If one cannot be called, in words.
    pub(crate) fn of_calls(
        calls: &[(String, Option<u64>)],
        call: &Call,
        admin: Option<&Admin>,
    ) -> Result<Targets, String> {
        let mut targets = Targets::default();
        for (target, millis) in calls {
            targets.add(target, *millis, (call, admin))?;
        }
        Ok(targets)
    }

    fn add(
        &mut self,
        target: &str,
        millis: Option<u64>,
        (call, admin): (&Call, Option<&Admin>),
    ) -> Result<(), String> {
        let found = self.find(target, call, admin)?;
        let text = found
            .url
            .replace(DURATION, &millis.unwrap_or(0).to_string());
        let url = Url::parse(&text)?;
        let alpn = match call.http2 {
            true => Alpn::Http2,
            false => Alpn::Http1,
        };
        let endpoint = Endpoint::resolve(&url, found.socket, (&call.trust, alpn))?;
        let same = self
            .endpoints
            .iter()
            .position(|known| known.is_same(&endpoint));
        let place = same.unwrap_or_else(|| {
            self.endpoints.push(endpoint);
            self.endpoints.len() - 1
        });
        self.requests.push((place, request(&url, call)?));
        if self.shown.is_empty() {
            self.shown = text;
        }
        Ok(())
    }

    fn find(&mut self, target: &str, call: &Call, admin: Option<&Admin>) -> Result<Found, String> {
        if let Some(found) = self.found.get(target) {
            return Ok(found.clone());
        }
        let found = match target.contains("://") {
            true => Found {
                url: target.to_owned(),
                socket: call.unix_socket.clone(),
            },
            false => {
                let admin = admin.ok_or_else(|| {
                    format!(
                        "{target:?} is no URL, and no gateway was found that has such a function"
                    )
                })?;
                self.functions.push(target.to_owned());
                locate(target, call, admin)?
            }
        };
        self.found.insert(target.to_owned(), found.clone());
        Ok(found)
    }
}

fn locate(function: &str, call: &Call, admin: &Admin) -> Result<Found, String> {
    let detail = admin.function(function)?;
    let listener = admin.listener()?;
    let path = match call.path.as_bytes().first() {
        None | Some(b'/' | b'?') => format!("{}{}", detail.summary.url, call.path),
        Some(_) => format!("{}/{}", detail.summary.url, call.path),
    };
    Ok(match listener.strip_prefix("http://") {
        Some(_) => Found {
            url: format!("{listener}{path}"),
            socket: None,
        },
        None => Found {
            url: format!("http://localhost{path}"),
            socket: Some(listener.into()),
        },
    })
}

/// A target for a call of no duration.
pub(crate) fn without_duration(target: &str) -> String {
    target.replace(DURATION, "0")
}

/// All targets that these words stand for.
///
/// # Errors
/// If one is no word of a target, or there are too many, in words.
pub(crate) fn expand_all(words: &[String]) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for word in words {
        all.extend(expand(word)?);
    }
    match all.len() {
        0..=MOST => Ok(all),
        _ => Err(format!("there are more than {MOST} targets")),
    }
}

/// `f{08..11}` as `f08`, `f09`, `f10`, `f11`: every number with as many digits as the first one has.
fn expand(word: &str) -> Result<Vec<String>, String> {
    let brace = word
        .match_indices('{')
        .find(|(at, _)| !word[*at..].starts_with(DURATION));
    let Some((at, _)) = brace else {
        return Ok(vec![word.to_owned()]);
    };
    let (before, rest) = (&word[..at], &word[at + 1..]);
    let wrong = || format!("{word:?} has no range like \"{{00..19}}\" in its braces");
    let (range, after) = rest.split_once('}').ok_or_else(wrong)?;
    let (first, last) = range.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
    let (from, to) = (number(first)?, number(last)?);
    if from > to || to - from >= MOST {
        return Err(format!(
            "{word:?}: a range rises and has at most {MOST} numbers"
        ));
    }
    let width = first.len();
    Ok((from..=to)
        .map(|number| format!("{before}{number:0width$}{after}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn ranges_are_expanded() {
        assert_eq!(expand("f").unwrap(), ["f"]);
        assert_eq!(
            expand("f{08..11}x").unwrap(),
            ["f08x", "f09x", "f10x", "f11x"]
        );
        assert_eq!(
            expand("http://h/{1..2}").unwrap(),
            ["http://h/1", "http://h/2"]
        );
        let with_duration = "http://h/{duration_ms}/{1..2}";
        assert_eq!(
            expand(with_duration).unwrap(),
            ["http://h/{duration_ms}/1", "http://h/{duration_ms}/2"]
        );
        for wrong in ["f{", "f{1}", "f{a..b}", "f{2..1}", "f{0..99999}"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn calls_of_a_trace_have_their_durations() {
        let url = "http://127.0.0.1:1/work?ms={duration_ms}".to_owned();
        let calls = [(url.clone(), Some(20)), (url, None)];
        let targets = Targets::of_calls(&calls, &call(), None).unwrap();
        let line = |index: usize| {
            let bytes: &[u8] = &targets.requests[index].1.bytes;
            String::from_utf8_lossy(bytes)
                .lines()
                .next()
                .map(str::to_owned)
        };
        assert_eq!(line(0).as_deref(), Some("GET /work?ms=20 HTTP/1.1"));
        assert_eq!(line(1).as_deref(), Some("GET /work?ms=0 HTTP/1.1"));
        assert_eq!(targets.endpoints.len(), 1, "they share connections");
    }

    #[test]
    fn a_name_needs_a_gateway() {
        let error = Targets::resolve(&["hello".to_owned()], &call(), None).unwrap_err();
        assert!(error.contains("\"hello\" is no URL"), "{error}");
    }
}
