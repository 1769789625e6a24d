//! The file of keys: whole before, whole after, whatever happens in between.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::table::{Hash, hash, hex, unhex};
use super::{KeyInfo, KeyScope};

/// A million keys are less.
const LARGEST_FILE: u64 = 512 << 20;
const VERSION: u32 = 1;

/// A key as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) name: String,
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(with = "digits")]
    #[serde(rename = "sha256")]
    pub(super) hash: Hash,
    pub(super) created: u64,
    #[serde(default)]
    pub(super) expires: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    Function,
    Host,
    Master,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    keys: Vec<Record>,
}

#[derive(Serialize)]
struct ContentRef<'a> {
    version: u32,
    keys: &'a [Record],
}

impl Record {
    pub(super) fn new(
        (id, name): (String, &str),
        scope: KeyScope,
        (created, expires): (u64, Option<u64>),
        secret: &str,
    ) -> Self {
        let (scope, function) = match scope {
            KeyScope::Function(function) => (Scope::Function, Some(function.to_string())),
            KeyScope::Host => (Scope::Host, None),
            KeyScope::Master => (Scope::Master, None),
        };
        Record {
            id,
            name: name.to_owned(),
            scope,
            function,
            hash: hash(secret),
            created,
            expires,
        }
    }

    pub(super) fn scope(&self) -> KeyScope {
        match self.scope {
            Scope::Function => {
                KeyScope::Function(self.function.as_deref().unwrap_or_default().into())
            }
            Scope::Host => KeyScope::Host,
            Scope::Master => KeyScope::Master,
        }
    }

    pub(super) fn info(&self) -> KeyInfo {
        KeyInfo {
            id: self.id.clone(),
            name: self.name.clone(),
            scope: self.scope(),
            created: self.created,
            expires: self.expires,
        }
    }

    pub(super) fn is_valid(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    pub(super) fn is_named(&self, scope: &KeyScope, name: &str) -> bool {
        self.name == name && self.scope() == *scope
    }
}

/// Without a file there are no keys.
pub(super) fn read(path: &Path) -> io::Result<Vec<Record>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    // Hashes only, and yet nobody else's business.
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    let mut text = String::new();
    file.take(LARGEST_FILE).read_to_string(&mut text)?;
    parse(&text)
}

/// What a file holds.
pub(super) fn parse(text: &str) -> io::Result<Vec<Record>> {
    let content: Content = serde_json::from_str(text)?;
    if content.version != VERSION {
        let text = format!("it has the version {}, not {VERSION}", content.version);
        return Err(io::Error::other(text));
    }
    let whole = |record: &Record| (record.scope == Scope::Function) == record.function.is_some();
    if !content.keys.iter().all(whole) {
        return Err(io::Error::other(
            "a key of scope function must name one, and no other may",
        ));
    }
    // Revoking one of two would leave the other one valid.
    let mut ids = HashSet::with_capacity(content.keys.len());
    if let Some(twice) = content.keys.iter().find(|record| !ids.insert(&*record.id)) {
        let text = format!("the key {:?} is in it twice", twice.id);
        return Err(io::Error::other(text));
    }
    Ok(content.keys)
}

/// A crash leaves either the former file or this one, never a part of one.
pub(super) fn write(path: &Path, records: &[Record]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    fs::create_dir_all(directory)?;
    let text = encode(records)?;
    let temporary = path.with_extension("json.new");
    // What an interrupted write left may have other permissions.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()
}

/// The whole text of a file.
pub(super) fn encode(records: &[Record]) -> io::Result<Vec<u8>> {
    let content = ContentRef {
        version: VERSION,
        keys: records,
    };
    let mut text = serde_json::to_vec(&content)?;
    text.push(b'\n');
    Ok(text)
}

mod digits {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Hash, hex, unhex};

    pub(super) fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        unhex(&text).ok_or_else(|| D::Error::custom("a SHA-256 is 64 hexadecimal digits"))
    }
}
