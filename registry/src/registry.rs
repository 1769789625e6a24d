//! The registry in one directory: the store and the files beside it.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files::{Files, Swept};
use crate::{Digest, Function, Package, Revision, Sqlite, Store, StoreError};

/// A package whose publishing goes on in another process, during an upgrade, is not garbage.
const OTHERS_PATIENCE: Duration = Duration::from_secs(3600);

/// The store and the files beside it.
pub struct Registry {
    store: Box<dyn Store>,
    files: Files,
}

/// Which revisions are kept beside those that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// So many of each function, the newest.
    pub revisions: usize,
    /// And none of them longer than this after it was published or had traffic last, but for the
    /// newest, and for the one that would be rolled back to.
    pub age: Duration,
}

/// What a collection gave up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Function and number of each revision.
    pub revisions: Vec<(String, u32)>,
    /// Files that nothing named.
    pub swept: Swept,
}

impl Registry {
    /// Opens the registry in `directory`, which is made if it is not there. `key_file` is for secrets;
    /// `None`: `secrets.key` in that directory. So many entries of the audit log are kept.
    ///
    /// # Errors
    /// If the directory cannot be made, or the store not be opened.
    pub fn open(
        directory: &Path,
        key_file: Option<&Path>,
        audit_entries: u64,
    ) -> Result<Registry, StoreError> {
        let failed = |error: io::Error| StoreError::Failed(Box::new(error));
        let files = Files::open(directory).map_err(failed)?;
        let database = directory.join("registry.db");
        make_private(&database).map_err(failed)?;
        let own: PathBuf = directory.join("secrets.key");
        let store = Sqlite::open(&database, key_file.unwrap_or(&own), audit_entries)?;
        Ok(Registry {
            store: Box::new(store),
            files,
        })
    }

    /// Functions, revisions, traffic, settings, secrets, audit.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Packages and code.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Removes what a crash left behind. Only for a start at which no other process uses the
    /// directory, and before anything is published.
    ///
    /// # Errors
    /// If something cannot be listed or removed.
    pub fn clean_up(&self) -> Result<Swept, StoreError> {
        self.sweep(Duration::ZERO)
    }

    /// Gives up the revisions that are neither in use nor kept by `rule`, and removes the files that
    /// nothing names.
    ///
    /// # Errors
    /// If the store fails, or something cannot be listed or removed.
    pub fn collect(&self, rule: Rule) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        for function in self.store.functions()? {
            for revision in self.surplus(&function, rule)? {
                match self.store.collect(&function.name, revision) {
                    Ok(()) => collected.revisions.push((function.name.clone(), revision)),
                    // It came into use meanwhile, or went.
                    Err(StoreError::InUse(..) | StoreError::UnknownRevision(..)) => {}
                    Err(StoreError::UnknownFunction(_)) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        collected.swept = self.sweep(OTHERS_PATIENCE)?;
        Ok(collected)
    }

    /// Removes a package's files, if no revision names it and nobody else is about to publish it.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub fn discard(&self, package: &Package) -> Result<(), StoreError> {
        let discarded = self.files.discard(package, &|| self.named());
        discarded.map_err(|error| StoreError::Failed(Box::new(error)))
    }

    fn sweep(&self, age: Duration) -> Result<Swept, StoreError> {
        let swept = self.files.sweep(&|| self.named(), age);
        swept.map_err(|error| StoreError::Failed(Box::new(error)))
    }

    fn named(&self) -> io::Result<HashSet<Digest>> {
        let packages = self.store.packages().map_err(io::Error::other)?;
        Ok(packages.into_iter().collect())
    }

    /// The numbers of what the rule does not keep.
    fn surplus(&self, function: &Function, rule: Rule) -> Result<Vec<u32>, StoreError> {
        let name = &function.name;
        let (Ok(traffic), Ok(aliases)) = (self.store.traffic(name), self.store.aliases(name))
        else {
            // It was deleted meanwhile.
            return Ok(Vec::new());
        };
        let mut revisions = self.store.revisions(name)?;
        revisions.retain(|it| it.collected_ms.is_none());
        let before = before(&revisions, traffic.primary());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = now.unwrap_or_default().saturating_sub(rule.age);
        let used = |it: &Revision| {
            traffic.revisions().any(|number| number == it.number)
                || aliases.iter().any(|(_, number)| *number == it.number)
                || it.number == function.latest
                || Some(it.number) == before
        };
        let recent = |it: &Revision| {
            let last = it.routed_ms.unwrap_or(0).max(it.created_ms);
            Duration::from_millis(last) >= since
        };
        let surplus = revisions.iter().enumerate().filter(|(place, it)| {
            let kept = *place < rule.revisions && recent(it);
            !kept && !used(it)
        });
        Ok(surplus.map(|(_, it)| it.number).collect())
    }
}

/// What [`Store::roll_back`] would choose, of the kept revisions, the newest first.
fn before(revisions: &[Revision], primary: Option<u32>) -> Option<u32> {
    let earlier = |it: &&Revision| it.routed_ms.is_some() && Some(it.number) < primary;
    revisions.iter().find(earlier).map(|it| it.number)
}

/// Settings are no secrets, but nobody else's business; SQLite gives its journals the same mode.
fn make_private(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.open(file).map(drop)
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({})", self.files.root().display())
    }
}
