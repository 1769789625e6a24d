//! What the gateway tells about its requests: access log, traces, metrics.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// One line per request.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLogSpec {
    /// Where it goes; `None` if there is none.
    pub target: Option<AccessLogTarget>,
    /// How a line looks.
    pub format: AccessLogFormat,
    /// Share of the requests that are logged, from 0 to 1.
    pub sample: f64,
    /// Requests that failed are logged whatever `sample` says.
    pub keep_errors: bool,
    /// Requests that took as long are logged whatever `sample` says.
    pub slow: Duration,
    /// Further request headers to log, in lower case; JSON only.
    pub headers: Vec<String>,
    /// Query parameters and headers whose values are not shown, in lower case, besides those that
    /// never are.
    pub redact: Vec<String>,
    /// Bytes of lines that wait to be written; lines beyond are dropped.
    pub buffer_bytes: usize,
    /// Size at which the file is rotated.
    pub file_bytes: u64,
    /// Files kept, the current one included; at least 1.
    pub files: u32,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// The standard output.
    Stdout,
    /// A file; absolute.
    File(PathBuf),
}

/// How a line of the access log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// One object per line.
    Json,
    /// The combined format of Apache httpd and nginx.
    Combined,
}

/// Traces over OTLP.
#[derive(Clone, PartialEq)]
pub struct TracesSpec {
    /// The collector; `None` for no traces.
    pub endpoint: Option<OtlpEndpoint>,
    /// Share of the requests that are traced if the caller does not say, from 0 to 1.
    pub sample: f64,
    /// The resource's `service.name`.
    pub service_name: String,
    /// Sent with every export: name in lower case, and value.
    pub headers: Vec<(String, String)>,
    /// For one export.
    pub timeout: Duration,
    /// Requests whose spans wait to be exported; those beyond are dropped.
    pub queue: usize,
    /// Requests whose spans go in one export.
    pub batch: usize,
    /// How long spans wait for others to be exported with.
    pub interval: Duration,
}

/// Without the values of headers, which may be secrets.
impl fmt::Debug for TracesSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("TracesSpec")
            .field("endpoint", &self.endpoint)
            .field("sample", &self.sample)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// A collector that takes OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint {
    /// `https`.
    pub secure: bool,
    /// A name or an address; IPv6 in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where traces go: `/v1/traces` below the path of the setting (OTLP specification,
    /// "OTLP/HTTP Request").
    pub path: String,
}

impl OtlpEndpoint {
    /// Reads `http://host:4318` or `https://host/path`; `None` for anything else. Without a port
    /// it is 4318, the port of OTLP over HTTP, or 443 with `https`.
    pub fn parse(text: &str) -> Option<Self> {
        let (secure, rest) = match text.split_once("://")? {
            ("http", rest) => (false, rest),
            ("https", rest) => (true, rest),
            _ => return None,
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
            Some(_) => return None,
            None if secure => 443,
            None => 4318,
        };
        let path = path.trim_end_matches('/');
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>".contains(&byte);
        let good = crate::schema::rules::host(host).is_some_and(|_| !host.starts_with('*'))
            && path.bytes().all(plain)
            && port > 0;
        good.then(|| OtlpEndpoint {
            secure,
            host: host.to_owned(),
            port,
            path: format!("{path}/v1/traces"),
        })
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

/// What Prometheus sees, and what is remembered of starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSpec {
    /// Functions with series of their own; the others share one set.
    pub functions: usize,
    /// Starts that `stoker ps --starts` can show.
    pub starts: usize,
}

#[cfg(test)]
mod tests {
    use super::OtlpEndpoint;

    #[test]
    fn endpoints() {
        let shown = |text| OtlpEndpoint::parse(text).map(|endpoint| endpoint.to_string());
        let is = |text, expected: &str| assert_eq!(shown(text).as_deref(), Some(expected));
        is("http://localhost:4318", "http://localhost:4318/v1/traces");
        is("http://127.0.0.1", "http://127.0.0.1:4318/v1/traces");
        is(
            "https://otel.example.org/",
            "https://otel.example.org:443/v1/traces",
        );
        is("http://[::1]:4318/otlp", "http://[::1]:4318/otlp/v1/traces");
        is("http://[::1]", "http://[::1]:4318/v1/traces");
        for bad in [
            "localhost:4318",
            "ftp://a:1",
            "http://",
            "http://a:0",
            "http://a:x",
            "http://a:70000",
            "http://*.a:1",
            "http://a b:1",
            "http://a:1/p?q=1",
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
