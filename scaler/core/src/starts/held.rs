//! What starts wait for.

/// What a start waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// The end of another start.
    AtOnce,
    /// The next one that there may be per second.
    Rate,
    /// Memory.
    Memory,
}

impl HeldBy {
    /// All of them.
    pub const ALL: [HeldBy; 3] = [HeldBy::AtOnce, HeldBy::Rate, HeldBy::Memory];

    /// In a word, as metrics and commands have it.
    pub fn name(self) -> &'static str {
        match self {
            HeldBy::AtOnce => "at-once",
            HeldBy::Rate => "rate",
            HeldBy::Memory => "memory",
        }
    }
}

/// Starts of one function that wait, for people and programs to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldStarts {
    /// How many.
    pub count: u32,
    /// What the first of them waits for.
    pub by: HeldBy,
}
