//! From what was received to a revision that is in force.

use std::sync::Arc;

use stoker_package::PackageError;
use stoker_registry::{Author, Revision};

use super::super::App;
use super::super::problem::{Kind, Problem};
use super::publish::Options;
use super::receive::Received;
use super::refused;
use crate::deployments::chain;
use crate::publish::{Proof, PublishError, PublishOptions, Published};
use crate::span::span;

/// Checks, keeps and serves it; the revision, and what was done on the way.
pub(super) async fn run(
    app: &Arc<App>,
    name: &str,
    received: Received,
    (author, options): (Author, Options),
) -> Result<(Revision, Vec<String>), Problem> {
    let options = PublishOptions {
        author,
        shift: options.shift,
        proof: match options.prove {
            true => Proof::default(),
            false => Proof::None,
        },
    };
    let publisher = &app.state.publisher;
    let published = publisher.publish(name, received.incoming, options).await;
    let published = published.map_err(|error| problem(app, name, &error))?;
    let notes = notes(&published);
    Ok((published.revision, notes))
}

fn notes(published: &Published) -> Vec<String> {
    let (files, bytes) = (published.files, published.total_bytes);
    let noun = if files == 1 { "file" } else { "files" };
    let unpacked = format!("{files} {noun} of {bytes} bytes together");
    let built = published.build.as_ref().map(|build| {
        let (took, entries, bytes) = (span(build.took), build.entries, build.bytes);
        format!("built within {took}: {entries} files and directories now, of {bytes} bytes")
    });
    let proved = published
        .proved
        .map(|took| format!("started once, and answered within {}", span(took)));
    let hindered = published
        .hindered
        .as_ref()
        .map(|why| format!("it does not serve yet: {why}"));
    [Some(unpacked), built, proved, hindered]
        .into_iter()
        .flatten()
        .collect()
}

fn problem(app: &App, name: &str, error: &PublishError) -> Problem {
    let kind = match error {
        PublishError::Store(error) => return refused(app, name, error),
        PublishError::Busy(_) => Kind::PublishConflict,
        PublishError::Taken(..) => Kind::FunctionConflict,
        PublishError::Name(_) => Kind::InvalidRevision,
        PublishError::Full(..) => Kind::RegistryFull,
        PublishError::Package(PackageError::Refused(_))
        | PublishError::NoManifest(_)
        | PublishError::Manifest(_)
        | PublishError::Build(..) => Kind::InvalidPackage,
        PublishError::Unproven(..) => Kind::Unproven,
        PublishError::Files(_) => Kind::InvalidConfiguration,
        PublishError::Unavailable(_) => Kind::Unavailable,
        PublishError::Package(_) | PublishError::Io(_) => Kind::Internal,
    };
    let detail = match error {
        // The lines say it.
        PublishError::Manifest(_) => "function.toml is not valid".to_owned(),
        error => chain(error),
    };
    Problem::new(kind, detail).with_errors(error.lines().to_vec())
}
