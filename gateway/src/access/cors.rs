//! Cross-origin requests, as the Fetch standard (section "HTTP CORS protocol") has them.

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use stoker_config::CorsSpec;

/// What pages of other origins may do.
#[derive(Debug)]
pub(crate) struct Cors {
    any: bool,
    origins: Vec<String>,
    credentials: bool,
    methods: HeaderValue,
    /// `None` for whatever is asked for.
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
}

/// The headers that the function's own are replaced by.
const OWN: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

impl Cors {
    /// `None` if it is off.
    pub(crate) fn new(spec: &CorsSpec) -> Option<Self> {
        if spec.origins.is_empty() {
            return None;
        }
        let list = |texts: &[String]| HeaderValue::try_from(texts.join(", ")).ok();
        let any_header = spec.headers.iter().any(|name| name == "*");
        Some(Cors {
            any: spec.origins.iter().any(|origin| origin == "*"),
            origins: spec.origins.clone(),
            credentials: spec.credentials,
            methods: list(&spec.methods).unwrap_or_else(|| HeaderValue::from_static("")),
            headers: list(&spec.headers).filter(|_| !any_header),
            expose: list(&spec.expose).filter(|_| !spec.expose.is_empty()),
            max_age: HeaderValue::from(spec.max_age.as_secs()),
        })
    }

    /// The headers of an answer to a request, the gateway's own answers included.
    pub(crate) fn answer(&self, request: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.origin(request, &mut headers)
            && let Some(expose) = &self.expose
        {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        headers
    }

    /// The headers of the answer to a preflight.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.origin(request, &mut headers) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            // What is asked for, and not `*`: with credentials that would be a name.
            let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
            if let Some(allowed) = self.headers.as_ref().or(asked) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
            }
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        for name in [
            "access-control-request-method",
            "access-control-request-headers",
        ] {
            headers.append(header::VARY, HeaderValue::from_static(name));
        }
        headers
    }

    /// Says whether the request's origin may read the answer.
    fn origin(&self, request: &HeaderMap, headers: &mut HeaderMap) -> bool {
        if self.any {
            let any = HeaderValue::from_static("*");
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
            return true;
        }
        // The answer depends on it also where there is none: caches must know.
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = request.get(header::ORIGIN) else {
            return false;
        };
        let allowed = |known: &String| origin.as_bytes().eq_ignore_ascii_case(known.as_bytes());
        if !self.origins.iter().any(allowed) {
            return false;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        true
    }
}

/// The method that a preflight asks about; `None` for any other request.
pub(crate) fn preflight_method(parts: &Parts) -> Option<&str> {
    if parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ORIGIN) {
        return None;
    }
    let asked = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    asked.to_str().ok()
}

/// Takes what a function says itself about other origins off its answer.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in OWN {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spec() -> CorsSpec {
        CorsSpec {
            origins: vec!["https://a.example".into(), "http://b.example:81".into()],
            methods: vec!["GET".into(), "PUT".into()],
            headers: vec!["x-own".into()],
            expose: vec!["x-seen".into(), "x-too".into()],
            credentials: true,
            max_age: Duration::from_secs(60),
        }
    }

    fn request(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<String> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_known_origin_may_read() {
        let cors = Cors::new(&spec()).unwrap();
        let answer = cors.answer(&request(&[("origin", "https://a.example")]));
        assert_eq!(
            lines(&answer),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://a.example",
                "access-control-expose-headers: x-seen, x-too",
                "vary: origin",
            ]
        );
        for other in ["https://a.example.evil", "http://a.example", "null"] {
            assert_eq!(
                lines(&cors.answer(&request(&[("origin", other)]))),
                ["vary: origin"]
            );
        }
        assert_eq!(lines(&cors.answer(&HeaderMap::new())), ["vary: origin"]);
    }

    #[test]
    fn a_preflight_is_told_what_is_allowed() {
        let cors = Cors::new(&spec()).unwrap();
        let asked = [
            ("origin", "http://b.example:81"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "x-other"),
        ];
        let lines = lines(&cors.preflight(&request(&asked)));
        for line in [
            "access-control-allow-methods: GET, PUT",
            "access-control-allow-headers: x-own",
            "access-control-max-age: 60",
            "access-control-allow-origin: http://b.example:81",
        ] {
            assert!(lines.iter().any(|other| other == line), "{lines:?}");
        }
    }

    #[test]
    fn stars() {
        let mut spec = spec();
        (spec.origins, spec.headers) = (vec!["*".into()], vec!["*".into()]);
        spec.credentials = false;
        let cors = Cors::new(&spec).unwrap();
        let asked = [
            ("origin", "https://any.example"),
            ("access-control-request-headers", "x-one, x-two"),
        ];
        let headers = cors.preflight(&request(&asked));
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["access-control-allow-headers"], "x-one, x-two");
        assert!(Cors::new(&CorsSpec::default()).is_none());
    }
}
