//! The chunked transfer coding, as RFC 9112 section 7.1 has it.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::trailers;

/// A chunk-size line or a trailer line longer than this is refused.
const LINE_LIMIT: usize = 4096;
/// Trailers beyond this many bytes in all are refused.
const TRAILER_LIMIT: usize = 16 * 1024;

/// Takes chunked data apart.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    trailer_bytes: usize,
    trailers: Option<Box<HeaderMap>>,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    /// Before or in a chunk-size line.
    #[default]
    Size,
    /// In a chunk with this many bytes left.
    Data(u64),
    /// Before the line break that ends a chunk.
    DataEnd,
    /// In the trailer section.
    Trailer,
    Done,
}

/// What could be taken.
#[derive(Debug, PartialEq)]
pub(crate) enum Decoded {
    /// A piece of the content, not empty.
    Data(Bytes),
    /// Nothing before more bytes come.
    NeedMore,
    /// The message ended; what follows is not part of it.
    End,
}

impl Decoder {
    /// Takes the next piece off `input`.
    ///
    /// # Errors
    /// A sentence, if the coding is broken; the message's end cannot be told then.
    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, &'static str> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = take_line(input)? else {
                        return Ok(Decoded::NeedMore);
                    };
                    self.state = match parse_size(&line)? {
                        0 => State::Trailer,
                        size => State::Data(size),
                    };
                }
                State::Data(left) => {
                    if input.is_empty() {
                        return Ok(Decoded::NeedMore);
                    }
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let left = left - take as u64;
                    self.state = if left == 0 {
                        State::DataEnd
                    } else {
                        State::Data(left)
                    };
                    return Ok(Decoded::Data(input.split_to(take).freeze()));
                }
                State::DataEnd => {
                    if input.len() < 2 {
                        return Ok(Decoded::NeedMore);
                    }
                    if &input[..2] != b"\r\n" {
                        return Err("a chunk is longer than its size says");
                    }
                    input.advance(2);
                    self.state = State::Size;
                }
                State::Trailer => {
                    let Some(line) = take_line(input)? else {
                        return Ok(Decoded::NeedMore);
                    };
                    self.trailer_bytes += line.len();
                    if line.is_empty() {
                        self.state = State::Done;
                    } else if self.trailer_bytes > TRAILER_LIMIT {
                        return Err("the trailers are too long");
                    } else {
                        self.take_trailer(line.freeze())?;
                    }
                }
                State::Done => return Ok(Decoded::End),
            }
        }
    }

    /// The trailers that came at the end, once.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take().map(|trailers| *trailers)
    }

    fn take_trailer(&mut self, line: Bytes) -> Result<(), &'static str> {
        let (name, value) = parse_trailer(&line).ok_or("a trailer is not a header line")?;
        if trailers::passes(&name) {
            self.trailers.get_or_insert_default().append(name, value);
        }
        Ok(())
    }
}

/// Takes `name: value` apart; `None` if it is no header line.
fn parse_trailer(line: &Bytes) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = line.slice_ref(line[colon + 1..].trim_ascii());
    Some((name, HeaderValue::from_maybe_shared(value).ok()?))
}

/// The next line without its line break, or `None` before it is whole.
fn take_line(input: &mut BytesMut) -> Result<Option<BytesMut>, &'static str> {
    let Some(end) = input
        .iter()
        .take(LINE_LIMIT)
        .position(|&byte| byte == b'\n')
    else {
        return if input.len() >= LINE_LIMIT {
            Err("a chunk-size line is too long")
        } else {
            Ok(None)
        };
    };
    let mut line = input.split_to(end + 1);
    if end == 0 || line[end - 1] != b'\r' {
        return Err("a line of the chunked coding does not end in CR LF");
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// The size at the start of a chunk-size line; extensions are ignored.
fn parse_size(line: &[u8]) -> Result<u64, &'static str> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let rest = &line[digits..];
    let after = rest
        .iter()
        .position(|&byte| byte != b' ' && byte != b'\t')
        .map(|at| rest[at]);
    if digits == 0 || digits > 15 || !matches!(after, None | Some(b';')) {
        return Err("a chunk size is not a hexadecimal number");
    }
    let text = std::str::from_utf8(&line[..digits]).map_err(|_| "a chunk size is not a number")?;
    u64::from_str_radix(text, 16).map_err(|_| "a chunk size is not a hexadecimal number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], step: usize) -> Result<(Vec<u8>, usize), &'static str> {
        let mut decoder = Decoder::default();
        let mut buffer = BytesMut::new();
        let mut content = Vec::new();
        let mut fed = 0;
        loop {
            match decoder.decode(&mut buffer)? {
                Decoded::Data(data) => content.extend_from_slice(&data),
                Decoded::End => return Ok((content, buffer.len() + input.len() - fed)),
                Decoded::NeedMore if fed == input.len() => return Err("truncated"),
                Decoded::NeedMore => {
                    let next = (fed + step).min(input.len());
                    buffer.extend_from_slice(&input[fed..next]);
                    fed = next;
                }
            }
        }
    }

    #[test]
    fn content_is_the_same_however_it_arrives() {
        let input = b"5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nTrailer: yes\r\n\r\nrest";
        for step in 1..=input.len() {
            assert_eq!(
                all(input, step),
                Ok((b"hello world".to_vec(), 4)),
                "step {step}"
            );
        }
    }

    #[test]
    fn trailers_are_kept_but_for_those_that_frame_or_route() {
        let mut decoder = Decoder::default();
        let mut input = BytesMut::from(
            &b"0\r\nDigest:  abc \r\nContent-Length: 5\r\nGrpc-Status: 0\r\n\r\n"[..],
        );
        assert_eq!(decoder.decode(&mut input), Ok(Decoded::End));
        let trailers = decoder.take_trailers().unwrap();
        assert_eq!(trailers.len(), 2);
        assert_eq!(trailers["digest"], "abc");
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(decoder.take_trailers(), None);
        assert!(all(b"0\r\nno header\r\n\r\n", 1).is_err());
        assert!(all(b"0\r\nname : x\r\n\r\n", 1).is_err());
    }

    #[test]
    fn broken_coding_is_refused() {
        for input in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"0x5\r\nhello\r\n",
            b"5\nhello\n",
            b"5\r\nhelloo\r\n",
            b"5 5\r\nhello\r\n",
            b"ffffffffffffffff\r\n",
        ] {
            let result = all(input, input.len());
            assert!(
                matches!(result, Err(cause) if cause != "truncated"),
                "{input:?}: {result:?}"
            );
        }
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        let mut long = vec![b'1'; LINE_LIMIT + 1];
        assert!(all(&long, 512).is_err());
        long = b"0\r\n".to_vec();
        for _ in 0..TRAILER_LIMIT / 10 {
            long.extend_from_slice(b"a: 3456789012\r\n");
        }
        assert_eq!(all(&long, 512), Err("the trailers are too long"));
    }
}
