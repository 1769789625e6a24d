//! What the keys about administrators are read into.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::function::absolute;
use crate::spec::AdminRole;

/// The administrators' listener.
#[derive(Default)]
pub(crate) struct AdminDraft {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    /// With their indices in the file.
    pub(crate) tokens: Vec<(TokenDraft, usize)>,
}

/// One of the tokens; `None` as role was not allowed or is missing.
#[derive(Default)]
pub(crate) struct TokenDraft {
    pub(crate) name: String,
    pub(crate) role: Option<AdminRole>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) digest: Option<[u8; 32]>,
}

impl AdminDraft {
    /// The files that tokens are read from.
    pub(crate) fn files(&self, home: &Path) -> Vec<PathBuf> {
        let named = self.tokens.iter().map(|(token, _)| &token.token_file);
        let files = std::iter::once(&self.token_file).chain(named).flatten();
        files.map(|path| absolute(home, path)).collect()
    }
}
