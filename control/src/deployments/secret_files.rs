//! Secrets that instances get as files.
//!
//! They are in memory only, on a tmpfs, in a directory of this gateway's own; each is readable by the
//! user that the function runs as and nobody else. The name changes with the version, so that a file
//! never changes under a program.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stoker_registry::Secret;
use stoker_scaler::spawner::account;

/// Where a tmpfs is looked for.
const PLACES: [&str; 2] = ["/run", "/dev/shm"];
/// `TMPFS_MAGIC` of statfs(2).
const TMPFS: u64 = 0x0102_1994;
/// A file that nothing names may be of a function that is only being tried.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The files of one gateway.
#[derive(Clone, Debug)]
pub(super) struct SecretFiles {
    /// Of the directory, in each of the places.
    name: String,
    places: Vec<PathBuf>,
}

impl SecretFiles {
    /// Those of the gateway with this registry.
    pub(super) fn new(registry: &Path) -> SecretFiles {
        let digest = ring::digest::digest(
            &ring::digest::SHA256,
            registry.as_os_str().as_encoded_bytes(),
        );
        let hex = digest.as_ref().iter().take(8);
        let hex: String = hex.map(|byte| format!("{byte:02x}")).collect();
        SecretFiles {
            name: format!("stoker-secrets-{hex}"),
            places: PLACES.map(PathBuf::from).into(),
        }
    }

    /// The file of a secret, for a program that runs as `user`, if that is another one.
    pub(super) fn write(
        &self,
        function: &str,
        secret: &Secret,
        user: Option<&str>,
    ) -> io::Result<PathBuf> {
        let directory = self.base()?.join(function);
        own_directory(&directory)?;
        let info = &secret.info;
        let uid = user.map(account).transpose()?.map(|it| it.uid);
        let whose = uid.map_or_else(String::new, |uid| format!("-{uid}"));
        let name = format!("{}.{}-{}{whose}", info.key, info.version, info.updated_ms);
        let place = directory.join(name);
        if place.exists() {
            return Ok(place);
        }
        let temporary = directory.join(format!(".{}-{}", info.key, std::process::id()));
        fs::remove_file(&temporary).or_else(absent)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&temporary)?;
        file.write_all(secret.value.reveal().as_bytes())?;
        if let Some(uid) = uid {
            chown(&temporary, Some(uid), None)?;
        }
        fs::rename(&temporary, &place)?;
        Ok(place)
    }

    /// Removes what is not among `named`, if it is not young.
    pub(super) fn sweep(&self, named: &HashSet<PathBuf>) {
        for place in &self.places {
            let Ok(functions) = fs::read_dir(place.join(&self.name)) else {
                continue;
            };
            let files = functions
                .flatten()
                .filter_map(|it| fs::read_dir(it.path()).ok());
            for file in files.flatten().flatten() {
                let age = file.metadata().and_then(|it| it.modified());
                let age = age
                    .ok()
                    .and_then(|it| it.elapsed().ok())
                    .unwrap_or_default();
                if age > PATIENCE && !named.contains(&file.path()) {
                    // What stays is tried again next time.
                    fs::remove_file(file.path()).ok();
                }
            }
        }
    }

    fn base(&self) -> io::Result<PathBuf> {
        let mut last = None;
        for place in self.places.iter().filter(|place| is_tmpfs(place)) {
            let base = place.join(&self.name);
            match own_directory(&base) {
                Ok(()) => return Ok(base),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::other(
                "neither /run nor /dev/shm is a tmpfs, where it would be in memory only",
            )
        }))
    }
}

fn is_tmpfs(path: &Path) -> bool {
    let found = rustix::fs::statfs(path);
    found.is_ok_and(|found| u64::try_from(found.f_type).unwrap_or_default() == TMPFS)
}

/// Makes it, or sees that it is ours and no link that somebody else has put there.
fn own_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o711).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let metadata = fs::symlink_metadata(path)?;
            let ours = metadata.uid() == rustix::process::geteuid().as_raw();
            let private = metadata.mode() & 0o022 == 0;
            match metadata.is_dir() && ours && private {
                true => Ok(()),
                false => Err(io::Error::other(format!(
                    "{} is not a directory of the gateway's own",
                    path.display()
                ))),
            }
        }
        made => made,
    }
}

fn absent(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use stoker_registry::{Place, SecretInfo, SecretValue};

    use super::*;

    #[test]
    fn only_their_user_reads_them() {
        let files = SecretFiles::new(Path::new(&format!("/nowhere/{}", std::process::id())));
        let Ok(base) = files.base() else {
            eprintln!("skipped: there is no tmpfs to write to");
            return;
        };
        let secret = |version: u32, value: &str| Secret {
            info: SecretInfo {
                key: "KEY".to_owned(),
                place: Place::File,
                version,
                updated_ms: 1,
                updated_by: "test".to_owned(),
            },
            value: SecretValue::new(value.to_owned()),
        };
        let first = files.write("f", &secret(1, "one"), None).unwrap();
        let second = files.write("f", &secret(2, "two"), None).unwrap();
        assert_eq!(files.write("f", &secret(1, "one"), None).unwrap(), first);
        assert_eq!(fs::read_to_string(&first).unwrap(), "one");
        assert_eq!(fs::read_to_string(&second).unwrap(), "two");
        let mode = fs::metadata(&first).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        assert!(
            files
                .write("f", &secret(1, "x"), Some("no-such-user"))
                .is_err()
        );
        files.sweep(&HashSet::new());
        assert!(first.exists(), "it is young");
        fs::remove_dir_all(&base).unwrap();
        std::os::unix::fs::symlink("/tmp", &base).unwrap();
        let refused = files.base();
        fs::remove_file(&base).unwrap();
        assert!(refused.is_err() || refused.unwrap() != base);
    }
}
