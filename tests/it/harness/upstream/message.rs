//! A request as a strict server reads it.

use std::fmt;

/// Fields that the gateway writes to every request; there must be one of each.
const OURS: [&str; 7] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "forwarded",
    "x-request-id",
    "traceparent",
    "stoker-parameter-rest",
];

/// A request. Its text is what came of it, without the fields that the gateway writes itself:
/// `METHOD target | name: value | =body | +trailer: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    /// A head with the empty line after it.
    ///
    /// # Errors
    /// What is not plain in it.
    pub(crate) fn head(bytes: &[u8]) -> Result<Message, String> {
        let text = plain(bytes)?;
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let line = lines.next().unwrap_or_default();
        let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("the request line {line:?}"));
        };
        let token = is_token(method) && target.starts_with('/') && !target.contains('#');
        let headers = lines.map(field).collect::<Result<Vec<_>, _>>()?;
        let count = |name: &str| headers.iter().filter(|(other, _)| other == name).count();
        let framed = count("content-length") + count("transfer-encoding") <= 1;
        let ours = OURS.iter().all(|name| count(name) == 1);
        if !token || !framed || !ours || count("host") != 1 {
            return Err(format!("the head {text:?}"));
        }
        Ok(Message {
            method: method.into(),
            target: target.into(),
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
        })
    }

    /// Takes the body from `read`, which begins with the head; `None` until it is whole. Answers
    /// how many bytes the whole request has.
    ///
    /// # Errors
    /// What is not plain in it.
    pub(crate) fn body(mut self, read: &[u8]) -> Result<Option<(Message, usize)>, String> {
        let start = super::find(read, b"\r\n\r\n").ok_or("no head")? + 4;
        if let Some(length) = self.value("content-length") {
            let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let length: usize = digits
                .then(|| length.parse().ok())
                .flatten()
                .ok_or_else(|| format!("the length {length:?}"))?;
            let Some(body) = read.get(start..start + length) else {
                return Ok(None);
            };
            self.body = body.to_vec();
            return Ok(Some((self, start + length)));
        }
        match self.value("transfer-encoding") {
            None => Ok(Some((self, start))),
            Some("chunked") => self.chunks(read, start),
            Some(other) => Err(format!("the coding {other:?}")),
        }
    }

    fn chunks(mut self, read: &[u8], mut at: usize) -> Result<Option<(Message, usize)>, String> {
        loop {
            let Some(end) = super::find(&read[at..], b"\r\n") else {
                return Ok(None);
            };
            let line = plain(&read[at..at + end])?;
            let bare = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            let size = usize::from_str_radix(line, 16).ok().filter(|_| bare);
            let size = size.ok_or_else(|| format!("the chunk size {line:?}"))?;
            at += end + 2;
            if size == 0 {
                break;
            }
            let Some(chunk) = read.get(at..at + size + 2) else {
                return Ok(None);
            };
            let data = chunk.strip_suffix(b"\r\n").ok_or("a chunk's end")?;
            self.body.extend_from_slice(data);
            at += size + 2;
        }
        loop {
            let Some(end) = super::find(&read[at..], b"\r\n") else {
                return Ok(None);
            };
            let line = plain(&read[at..at + end])?;
            at += end + 2;
            if line.is_empty() {
                return Ok(Some((self, at)));
            }
            self.trailers.push(field(line)?);
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        let headers = self.headers.iter();
        for (name, value) in headers.filter(|(name, _)| !OURS.contains(&name.as_str())) {
            write!(f, " | {name}: {value}")?;
        }
        if !self.body.is_empty() {
            write!(f, " | ={}", String::from_utf8_lossy(&self.body))?;
        }
        for (name, value) in &self.trailers {
            write!(f, " | +{name}: {value}")?;
        }
        Ok(())
    }
}

/// Text without control characters other than whole line ends. What is not ASCII is kept.
fn plain(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let rest = text.replace("\r\n", "");
    match rest.chars().find(|&c| c.is_control() && c != '\t') {
        Some(bad) => Err(format!("{bad:?} in {text:?}")),
        None => Ok(text),
    }
}

fn field(line: &str) -> Result<(String, String), String> {
    let fault = || format!("the field line {line:?}");
    let (name, value) = line.split_once(':').ok_or_else(fault)?;
    let lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_token(name) || !lower {
        return Err(fault());
    }
    Ok((name.into(), value.trim_matches([' ', '\t']).into()))
}

fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}
