//! The policies that a function had, apart from the versions of its program.
//!
//! A policy that was tried in the shadow and promoted is in force in place of the manifest's
//! `[scaling]`, until it is rolled back or the manifest says something else of scaling: the newest
//! word stands. What was in force when is kept in the state directory, a file for each function.
//!
//! It is the function's, whichever of its revisions get requests: it holds for all that were
//! published before it, and for later ones that say the same of scaling as the one that it was put in
//! force over. One that says something else is the newer word, for itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use stoker_config::{Changes, Config, Deployment, FunctionSpec};

use crate::wire::{PolicyHistory, PolicyVersion};

/// So many versions are remembered, the newest.
const MOST: usize = 100;

const MANIFEST: &str = "manifest";
const PROMOTED: &str = "promoted";
const ROLLED_BACK: &str = "rolled-back";
const SET: &str = "set";

/// Puts the policies in force that were promoted. What hinders that is said, and then the
/// manifest's own holds.
pub fn apply(config: &mut Config) {
    let directory = directory(&config.gateway.state_dir);
    let Ok(files) = fs::read_dir(&directory) else {
        return;
    };
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    for name in names {
        let Some(name) = name.strip_suffix(".json") else {
            continue;
        };
        let Some(spec) = config.functions.iter_mut().find(|it| &*it.name == name) else {
            continue;
        };
        let mut deployments = config.deployments.iter_mut();
        let applied = match deployments.find(|it| &*it.function == name) {
            None => apply_one(&directory, spec),
            Some(deployment) => apply_to_revisions(&directory, (deployment, spec)),
        };
        if let Err(error) = applied {
            let name = &spec.name;
            config.warnings.push(format!(
                "the promoted policy of {name} is not in force: {error}"
            ));
        }
    }
}

fn apply_one(directory: &Path, spec: &mut Arc<FunctionSpec>) -> Result<(), String> {
    let mut history = load(directory, &spec.name).map_err(|error| error.to_string())?;
    let Some(last) = history.last().filter(|last| !last.info.changes.is_empty()) else {
        return Ok(());
    };
    if !last.holds_for(spec)? {
        let (own, _) = Changes::of_shadow(&spec.manifest)?;
        history.push(version(&history, MANIFEST, Changes::default(), own));
        return save(directory, &spec.name, &mut history).map_err(|error| error.to_string());
    }
    last.put_on(spec)
}

/// Nothing is remembered of what the revisions say: which of them get requests may change at any
/// time, and what was promoted must not depend on it.
fn apply_to_revisions(
    directory: &Path,
    (deployment, primary): (&mut Deployment, &mut Arc<FunctionSpec>),
) -> Result<(), String> {
    let history = load(directory, &deployment.function).map_err(|error| error.to_string())?;
    let Some(last) = history.last().filter(|last| !last.info.changes.is_empty()) else {
        return Ok(());
    };
    let mut problem = Ok(());
    for revision in &mut deployment.revisions {
        let put = match last.holds_for(&revision.spec) {
            Ok(true) => last.put_on(&mut revision.spec),
            other => other.map(drop),
        };
        let number = revision.number;
        if let Err(error) = put {
            problem = Err(format!("revision {number}: {error}"));
        }
        if primary.number == Some(number) {
            *primary = Arc::clone(&revision.spec);
        }
    }
    problem
}

/// What holds in place of the manifest's settings now.
pub(crate) fn active(state_dir: &Path, spec: &FunctionSpec) -> Changes {
    let versions = load(&directory(state_dir), &spec.name).unwrap_or_default();
    let last = versions.last();
    let last = last.filter(|last| last.holds_for(spec).unwrap_or(false));
    let last = last.and_then(|last| changes(&last.info).ok());
    last.unwrap_or_default()
}

