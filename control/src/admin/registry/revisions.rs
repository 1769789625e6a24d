//! Revisions as they were published.

use std::io::Read as _;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use stoker_registry::{ArchiveKind, Revision, Store, StoreError, Traffic};
use tokio::sync::mpsc;

use super::super::pieces::Pieces;
use super::super::problem::{Kind, Problem};
use super::{App, aside, ask, change, code, noted};
use crate::wire::{RevisionDetail, RevisionSummary};

/// Of a package on its way.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces on their way to a client that is slow.
const PIECES: usize = 4;

pub(in crate::admin) async fn list(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Vec<RevisionSummary>>, Problem> {
    let all = ask(&app, &name, |store, name| {
        let told = Told::of(store, name)?;
        let revisions = store.revisions(name)?;
        Ok(revisions.iter().map(|it| told.summary(it)).collect())
    });
    all.await.map(Json)
}

pub(in crate::admin) async fn show(
    State(app): State<Arc<App>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Json<RevisionDetail>, Problem> {
    let number = revision_number(&name, &number)?;
    let registry = app.registry()?;
    let detail = ask(&app, &name, move |store, name| {
        let told = Told::of(store, name)?;
        let revision = store.revision(name, number)?;
        let directory = registry.files().code(revision.digest());
        let (files, files_cut) = code::list(&directory);
        Ok(RevisionDetail {
            summary: told.summary(&revision),
            settings: revision.settings,
            manifest: revision.manifest,
            files,
            files_cut,
        })
    });
    detail.await.map(Json)
}

/// The package as it was sent.
pub(in crate::admin) async fn package(
    State(app): State<Arc<App>>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let number = revision_number(&name, &number)?;
    let place = app.export_place()?;
    let revision = ask(&app, &name, move |store, name| store.revision(name, number)).await?;
    let kind = revision.package.kind;
    let path = app.registry()?.files().package(revision.digest(), kind);
    let opened = aside(move || std::fs::File::open(path)).await?;
    let mut file = opened.map_err(|_| {
        let detail = format!("the package of revision {number} is not kept any more");
        Problem::new(Kind::UnknownRevision, detail)
    })?;
    let (sender, pieces) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; PIECE_BYTES];
        // An error here breaks the answer off, whose length was told.
        while let Ok(count @ 1..) = file.read(&mut piece) {
            let sent = sender.blocking_send(Bytes::copy_from_slice(&piece[..count]));
            if sent.is_err() {
                break;
            }
        }
        drop(place);
    });
    let content = match kind {
        ArchiveKind::Zip => "application/zip",
        ArchiveKind::TarGz => "application/gzip",
    };
    let extension = kind.extension();
    let named = format!("attachment; filename=\"{name}-r{number}.{extension}\"");
    let headers = [
        (CONTENT_TYPE, content.to_owned()),
        (CONTENT_LENGTH, revision.package.bytes.to_string()),
        (CONTENT_DISPOSITION, named),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::new(Pieces(pieces))).into_response())
}

/// Forgets the function with all its revisions.
pub(in crate::admin) async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    change(&app, &name, |store, name| store.delete_function(name)).await?;
    Ok(noted(format!("{name} is gone"), StatusCode::NO_CONTENT))
}

/// The number of a revision as it is written in a path.
pub(in crate::admin) fn revision_number(name: &str, text: &str) -> Result<u32, Problem> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| plain && *number > 0);
    number.ok_or_else(|| {
        let shown: String = text.chars().take(100).collect();
        let detail =
            format!("the function {name:?} has no revision {shown:?}; they are 1, 2, 3...");
        Problem::new(Kind::UnknownRevision, detail)
    })
}

/// What is told of each revision besides what it is.
pub(in crate::admin) struct Told {
    traffic: Traffic,
    aliases: Vec<(String, u32)>,
}

impl Told {
    pub(in crate::admin) fn of(store: &dyn Store, name: &str) -> Result<Told, StoreError> {
        Ok(Told {
            traffic: store.traffic(name)?,
            aliases: store.aliases(name)?,
        })
    }

    pub(in crate::admin) fn summary(&self, revision: &Revision) -> RevisionSummary {
        let aliases = self.aliases.iter();
        let aliases = aliases.filter(|(_, number)| *number == revision.number);
        RevisionSummary {
            function: revision.function.clone(),
            number: revision.number,
            digest: revision.digest().to_string(),
            kind: revision.package.kind.extension().to_owned(),
            package_bytes: revision.package.bytes,
            message: revision.message.clone(),
            created_ms: revision.created_ms,
            created_by: revision.created_by.clone(),
            percent: self.traffic.percent(revision.number),
            aliases: aliases.map(|(alias, _)| alias.clone()).collect(),
            routed_ms: revision.routed_ms,
            collected: revision.collected_ms.is_some(),
        }
    }
}
