//! The steps of one publish, in the order that makes it safe.

use std::sync::Arc;
use std::time::Instant;

use stoker_config::{FunctionSpec, PackagesSpec};
use stoker_gateway::Snapshot;
use stoker_package::{Kind, Limits, Summary, check_and_unpack, sync_tree};
use stoker_registry::{
    ArchiveKind, Incoming, NewRevision, Package, Pin, Registry, Revision, StoreError,
};
use tokio::task::spawn_blocking;

use super::{Proof, PublishError, PublishOptions, Published, Publisher, check, prove};
use crate::build::build;
use crate::deployments::dress;

/// Publishes the archive of `incoming`.
pub(super) async fn publish(
    publisher: &Publisher,
    name: &str,
    incoming: Incoming,
    options: PublishOptions,
) -> Result<Published, PublishError> {
    let registry = Arc::clone(publisher.registry()?);
    if let Some(errors) = publisher.reloader.errors() {
        let errors = errors.iter().map(ToString::to_string).collect();
        return Err(PublishError::Files(errors));
    }
    let snapshot = publisher.gateway.snapshot();
    check::name(name, &snapshot)?;
    let (aside, seen) = (Arc::clone(&registry), Arc::clone(&snapshot));
    let owned = name.to_owned();
    let unpacked = blocking(move || Unpacked::check(&aside, (&owned, incoming), &seen)).await?;
    let build = match unpacked.is_kept {
        true => None,
        false => build(&snapshot.gateway, &unpacked.spec, &unpacked.incoming.tree()).await?,
    };
    let (aside, built_bytes) = (Arc::clone(&registry), build.as_ref().map(|it| it.bytes));
    let candidate = blocking(move || unpacked.keep(&aside, &snapshot, built_bytes)).await?;
    let result = finish(publisher, &registry, (name, &candidate), options).await;
    let result = result.map(|published| Published { build, ..published });
    if result.is_err() {
        // What cannot be removed now is removed when old revisions are collected.
        let aside = Arc::clone(&registry);
        let package = candidate.package;
        drop(candidate);
        blocking(move || Ok(aside.discard(&package)?)).await.ok();
    }
    result
}

/// From files that are kept to a revision that serves.
async fn finish(
    publisher: &Publisher,
    registry: &Arc<Registry>,
    (name, candidate): (&str, &Candidate),
    options: PublishOptions,
) -> Result<Published, PublishError> {
    let begun = Instant::now();
    let proved = match &options.proof {
        Proof::None => None,
        proof => {
            let (aside, spec, owned) = (
                Arc::clone(registry),
                candidate.spec.clone(),
                name.to_owned(),
            );
            let spec = blocking(move || Ok(dress(&aside, &owned, spec)?)).await?;
            prove::prove(publisher, spec, proof).await?;
            Some(begun.elapsed())
        }
    };
    let new = NewRevision {
        function: name.to_owned(),
        package: candidate.package,
        settings: None,
        manifest: candidate.manifest.clone(),
        author: options.author,
        shift: options.shift,
    };
    let aside = Arc::clone(registry);
    let revision: Revision = blocking(move || Ok(aside.store().publish(new)?)).await?;
    // It is published from here on, whatever happens.
    let hindered = publisher.enforce().await.err();
    let hindered = hindered.or_else(|| unserved(publisher, &revision));
    Ok(Published {
        revision,
        files: candidate.summary.files,
        total_bytes: candidate.summary.total_bytes,
        build: None,
        proved,
        hindered,
    })
}

/// Why a revision that was put in force is not served.
fn unserved(publisher: &Publisher, revision: &Revision) -> Option<String> {
    let snapshot = publisher.gateway.snapshot();
    let known = snapshot.functions.contains_key(revision.function.as_str());
    (!known).then(|| "it was left out, for a reason that is in the gateway's log".to_owned())
}

/// A package that was checked, in a place that goes with this.
struct Unpacked {
    incoming: Incoming,
    package: Package,
    summary: Summary,
    manifest: String,
    /// With its code in `incoming`.
    spec: FunctionSpec,
    /// The same package was published before, and its code is there.
    is_kept: bool,
    /// From here on nobody removes what has its digest.
    pin: Pin,
}

/// A package whose files are on disk for good, and which no revision names yet.
struct Candidate {
    package: Package,
    summary: Summary,
    manifest: String,
    /// With its code at its final place.
    spec: FunctionSpec,
    _pin: Pin,
}

impl Unpacked {
    fn check(
        registry: &Registry,
        (name, incoming): (&str, Incoming),
        snapshot: &Snapshot,
    ) -> Result<Unpacked, PublishError> {
        let archive = incoming.archive();
        let files = registry.files();
        let tree = incoming.tree();
        let summary = check_and_unpack(&archive, &tree, &limits(&snapshot.gateway.packages))?;
        let manifest = check::manifest(&tree)?;
        let spec = check::function((name, &tree), &manifest, snapshot)?;
        let package = package(&summary)?;
        let pin = files.pin(package.digest);
        let is_kept = files.code(package.digest).is_dir();
        if !is_kept {
            room(registry, snapshot, package.bytes + summary.total_bytes)?;
        }
        Ok(Unpacked {
            is_kept,
            incoming,
            package,
            summary,
            manifest,
            spec,
            pin,
        })
    }

    fn keep(
        self,
        registry: &Registry,
        snapshot: &Snapshot,
        built_bytes: Option<u64>,
    ) -> Result<Candidate, PublishError> {
        if let Some(bytes) = built_bytes {
            room(registry, snapshot, self.package.bytes + bytes)?;
            // What was unpacked is on disk; what was built may not be.
            sync_tree(&self.incoming.tree())?;
        }
        let (files, digest) = (registry.files(), self.package.digest);
        files.keep_package(&self.incoming, &self.package)?;
        files.keep_code(&self.incoming, digest)?;
        let place = (&*self.spec.name, &*files.code(digest));
        Ok(Candidate {
            spec: check::function(place, &self.manifest, snapshot)?,
            package: self.package,
            summary: self.summary,
            manifest: self.manifest,
            _pin: self.pin,
        })
    }
}

/// Whether there is room for so much more.
fn room(registry: &Registry, snapshot: &Snapshot, more_bytes: u64) -> Result<(), PublishError> {
    let most = snapshot.gateway.registry.max_bytes;
    let bytes = registry.files().bytes()?.saturating_add(more_bytes);
    match bytes <= most {
        true => Ok(()),
        false => Err(PublishError::Full(bytes, most)),
    }
}

/// What a package may come to.
fn limits(spec: &PackagesSpec) -> Limits {
    Limits {
        archive_bytes: spec.archive_bytes,
        total_bytes: spec.total_bytes,
        ratio: spec.ratio,
        entries: spec.entries,
        path_bytes: spec.path_bytes,
        depth: spec.depth,
        file_bytes: spec.file_bytes,
    }
}

fn package(summary: &Summary) -> Result<Package, PublishError> {
    let digest = summary.digest.parse();
    Ok(Package {
        digest: digest.map_err(|error| StoreError::Failed(Box::new(error)))?,
        kind: match summary.kind {
            Kind::Zip => ArchiveKind::Zip,
            Kind::TarGz => ArchiveKind::TarGz,
        },
        bytes: summary.archive_bytes,
    })
}

/// On a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PublishError> + Send + 'static,
) -> Result<T, PublishError> {
    let ended = |_| PublishError::Unavailable("publishing failed within".to_owned());
    spawn_blocking(work).await.map_err(ended)?
}
