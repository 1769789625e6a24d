use crate::{PackageError, Reason};

/// What the records before an entry say of it, as far as that is asked here; times, owners and
/// attributes are not.
#[derive(Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_target: Option<Vec<u8>>,
    pub(super) length: Option<u64>,
}

impl Records {
    /// Reads records of the form `LENGTH KEY=VALUE\n`, where the length counts all of that.
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Records, PackageError> {
        let mut records = Records::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or(Reason::Damaged("a pax record"))?;
            records.take(key, value)?;
            bytes = rest;
        }
        Ok(records)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), PackageError> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link_target = Some(value.to_vec()),
            b"size" => {
                let text = std::str::from_utf8(value).ok();
                let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let length = digits.and_then(|digits| digits.parse().ok());
                self.length = Some(length.ok_or(Reason::Damaged("its length"))?);
            }
            _ if key.starts_with(b"GNU.sparse.") => return Err(Reason::Sparse.into()),
            _ => {}
        }
        Ok(())
    }
}

/// The first record's key and value, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(8).position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(&bytes[..space]).ok()?;
    let length: usize = digits.parse().ok()?;
    let (whole, rest) = bytes.split_at_checked(length)?;
    let pair = whole.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some((&pair[..equals], &pair[equals + 1..], rest))
}

#[cfg(test)]
mod tests {
    use super::Records;

    #[test]
    fn records_are_read_and_lengths_are_not_believed() {
        let records = Records::parse(b"11 path=\xc3\xa9\n15 linkpath=ab\n10 size=7\n").unwrap();
        assert_eq!(records.path.as_deref(), Some("é".as_bytes()));
        assert_eq!(records.link_target.as_deref(), Some(&b"ab"[..]));
        assert_eq!(records.length, Some(7));
        for bad in [
            &b"99 path=a\n"[..],
            b"0 path=a\n",
            b"3 path=a\n",
            b"10 path=ab",
            b"path=a\n",
            b"9 patha\n\n",
            b"18446744073709551616 a=b\n",
            b"11 size=-1\n",
            b"25 GNU.sparse.major=1000\n",
        ] {
            assert!(Records::parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
