//! As much of a request's head as is needed to answer it.

/// What the front of the input holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Not a whole head yet.
    Partial,
    /// A head of `length` bytes.
    Head { length: usize, request: Request },
    /// Not a request that this program understands.
    Bad,
}

/// What matters of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// 64 KiB are wanted.
    pub(crate) large: bool,
    /// 20 ms of work are wanted.
    pub(crate) slow: bool,
    /// Without the body of the answer.
    pub(crate) head_only: bool,
    /// The connection is closed after the answer.
    pub(crate) close: bool,
    /// Bytes that follow the head.
    pub(crate) body: usize,
}

/// Reads a head from the front of `input`.
pub(crate) fn parse(input: &[u8]) -> Parsed {
    let Some(mut end) = line_end(input, 0) else {
        return Parsed::Partial;
    };
    let Some(mut request) = request_line(trimmed(&input[..end])) else {
        return Parsed::Bad;
    };
    loop {
        let start = end + 1;
        let Some(next) = line_end(input, start) else {
            return Parsed::Partial;
        };
        let line = trimmed(&input[start..next]);
        end = next;
        if line.is_empty() {
            let length = end + 1;
            return Parsed::Head { length, request };
        }
        if field(line, &mut request).is_none() {
            return Parsed::Bad;
        }
    }
}

fn line_end(input: &[u8], start: usize) -> Option<usize> {
    let found = input[start..].iter().position(|&byte| byte == b'\n')?;
    Some(start + found)
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn request_line(line: &[u8]) -> Option<Request> {
    let mut words = line.split(|&byte| byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let path = target.split(|&byte| byte == b'?').next()?;
    Some(Request {
        large: path.ends_with(b"/64k"),
        slow: path.ends_with(b"/20ms"),
        head_only: method == b"HEAD",
        close: version != b"HTTP/1.1",
        body: 0,
    })
}

/// Takes in one header line; `None` if the request cannot be served.
fn field(line: &[u8], request: &mut Request) -> Option<()> {
    // The lengths are looked at first: most names are passed over without comparing a letter.
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    match name.len() {
        14 if name.eq_ignore_ascii_case(b"content-length") => {
            request.body = str::from_utf8(value).ok()?.parse().ok()?;
        }
        10 if name.eq_ignore_ascii_case(b"connection") => {
            request.close = value.eq_ignore_ascii_case(b"close");
        }
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => return None,
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Request = Request {
        large: false,
        slow: false,
        head_only: false,
        close: false,
        body: 0,
    };

    #[test]
    fn a_whole_head() {
        let input = b"GET /function/bench/ HTTP/1.1\r\nHost: a\r\n\r\nGET";
        let length = input.len() - 3;
        let request = SMALL;
        assert_eq!(parse(input), Parsed::Head { length, request });
    }

    #[test]
    fn every_shorter_head_is_partial() {
        let input = b"POST /64k?x HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        for length in 0..input.len() {
            assert_eq!(parse(&input[..length]), Parsed::Partial);
        }
        let request = Request {
            large: true,
            body: 5,
            ..SMALL
        };
        let length = input.len();
        assert_eq!(parse(input), Parsed::Head { length, request });
    }

    #[test]
    fn closing_and_refusing() {
        let close = Request {
            close: true,
            ..SMALL
        };
        let asked = b"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n";
        assert!(matches!(parse(asked), Parsed::Head { request, .. } if request == close));
        let old = b"GET / HTTP/1.0\r\n\r\n";
        assert!(matches!(parse(old), Parsed::Head { request, .. } if request == close));
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(parse(chunked), Parsed::Bad);
        assert_eq!(parse(b"nonsense\r\n\r\n"), Parsed::Bad);
    }
}
