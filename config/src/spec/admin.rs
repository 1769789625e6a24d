//! Who administers the gateway, where, and what they may do.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The administrators' listener.
#[derive(Clone, Debug, PartialEq)]
pub struct AdminSpec {
    /// The Unix socket; absolute.
    pub socket: PathBuf,
    /// An additional TCP listener.
    pub listen: Option<SocketAddr>,
    /// What callers over TCP present as a bearer token; at least one if `listen` is set. That of
    /// `admin.token` is the first and is named [`AdminSpec::TOKEN`]. No two have the same name.
    pub tokens: Vec<AdminTokenSpec>,
}

/// One token of the admin API.
#[derive(Clone, PartialEq)]
pub struct AdminTokenSpec {
    /// As the audit log shows it: `[a-z][a-z0-9-]{0,62}`.
    pub name: String,
    /// What its bearer may do.
    pub role: AdminRole,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
}

/// What the bearer of a token may do. Each role may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminRole {
    /// Look at everything but secrets.
    Reader,
    /// Change functions: their code, traffic, settings and secrets.
    Publisher,
    /// Everything.
    Admin,
}

impl AdminSpec {
    /// The name of the token in `admin.token` or `admin.token-file`.
    pub const TOKEN: &str = "admin";

    /// Whether another listener is needed to get from one to the other.
    pub fn listens_elsewhere(&self, other: &Self) -> bool {
        self.socket != other.socket || self.listen != other.listen
    }
}

impl AdminRole {
    /// As in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Publisher => "publisher",
            Self::Admin => "admin",
        }
    }
}

/// Without the digest: a token that is short enough to be guessed is guessed from it.
impl fmt::Debug for AdminTokenSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminTokenSpec")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
