//! Making a gateway known to the commands of the same user.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::client::advertised_socket;
use crate::sockets::answers;

/// A link to the gateway's admin socket, removed when this is dropped.
#[derive(Debug)]
pub struct Advertisement {
    link: PathBuf,
    socket: PathBuf,
}

/// Links `$XDG_RUNTIME_DIR/stoker/admin.sock` to `socket`, which is absolute and answers or will in
/// a moment, so that commands find it from every directory.
///
/// None if there is no such directory, or if another gateway that answers stands there already:
/// it is a convenience that nothing depends on.
pub fn advertise(socket: &Path) -> Option<Advertisement> {
    advertise_at(advertised_socket()?, socket)
}

fn advertise_at(link: PathBuf, socket: &Path) -> Option<Advertisement> {
    let directory = link.parent()?;
    // The one above is made by the system when the user logs in, or not at all.
    if !directory.is_dir() {
        fs::DirBuilder::new().mode(0o700).create(directory).ok()?;
    }
    let taken = fs::read_link(&link).is_ok_and(|other| other != socket);
    if taken && answers(&link).unwrap_or(true) {
        return None;
    }
    if let Ok(found) = fs::symlink_metadata(&link) {
        // Nobody but us puts links there, and only links are ours to remove.
        found.is_symlink().then(|| fs::remove_file(&link).ok())??;
    }
    symlink(socket, &link).ok()?;
    Some(Advertisement {
        link,
        socket: socket.to_owned(),
    })
}

impl Advertisement {
    /// It is another gateway's from now on.
    pub fn leave(self) {
        std::mem::forget(self);
    }
}

impl Drop for Advertisement {
    fn drop(&mut self) {
        // Another gateway may have taken the place since.
        if fs::read_link(&self.link).is_ok_and(|target| target == self.socket) {
            fs::remove_file(&self.link).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn replaces_the_dead_and_spares_the_living() {
        let root = std::env::temp_dir().join(format!("stka-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let link = root.join("stoker/admin.sock");
        let (first, second) = (root.join("1.sock"), root.join("2.sock"));
        let listener = UnixListener::bind(&first).unwrap();

        let advertised = advertise_at(link.clone(), &first).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), first);
        assert!(advertise_at(link.clone(), &second).is_none());
        drop(listener);
        let other = advertise_at(link.clone(), &second).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), second);
        drop(advertised);
        assert_eq!(fs::read_link(&link).unwrap(), second);
        drop(other);
        assert!(fs::symlink_metadata(&link).is_err());
        assert!(advertise_at(root.join("missing/stoker/admin.sock"), &first).is_none());
        fs::remove_dir_all(&root).unwrap();
    }
}
