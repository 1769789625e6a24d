//! What a store of published functions can do.

use crate::{
    AuditEntry, AuditRow, Author, Digest, Function, NewRevision, Place, Push, Revision, Secret,
    SecretInfo, SecretValue, Settings, StoreError, Traffic,
};

/// Where published functions are kept. Each method is one whole operation: it happens for good, or
/// not at all, and what it returned will be there after any crash. All of them block.
///
/// # Errors
/// Every method fails with [`StoreError::Failed`] if the store itself does, and with the unknown
/// function, revision, alias or secret that it was asked for.
pub trait Store: Send + Sync {
    /// Changes whenever something changes that a gateway's configuration is made of: functions,
    /// revisions, traffic, aliases and secrets.
    fn generation(&self) -> Result<u64, StoreError>;

    /// Every function, by name.
    fn functions(&self) -> Result<Vec<Function>, StoreError>;

    /// One function; `None` if there is no such.
    fn function(&self, name: &str) -> Result<Option<Function>, StoreError>;

    /// Forgets a function with its revisions, settings and secrets. Its numbers are not given again.
    fn delete_function(&self, name: &str) -> Result<(), StoreError>;

    /// Adds a revision and moves traffic to it.
    fn publish(&self, new: NewRevision) -> Result<Revision, StoreError>;

    /// Every revision of a function, the newest first, with those that were collected of late.
    fn revisions(&self, function: &str) -> Result<Vec<Revision>, StoreError>;

    /// One revision, collected or not.
    fn revision(&self, function: &str, number: u32) -> Result<Revision, StoreError>;

    /// Gives a revision up: it cannot be called any more.
    ///
    /// # Errors
    /// If it gets traffic or copies of it, or has an alias.
    fn collect(&self, function: &str, number: u32) -> Result<(), StoreError>;

    /// Packages that some revision has that is not collected, ascending.
    fn packages(&self) -> Result<Vec<Digest>, StoreError>;

    /// How requests are divided; nothing has parts until there is a revision.
    fn traffic(&self, function: &str) -> Result<Traffic, StoreError>;

    /// Divides them otherwise, if they are divided as `expected` says; `None` does it whatever they
    /// are. Whether it was done.
    ///
    /// # Errors
    /// If the traffic is not valid ([`Traffic::checked`]) or names a revision that is not there.
    fn set_traffic(
        &self,
        function: &str,
        traffic: &Traffic,
        expected: Option<&Traffic>,
    ) -> Result<bool, StoreError>;

    /// Sends everything to one revision, by default to the newest one below the present main
    /// revision that had traffic before. The revision's number.
    fn roll_back(&self, function: &str, to: Option<u32>) -> Result<u32, StoreError>;

    /// The names that were given to revisions, by name; `rN` and `latest` are not among them.
    fn aliases(&self, function: &str) -> Result<Vec<(String, u32)>, StoreError>;

    /// Gives a revision a name, or a name to another revision.
    fn set_alias(&self, function: &str, alias: &str, revision: u32) -> Result<(), StoreError>;

    /// Forgets a name.
    fn delete_alias(&self, function: &str, alias: &str) -> Result<(), StoreError>;

    /// The settings that the next revision will have; empty if the function is not known.
    fn settings(&self, function: &str) -> Result<Settings, StoreError>;

    /// Puts these settings in place of all that are there. If the function has traffic, this makes a
    /// revision with the code of its main one, which takes over what that gets; it is returned. Else
    /// they wait for the first one, and the function is made if there is none.
    fn set_settings(
        &self,
        function: &str,
        settings: &Settings,
        author: &Author,
    ) -> Result<Option<Revision>, StoreError>;

    /// The names of the secrets, without values, by name; empty if the function is not known.
    fn secrets(&self, function: &str) -> Result<Vec<SecretInfo>, StoreError>;

    /// Sets a secret; the function is made if there is none. Key, where it goes, and value.
    fn set_secret(
        &self,
        function: &str,
        secret: (&str, Place, &SecretValue),
        author: &Author,
    ) -> Result<SecretInfo, StoreError>;

    /// Forgets a secret.
    fn delete_secret(&self, function: &str, key: &str) -> Result<(), StoreError>;

    /// The secrets with their values, by name: for launching instances only.
    ///
    /// # Errors
    /// [`StoreError::Key`] if the key is not the one they were sealed by.
    fn reveal_secrets(&self, function: &str) -> Result<Vec<Secret>, StoreError>;

    /// What the canary of a function remembers, if one is under way or ended last.
    fn canary(&self, function: &str) -> Result<Option<String>, StoreError>;

    /// Every function with what its canary remembers.
    fn canaries(&self) -> Result<Vec<(String, String)>, StoreError>;

    /// What the canary of a function remembers from now on; `None`: nothing. At most 64 KiB.
    fn set_canary(&self, function: &str, state: Option<&str>) -> Result<(), StoreError>;

    /// The pushes that are remembered, the newest first: 100, and others that are not over.
    fn pushes(&self) -> Result<Vec<Push>, StoreError>;

    /// One push, or the newest one; `None` if there is no such.
    fn push(&self, id: Option<&str>) -> Result<Option<Push>, StoreError>;

    /// Remembers a push, whose id is new.
    fn add_push(&self, push: &Push) -> Result<(), StoreError>;

    /// Changes a push that is not over. Whether there was one.
    fn set_push(&self, push: &Push) -> Result<bool, StoreError>;

    /// Adds to the audit log, which forgets its oldest entries beyond its bound.
    fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// The newest `limit` entries since a time in milliseconds since 1970, the newest first.
    fn audit_log(&self, since_ms: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError>;
}