/// The revisions among these that were published since with other settings, which hold for them in
/// place of what was put in force.
pub(crate) fn apart<'s>(
    state_dir: &Path,
    revisions: impl Iterator<Item = &'s Arc<FunctionSpec>>,
) -> Vec<u32> {
    let apart = revisions.filter_map(|spec| {
        let versions = load(&directory(state_dir), &spec.name).ok()?;
        let last = versions.last().filter(|it| !it.info.changes.is_empty())?;
        let holds = last.holds_for(spec).unwrap_or(false);
        spec.number.filter(|_| !holds)
    });
    apart.collect()
}

/// The policies that a function had.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn history(state_dir: &Path, spec: &FunctionSpec) -> io::Result<PolicyHistory> {
    let mut versions = load(&directory(state_dir), &spec.name)?;
    if versions.is_empty() {
        let own = Changes::of_shadow(&spec.manifest).unwrap_or_default().0;
        versions.push(first(spec, own));
    }
    Ok(shown(spec, versions))
}

/// Remembers that what is tried is in force from now on, for all revisions up to the `newest` one; to
/// be followed by a reload.
///
/// # Errors
/// In words, if nothing is tried, or it is in force already, or the file cannot be written.
pub(crate) fn promote(
    state_dir: &Path,
    spec: &FunctionSpec,
    newest: Option<u32>,
) -> Result<PolicyHistory, String> {
    let (own, shadow) = Changes::of_shadow(&spec.manifest)?;
    if shadow.is_empty() {
        let name = &spec.name;
        return Err(format!(
            "nothing is tried: the manifest of {name} has no [scaling.shadow]"
        ));
    }
    let directory = directory(state_dir);
    let mut versions = load(&directory, &spec.name).map_err(|error| error.to_string())?;
    if versions.is_empty() {
        versions.push(first(spec, own.clone()));
    }
    let mut next = version(&versions, PROMOTED, shadow, own);
    next.newest = newest;
    if is_in_force(&versions, &next, spec) {
        return Err("what is tried is in force already".to_owned());
    }
    versions.push(next);
    save(&directory, &spec.name, &mut versions).map_err(|error| error.to_string())?;
    Ok(shown(spec, versions))
}

/// Remembers that these settings are in force from now on, with those that were put in force before;
/// to be followed by a reload. They must be valid, and of `[scaling]` only.
///
/// # Errors
/// In words, if that changes nothing, or the file cannot be written.
pub(crate) fn set(
    state_dir: &Path,
    (spec, newest): (&FunctionSpec, Option<u32>),
    changes: &Changes,
) -> Result<PolicyHistory, String> {
    let (own, _) = Changes::of_shadow(&spec.manifest)?;
    let directory = directory(state_dir);
    let mut versions = load(&directory, &spec.name).map_err(|error| error.to_string())?;
    if versions.is_empty() {
        versions.push(version(&[], MANIFEST, Changes::default(), own.clone()));
    }
    let all = active(state_dir, spec).and(changes);
    let mut next = version(&versions, SET, all, own);
    next.newest = newest;
    if is_in_force(&versions, &next, spec) {
        return Err("these settings are in force already".to_owned());
    }
    versions.push(next);
    save(&directory, &spec.name, &mut versions).map_err(|error| error.to_string())?;
    Ok(shown(spec, versions))
}

/// Remembers that the policy before the one in force is in force again, for all revisions up to the
/// `newest` one; to be followed by a reload.
///
/// # Errors
/// In words, if there is none before, or the file cannot be written.
pub(crate) fn roll_back(
    state_dir: &Path,
    spec: &FunctionSpec,
    newest: Option<u32>,
) -> Result<PolicyHistory, String> {
    let directory = directory(state_dir);
    let mut versions = load(&directory, &spec.name).map_err(|error| error.to_string())?;
    let active = versions
        .last()
        .map_or(0, |last| last.info.of.unwrap_or(last.info.number));
    let before = versions.iter().rev().find(|it| it.info.number < active);
    let Some(before) = before else {
        return Err("there is no policy before the one in force".to_owned());
    };
    let (own, _) = Changes::of_shadow(&spec.manifest)?;
    let mut next = version(&versions, ROLLED_BACK, changes(&before.info)?, own);
    next.newest = newest;
    next.info.of = Some(before.info.of.unwrap_or(before.info.number));
    versions.push(next);
    save(&directory, &spec.name, &mut versions).map_err(|error| error.to_string())?;
    Ok(shown(spec, versions))
}

