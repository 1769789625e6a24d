//! The key by which secrets are sealed, and the file that holds it.
//!
//! A secret is sealed by ChaCha20-Poly1305 (RFC 8439) under 32 random bytes. Each has a random nonce
//! of 96 bits, and the function's and the secret's name as associated data: what is copied to
//! another row of the database opens no more. Of N secrets ever set under one key, two share a nonce
//! with a chance of about N^2 / 2^97.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::{SecretValue, StoreError};

const KEY_BYTES: usize = 32;

/// The key of a file.
pub struct Key {
    file: PathBuf,
    key: LessSafeKey,
}

impl Key {
    /// Reads the file, or makes it, with mode 0600, if there is none and `make` says so.
    ///
    /// # Errors
    /// If the file cannot be read or made, is open to others than its owner, or does not hold 32
    /// bytes; the error says which.
    pub fn load(file: &Path, make: bool) -> Result<Key, StoreError> {
        let bytes = match read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
                create(file).and_then(|()| read(file))
            }
            other => other,
        };
        let bytes = bytes.map_err(|error| {
            let file = file.display();
            StoreError::Key(format!(
                "the key of the secrets in {file} is not usable: {error}"
            ))
        })?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes.as_slice());
        // It has the right length, which is all that is asked of it.
        let key =
            key.map_err(|_| StoreError::Key("the key of the secrets is not usable".into()))?;
        Ok(Key {
            file: file.to_owned(),
            key: LessSafeKey::new(key),
        })
    }

    /// The value so that only this key reads it, and only as this secret of this function.
    pub(crate) fn seal(
        &self,
        (function, name): (&str, &str),
        value: &SecretValue,
    ) -> Result<Vec<u8>, StoreError> {
        let failed = |_| StoreError::Key("the secret could not be sealed".to_owned());
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(failed)?;
        // With room for the tag, so that no copy of the value is left behind by growing.
        let mut bytes = Zeroizing::new(Vec::with_capacity(value.reveal().len() + 64));
        bytes.extend_from_slice(value.reveal().as_bytes());
        let place = Aad::from(associated(function, name));
        let sealing = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(sealing, place, &mut *bytes)
            .map_err(failed)?;
        Ok([&nonce[..], &bytes[..]].concat())
    }

    /// The value that was sealed.
    pub(crate) fn open(
        &self,
        (function, name): (&str, &str),
        sealed: &[u8],
    ) -> Result<SecretValue, StoreError> {
        let failed = || {
            StoreError::Key(format!(
                "the secret {name} of {function:?} cannot be opened by the key in {}: it was set \
                 under another key, or was changed; give that key's file back or set the secret again",
                self.file.display()
            ))
        };
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let place = Aad::from(associated(function, name));
        let opened = self.key.open_in_place(nonce, place, &mut bytes);
        let opened = opened.map_err(|_| failed())?;
        let text = std::str::from_utf8(opened).map_err(|_| failed())?;
        Ok(SecretValue::new(text.to_owned()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.file.display())
    }
}

/// Names hold no NUL, so no two pairs are the same.
fn associated(function: &str, name: &str) -> Vec<u8> {
    format!("stoker secret 1\0{function}\0{name}").into_bytes()
}

fn read(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let opened = File::open(file)?;
    let open_to_others = opened.metadata()?.mode() & 0o077 != 0;
    if open_to_others {
        return Err(io::Error::other(
            "others than its owner may read or write it; its mode must be 0600",
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
    opened.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() == KEY_BYTES {
        true => Ok(bytes),
        false => Err(io::Error::other("it does not hold exactly 32 bytes")),
    }
}

/// Whole or not at all. If another process makes it at the same time, one of the two stays.
fn create(file: &Path) -> io::Result<()> {
    let directory = file.parent().unwrap_or_else(|| Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    SystemRandom::new()
        .fill(bytes.as_mut_slice())
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    let temporary = file.with_extension(format!("new-{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut made = options.open(&temporary)?;
    made.write_all(bytes.as_slice())?;
    made.sync_all()?;
    // Unlike a rename, a link does not take the place of what is there.
    let linked = fs::hard_link(&temporary, file);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(directory)?.sync_all(),
    }
}
