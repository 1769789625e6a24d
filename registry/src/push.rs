//! Packages that came by the interface for tools of other platforms.

/// How a push went, or how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Unlike that of any other.
    pub id: String,
    /// The function, which need not be there.
    pub function: String,
    /// Nothing more will change.
    pub is_over: bool,
    /// What else is known of it, in the words of whoever keeps it here; at most 1 MiB.
    pub state: String,
}
