//! Functions whose handler is run by one of Stoker's own runners, and what is kept ready for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How a handler is run. The interpreter is the command of the launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeLaunch {
    /// The language.
    pub language: Language,
    /// Where the handler is, in the language's own terms.
    pub handler: String,
    /// How it is called, as the runner names it.
    pub interface: String,
    /// Requests that an instance takes at once.
    pub concurrency: u32,
    /// Instances are made from processes that were prepared; otherwise each executes the
    /// interpreter.
    pub preload: bool,
    /// One that cannot be made so executes the interpreter.
    pub fallback: bool,
    /// The longest message that the runner takes from a WebSocket; 0, as former releases say, for its
    /// own default.
    #[serde(default)]
    pub websocket_bytes: u64,
}

/// A language that there is a runner for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// A parent with the handler loaded forks instances.
    Python,
    /// A booted process, a cell, loads the handler when it becomes an instance.
    Node,
}

/// How an instance came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartKind {
    /// Its program was executed.
    #[default]
    Exec,
    /// It was forked when it was asked for.
    Fork,
    /// It had been forked before and was waiting.
    Spare,
    /// It had booted, before or when it was asked for, and loaded its handler then.
    Cell,
}

/// What is kept ready for the starts of one function, or for those of all Node functions that may
/// share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The driver's own number of it.
    pub number: u64,
    /// The language.
    pub language: Language,
    /// Functions and revisions that it is for.
    pub functions: Vec<(Arc<str>, Arc<str>)>,
    /// The process that forks, and whether it has the handler loaded.
    pub parent: Option<(u32, bool)>,
    /// The processes that wait to become an instance, oldest first.
    pub spares: Vec<u32>,
    /// Why the last attempt to prepare it failed.
    pub failure: Option<String>,
}

impl StartKind {
    /// All of them.
    pub const ALL: [StartKind; 4] = [
        StartKind::Exec,
        StartKind::Fork,
        StartKind::Spare,
        StartKind::Cell,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            StartKind::Exec => "exec",
            StartKind::Fork => "fork",
            StartKind::Spare => "spare",
            StartKind::Cell => "cell",
        }
    }
}

impl Language {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::Node => "node",
        }
    }
}
