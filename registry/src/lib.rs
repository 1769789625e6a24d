//! What was published: functions, their immutable revisions, who gets which traffic, settings,
//! secrets and the audit log.
//!
//! [`Registry`] is one directory with all of it. [`Store`] is what the rest of Stoker sees of what is
//! known, [`Sqlite`] the embedded one; [`Files`] has the packages and their code. A publish makes the
//! files durable first, and then adds a revision that names them: what is acknowledged is whole.
//! Everything here blocks.

mod audit;
mod error;
mod files;
mod key;
mod names;
mod package;
mod push;
mod registry;
mod revision;
mod secret;
mod sqlite;
mod store;
mod traffic;
mod usage;

pub use audit::{AuditEntry, AuditRow};
pub use error::StoreError;
pub use files::{Files, Incoming, Named, Pin, Swept};
pub use key::Key;
pub use names::{
    LATEST, is_alias, is_function_name, is_variable, revision_alias, revision_of_alias,
};
pub use package::{ArchiveKind, Digest, Package};
pub use push::Push;
pub use registry::{Registry, Rule};
pub use revision::{Author, Function, NewRevision, Revision, Settings, Shift};
pub use secret::{Place, Secret, SecretInfo, SecretValue};
pub use sqlite::Sqlite;
pub use store::Store;
pub use traffic::{Mirror, Sticky, Traffic, Weight};
pub use usage::{Books, Keep, UsageQuery, UsageRow};
