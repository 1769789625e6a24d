//! The file of keys for the fuzz targets.

use super::file::{self, Record};
use super::table::{KeyMatch, KeyTable};
use super::{KeyInfo, KeyScope};

/// What a file of keys holds.
#[derive(Debug)]
pub struct KeyFile {
    records: Vec<Record>,
    table: KeyTable,
}

impl KeyFile {
    /// Reads the text of a file; `None` if it is damaged.
    pub fn parse(text: &str) -> Option<Self> {
        let records = file::parse(text).ok()?;
        let table = KeyTable::new(&records);
        Some(KeyFile { records, table })
    }

    /// The text of the file that is written of it.
    pub fn encode(&self) -> Option<String> {
        String::from_utf8(file::encode(&self.records).ok()?).ok()
    }

    /// The keys in their order.
    pub fn keys(&self) -> Vec<KeyInfo> {
        self.records.iter().map(Record::info).collect()
    }

    /// What the presented key opens at `now`, in seconds since 1970.
    pub fn opens(&self, presented: &str, now: u64) -> Option<KeyScope> {
        match self.table.check(presented, now) {
            KeyMatch::Valid { scope, .. } => Some(scope),
            KeyMatch::None => None,
        }
    }
}
