use super::BLOCK;
use crate::{PackageError, Reason};

/// The block before an entry's content.
pub(super) struct Header([u8; BLOCK]);

impl Header {
    /// Takes a block whose checksum is right; None is the mark of the end, a block of zeros.
    pub(super) fn parse(block: [u8; BLOCK]) -> Result<Option<Header>, PackageError> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let spaces = 8 * u64::from(b' ');
        let sum: u64 = block[..148]
            .iter()
            .chain(&block[156..])
            .map(|byte| u64::from(*byte))
            .sum();
        match number(&block[148..156]) == Some(sum + spaces) {
            true => Ok(Some(Header(block))),
            false => Err(Reason::Damaged("a header").into()),
        }
    }

    /// The path, of which pax and GNU may know a longer one.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = text(&self.0[345..500]);
        let is_posix = &self.0[257..263] == b"ustar\0";
        match is_posix && !prefix.is_empty() {
            true => [prefix, b"/", name].concat(),
            false => name.to_vec(),
        }
    }

    pub(super) fn link_target(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(super) fn is_executable(&self) -> bool {
        number(&self.0[100..108]).is_some_and(|mode| mode & 0o111 != 0)
    }

    /// Length of the content in bytes.
    pub(super) fn length(&self) -> Result<u64, PackageError> {
        number(&self.0[124..136]).ok_or_else(|| Reason::Damaged("its length").into())
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }
}

/// Up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// A number: octal digits, or GNU's 256-based ones, which begin with 0x80.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, digits @ ..] = field {
        let (high, low) = digits.split_at(digits.len().saturating_sub(8));
        let value = low
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        return high.iter().all(|byte| *byte == 0).then_some(value);
    }
    let digits = std::str::from_utf8(field).ok()?;
    match digits.trim_matches([' ', '\0']) {
        "" => Some(0),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            u64::from_str_radix(digits, 8).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_octal_or_of_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x01\x02"), Some(258));
        assert_eq!(number(b"\x80\0\x01\0\0\0\0\0\0\0\x01\x02"), None);
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(number(b"+0000644"), None);
        assert_eq!(number(b"00009\0\0\0"), None);
    }
}
