//! What a package must be, before anything of it is kept or run.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use stoker_config::{FunctionSpec, MANIFEST, conflicts, parse_function};
use stoker_gateway::Snapshot;
use stoker_registry::is_function_name;

use super::PublishError;

/// Of a manifest.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// Whether a function may be published under this name.
pub(super) fn name(name: &str, snapshot: &Snapshot) -> Result<(), PublishError> {
    if !is_function_name(name) {
        return Err(PublishError::Name(name.to_owned()));
    }
    let taken = snapshot.functions.get(name);
    let of_files = taken.filter(|it| it.spec.number.is_none());
    of_files.map_or(Ok(()), |it| {
        let manifest = it.spec.manifest.clone();
        Err(PublishError::Taken(name.to_owned(), manifest))
    })
}

/// The text of the manifest at the top of a tree.
pub(super) fn manifest(tree: &Path) -> Result<String, PublishError> {
    let file = match File::open(tree.join(MANIFEST)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PublishError::NoManifest(elsewhere(tree)));
        }
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(LARGEST_MANIFEST + 1).read_to_end(&mut bytes)?;
    let wrong = |why: &str| PublishError::Manifest(vec![format!("{MANIFEST}: {why}")]);
    if bytes.len() as u64 > LARGEST_MANIFEST {
        return Err(wrong("it has more than the 1MiB that is allowed"));
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))
}

/// A manifest one directory further down, as archives of a directory have it.
fn elsewhere(tree: &Path) -> Option<String> {
    let below = fs::read_dir(tree).ok()?.filter_map(Result::ok);
    let mut found = below.filter(|entry| entry.path().join(MANIFEST).is_file());
    let directory = found.next()?.file_name();
    Some(format!("{}/{MANIFEST}", directory.to_string_lossy()))
}

/// The function of a manifest, whose files are in `tree`.
pub(super) fn function(
    (name, tree): (&str, &Path),
    text: &str,
    snapshot: &Snapshot,
) -> Result<FunctionSpec, PublishError> {
    let spec = parse_function(&tree.join(MANIFEST), text, name);
    let spec = spec.map_err(|errors| {
        // Where it lies for now says nothing to whoever sent it.
        let place = format!("{}/", tree.display());
        let line = |error: &dyn ToString| error.to_string().replace(&place, "");
        PublishError::Manifest(errors.iter().map(|error| line(error)).collect())
    })?;
    let others = snapshot.functions.values().map(|it| &*it.spec);
    match conflicts(&spec, &snapshot.gateway, others) {
        found if found.is_empty() => Ok(spec),
        found => Err(PublishError::Manifest(found)),
    }
}
