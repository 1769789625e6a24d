//! State as a list of numbers, for a pool in another process to go on with.

use std::time::Duration;

use crate::Timestamp;

/// Numbers in the order in which they are read again.
#[derive(Debug, Default)]
pub(crate) struct Words(Vec<u64>);

impl Words {
    /// All of them.
    pub(crate) fn into_inner(self) -> Vec<u64> {
        self.0
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.push(number);
    }

    pub(crate) fn count(&mut self, count: u32) {
        self.0.push(u64::from(count));
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(u64::from(flag));
    }

    pub(crate) fn time(&mut self, time: Timestamp) {
        self.0.push(time.as_nanos());
    }

    /// What [`Timestamp::MAX`] stands for never comes to be, so it stands for none.
    pub(crate) fn time_or_none(&mut self, time: Option<Timestamp>) {
        self.time(time.unwrap_or(Timestamp::MAX));
    }

    pub(crate) fn span(&mut self, span: Duration) {
        self.0
            .push(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// Reads [`Words`]; whatever cannot be is none, and then nothing of it is believed.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u64]);

impl Reader<'_> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn count(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    /// The length of a list of at most `most`.
    pub(crate) fn length(&mut self, most: usize) -> Option<usize> {
        let length = usize::try_from(self.number()?).ok()?;
        (length <= most).then_some(length)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        self.number().map(Timestamp::from_nanos)
    }

    pub(crate) fn time_or_none(&mut self) -> Option<Option<Timestamp>> {
        let time = self.time()?;
        Some((time != Timestamp::MAX).then_some(time))
    }

    pub(crate) fn span(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut words = Words::default();
        words.number(u64::MAX);
        words.count(7);
        words.flag(true);
        words.time_or_none(None);
        words.time_or_none(Some(Timestamp::from_nanos(9)));
        words.span(Duration::from_nanos(11));
        let words = words.into_inner();
        let mut reader = Reader(&words);
        assert_eq!(reader.number(), Some(u64::MAX));
        assert_eq!((reader.count(), reader.flag()), (Some(7), Some(true)));
        assert_eq!(reader.time_or_none(), Some(None));
        assert_eq!(reader.time_or_none(), Some(Some(Timestamp::from_nanos(9))));
        assert_eq!(reader.span(), Some(Duration::from_nanos(11)));
        assert_eq!((reader.number(), reader.flag()), (None, None));
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        assert_eq!(Reader(&[1 << 32]).count(), None);
        assert_eq!(Reader(&[2]).flag(), None);
        assert_eq!(
            (Reader(&[4]).length(3), Reader(&[3]).length(3)),
            (None, Some(3))
        );
    }
}