/// One policy, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    #[serde(flatten)]
    info: PolicyVersion,
    /// What the manifest said of scaling by then.
    own: String,
    /// The newest revision by then, if the function was published.
    #[serde(default)]
    newest: Option<u32>,
}

impl Version {
    /// Whether it is the newest word on a function, or on this revision of it.
    fn holds_for(&self, spec: &FunctionSpec) -> Result<bool, String> {
        if spec
            .number
            .zip(self.newest)
            .is_some_and(|(it, newest)| it <= newest)
        {
            return Ok(true);
        }
        let (own, _) = Changes::of_shadow(&spec.manifest)?;
        Ok(own == self.own)
    }

    fn put_on(&self, spec: &mut Arc<FunctionSpec>) -> Result<(), String> {
        let changed = changes(&self.info)?.apply_to(spec);
        let scaling = changed.map_err(|errors| errors.to_string())?.scaling;
        if scaling != spec.scaling {
            Arc::make_mut(spec).scaling = scaling;
        }
        Ok(())
    }
}

/// Whether what is to be put in force is so already.
fn is_in_force(versions: &[Version], next: &Version, spec: &FunctionSpec) -> bool {
    let same = |last: &&Version| last.info.changes == next.info.changes;
    let last = versions.last().filter(same);
    last.is_some_and(|last| last.holds_for(spec).unwrap_or(false))
}

/// What the manifest says, since it was written.
fn first(spec: &FunctionSpec, own: String) -> Version {
    let mut version = version(&[], MANIFEST, Changes::default(), own);
    let written = fs::metadata(&spec.manifest).and_then(|file| file.modified());
    if let Ok(written) = written {
        version.info.at_ms = version.info.at_ms.min(unix_millis(written));
    }
    version
}

fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn version(before: &[Version], source: &str, changes: Changes, own: String) -> Version {
    Version {
        info: PolicyVersion {
            number: before.last().map_or(1, |last| last.info.number + 1),
            at_ms: unix_millis(SystemTime::now()),
            source: source.to_owned(),
            of: None,
            changes: changes.iter().collect(),
        },
        own,
        newest: None,
    }
}

fn changes(info: &PolicyVersion) -> Result<Changes, String> {
    let mut changes = Changes::default();
    for (key, value) in &info.changes {
        changes.set(key, value)?;
    }
    Ok(changes)
}

fn shown(spec: &FunctionSpec, versions: Vec<Version>) -> PolicyHistory {
    PolicyHistory {
        function: spec.name.to_string(),
        versions: versions.into_iter().map(|version| version.info).collect(),
        apart: Vec::new(),
    }
}

fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join("policies")
}

/// Oldest first; empty if there are none.
fn load(directory: &Path, name: &str) -> io::Result<Vec<Version>> {
    let file = directory.join(format!("{name}.json"));
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| {
            let file = file.display();
            io::Error::other(format!("{file} is not a history of policies: {error}"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// In one step, so that no gateway ever reads half of it.
fn save(directory: &Path, name: &str, versions: &mut Vec<Version>) -> io::Result<()> {
    let surplus = versions.len().saturating_sub(MOST);
    versions.drain(..surplus);
    fs::create_dir_all(directory)?;
    let text = serde_json::to_vec_pretty(versions)?;
    let temporary = directory.join(format!("{name}.new"));
    fs::write(&temporary, text)?;
    fs::rename(&temporary, directory.join(format!("{name}.json")))
}

#[cfg(test)]
mod tests;
