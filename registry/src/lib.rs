//! What was published: functions, their immutable revisions, who gets which traffic, settings,
//! secrets and the audit log.
//!
//! [`Store`] is what the rest of Stoker sees, [`Sqlite`] the embedded one. Everything here blocks.

mod audit;
mod error;
mod key;
mod names;
mod package;
mod revision;
mod secret;
mod sqlite;
mod store;
mod traffic;

pub use audit::{AuditEntry, AuditRow};
pub use error::StoreError;
pub use key::Key;
pub use names::{
    LATEST, is_alias, is_function_name, is_variable, revision_alias, revision_of_alias,
};
pub use package::{ArchiveKind, Digest, Package};
pub use revision::{Author, Function, NewRevision, Revision, Settings, Shift};
pub use secret::{Place, Secret, SecretInfo, SecretValue};
pub use sqlite::Sqlite;
pub use store::Store;
pub use traffic::{Mirror, Sticky, Traffic, Weight};
