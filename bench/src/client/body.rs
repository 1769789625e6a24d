//! Where the body of an answer ends (RFC 9112, sections 6 and 7).

use super::Fault;

/// The longest line of a chunk's size or of a trailer.
const LINE_BYTES: usize = 8192;

/// How much of a body is to come.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// All until the connection is closed.
    UntilClose,
}

/// Where in a chunked body.
#[derive(Debug)]
pub(super) struct Chunks {
    state: State,
    /// The line so far, without its end.
    line: Vec<u8>,
}

#[derive(Debug, PartialEq)]
enum State {
    Size,
    Data(u64),
    EndOfData,
    Trailers,
    Done,
}

impl Body {
    pub(super) fn chunked() -> Body {
        Body::Chunked(Chunks {
            state: State::Size,
            line: Vec::new(),
        })
    }

    /// Takes the next bytes; true once it is whole.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        match self {
            Body::Length(left) => {
                let length = bytes.len() as u64;
                if length > *left {
                    return Err(Fault::Invalid("there is more than its length says"));
                }
                *left -= length;
                Ok(*left == 0)
            }
            Body::Chunked(chunks) => chunks.take(bytes),
            Body::UntilClose => Ok(false),
        }
    }
}

impl Chunks {
    fn take(&mut self, mut bytes: &[u8]) -> Result<bool, Fault> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Done => return Err(Fault::Invalid("there is more after its last chunk")),
                State::Data(left) => {
                    let now = bytes
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= now as u64;
                    bytes = &bytes[now..];
                    if *left == 0 {
                        self.state = State::EndOfData;
                    }
                }
                _ => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let part = &bytes[..end.unwrap_or(bytes.len())];
                    if self.line.len() + part.len() > LINE_BYTES {
                        return Err(Fault::Invalid("a line of its chunks is too long"));
                    }
                    self.line.extend_from_slice(part);
                    let Some(end) = end else { break };
                    bytes = &bytes[end + 1..];
                    self.line_ended()?;
                }
            }
        }
        Ok(self.state == State::Done)
    }

    fn line_ended(&mut self) -> Result<(), Fault> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        self.state = match self.state {
            State::Size => match size(line)? {
                0 => State::Trailers,
                size => State::Data(size),
            },
            State::EndOfData if line.is_empty() => State::Size,
            State::EndOfData => return Err(Fault::Invalid("a chunk is longer than its size")),
            _ if line.is_empty() => State::Done,
            _ => State::Trailers,
        };
        Ok(())
    }
}

/// The hexadecimal number before a chunk's extensions.
fn size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let digits = str::from_utf8(digits).unwrap_or_default().trim();
    let valid = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let size = u64::from_str_radix(digits, 16).ok().filter(|_| valid);
    size.ok_or(Fault::Invalid("the size of a chunk is no number"))
}

#[cfg(test)]
mod tests {
    use super::Body;

    /// Whether it is whole after each byte.
    fn ends_with_its_last_byte(text: &str) {
        let mut body = Body::chunked();
        for (at, byte) in text.bytes().enumerate() {
            let whole = body.take(&[byte]).expect("is valid");
            assert_eq!(whole, at + 1 == text.len(), "{text:?} at {at}");
        }
        assert!(Body::chunked().take(text.as_bytes()).expect("is valid"));
    }

    #[test]
    fn chunks_end_where_they_end() {
        ends_with_its_last_byte("0\r\n\r\n");
        ends_with_its_last_byte("3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n");
        ends_with_its_last_byte("1\r\na\r\n0\r\ntrailer: x\r\n\r\n");
    }

    #[test]
    fn wrong_chunks_are_refused() {
        for wrong in ["x\r\n", "\r\n", "-1\r\n", "1\r\nab\r\n", "0\r\n\r\nx"] {
            assert!(Body::chunked().take(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lengths_are_exact() {
        let mut body = Body::Length(3);
        assert!(!body.take(b"ab").unwrap());
        assert!(body.take(b"c").unwrap());
        assert!(body.take(b"d").is_err());
    }
}
