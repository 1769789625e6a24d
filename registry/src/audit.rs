//! Who did what.

/// A change that somebody made or tried to make. Nothing secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// In milliseconds since 1970.
    pub at_ms: u64,
    /// Name of the token, or `socket`.
    pub who: String,
    /// `reader`, `publisher`, `admin`, or empty if there was none.
    pub role: String,
    /// Of the request.
    pub method: String,
    /// Of the request, without its query.
    pub path: String,
    /// Of the answer.
    pub status: u16,
    /// What it was about, in short words.
    pub what: String,
}

/// An entry in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Ascending; never given twice.
    pub id: u64,
    /// What happened.
    pub entry: AuditEntry,
}
