//! What came back.

use serde_json::Value;

/// An answer; its body is empty if only the head was read.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Parses a head, without the empty line at its end.
    pub(crate) fn parse(head: &[u8]) -> Option<Response> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ');
        first
            .next()
            .filter(|version| version.starts_with("HTTP/1."))?;
        let status = first.next()?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.map(header).collect::<Option<_>>()?;
        Some(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// The value of a header; the first one if there are several.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it is the function's own answer and a good one.
    pub(crate) fn is_good(&self) -> bool {
        self.status == 200 && self.header("stoker-origin") == Some("function")
    }

    /// Asserts that it is the function's own answer and a good one.
    pub(crate) fn good(self) -> Response {
        assert!(self.is_good(), "not the function's own 200: {self}");
        self
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// A number of the body, which is JSON.
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.json()[key]
            .as_u64()
            .unwrap_or_else(|| panic!("there is no number {key} in {self}"))
    }

    /// Asserts that it is the gateway's problem document of this status and kind, and returns its
    /// detail.
    pub(crate) fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.header("stoker-origin"), Some("gateway"), "{self}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self}"
        );
        let json = self.json();
        assert_eq!(json["type"], format!("urn:stoker:problem:{kind}"), "{self}");
        assert_eq!(
            (json["status"].as_u64(), self.status),
            (Some(status.into()), status),
            "{self}"
        );
        assert_eq!(
            json["request_id"].as_str(),
            self.header("x-request-id"),
            "{self}"
        );
        json["detail"]
            .as_str()
            .expect("a detail is a text")
            .to_owned()
    }

    /// The value of an entry of `Server-Timing`, in milliseconds.
    pub(crate) fn timing(&self, name: &str) -> Option<f64> {
        let entries = self.header("server-timing")?.split(", ");
        entries
            .filter_map(|entry| entry.split_once(";dur="))
            .find_map(|(other, value)| {
                (other == name).then(|| value.parse().expect("a duration is a number"))
            })
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        write!(f, "{} {:?} {body:?}", self.status, self.headers)
    }
}
