use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use stoker_config::{BUILD_USER, BuildsSpec};
use stoker_scaler::spawner::{Account, account};

/// Another user than the gateway's, whom a build runs as.
#[derive(Clone, Debug)]
pub(super) struct Builder {
    pub(super) name: String,
    account: Account,
}

impl Builder {
    /// Whom the gateway file names, or [`BUILD_USER`] for a gateway of root; `None`: the gateway's own
    /// user.
    ///
    /// # Errors
    /// If there is no such user, or this process cannot become it.
    pub(super) fn of(spec: &BuildsSpec) -> io::Result<Option<Builder>> {
        let own = rustix::process::geteuid();
        let name = match &spec.user {
            Some(name) => name,
            None if own.is_root() => BUILD_USER,
            None => return Ok(None),
        };
        let wrong = |why: &str| io::Error::other(format!("build.user = {name:?}: {why}"));
        let account = account(name).map_err(|error| wrong(&error.to_string()))?;
        if account.uid == own.as_raw() {
            return Ok(None);
        }
        if !own.is_root() {
            return Err(wrong(
                "only a gateway of root can start programs as another user; leave it out, or name \
                 the gateway's own",
            ));
        }
        Ok(Some(Builder {
            name: name.to_owned(),
            account,
        }))
    }

    /// Gives it a directory with all that is in it, and sees that it can get there.
    ///
    /// # Errors
    /// If that cannot be done, or a directory on the way there lets nobody else through.
    pub(super) fn take(&self, directory: &Path) -> io::Result<()> {
        self.reaches(directory)?;
        let Account { uid, gid } = self.account;
        for path in innermost_first(directory)? {
            lchown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// Gives an entry back to the gateway's user.
    ///
    /// # Errors
    /// If it is another user's: whoever was let in may have made it a second name of such a file.
    pub(super) fn give_back(&self, path: &Path, owner: u32) -> io::Result<()> {
        if owner != self.account.uid {
            return Err(io::Error::other(format!(
                "it belongs to user {owner}, not to {}",
                self.name
            )));
        }
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        lchown(path, Some(user.as_raw()), Some(group.as_raw()))
    }

    /// By the rights of everybody, as those of groups are hardly what is meant.
    fn reaches(&self, directory: &Path) -> io::Result<()> {
        let real = fs::canonicalize(directory)?;
        for above in real.ancestors().skip(1) {
            if fs::metadata(above)?.permissions().mode() & 0o001 == 0 {
                return Err(io::Error::other(format!(
                    "the user {} that builds run as cannot get to {}, for {} lets only its owner and \
                     group through: move state-dir, or name another user in build.user",
                    self.name,
                    real.display(),
                    above.display()
                )));
            }
        }
        Ok(())
    }
}

/// A directory and all that is below it, each directory after what is in it: once it is another user's,
/// that user can put something else in the place of what is in it.
fn innermost_first(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut left, mut found) = (vec![directory.to_owned()], Vec::new());
    while let Some(path) = left.pop() {
        if fs::symlink_metadata(&path)?.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
        found.push(path);
    }
    found.reverse();
    Ok(found)
}
