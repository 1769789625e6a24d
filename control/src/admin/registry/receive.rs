//! A package on its way in: to a file, within bounds, as fast as it comes.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use stoker_registry::Incoming;
use tokio::sync::mpsc;

use super::super::problem::{Kind, Problem};
use super::super::query::json_body_of;
use super::super::{App, aside};
use crate::wire::PublishRequest;

/// Pieces that the disk has not taken yet.
const PIECES: usize = 16;
/// For the next piece of a package.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// Of a function that is sent as JSON, which is held in memory.
const JSON_BYTES: usize = 16 << 20;
/// For a place among those who send a package.
const PLACE_TIMEOUT: Duration = Duration::from_secs(60);

const MANIFEST: &str = stoker_config::MANIFEST;

/// What came in.
pub(in crate::admin) struct Received {
    /// With the archive in it.
    pub(in crate::admin) incoming: Incoming,
    /// What was said of it inside.
    pub(in crate::admin) message: Option<String>,
    /// The archive's length.
    pub(in crate::admin) bytes: u64,
}

/// Takes an archive, or a function as JSON, which is made one.
pub(in crate::admin) async fn receive(
    app: &Arc<App>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Problem> {
    let most_bytes = app.state.gateway.snapshot().gateway.packages.archive_bytes;
    let waiting = tokio::time::timeout(PLACE_TIMEOUT, app.uploads.acquire()).await;
    let Ok(Ok(_place)) = waiting else {
        let detail = "too many packages are coming in already; try again after them";
        return Err(Problem::new(Kind::Busy, detail));
    };
    let registry = app.registry()?;
    let incoming = aside(move || registry.files().incoming()).await?;
    let incoming = incoming.map_err(|error| unwritable(&error))?;
    let content = headers.get(CONTENT_TYPE).map(|it| it.as_bytes());
    let content = content.unwrap_or_default().to_ascii_lowercase();
    if content.starts_with(b"application/json") {
        return texts(incoming, body).await;
    }
    if content.starts_with(b"text/") || content.starts_with(b"multipart/") {
        let detail = "send the archive itself, as application/zip or application/gzip, or a \
                      function as application/json";
        return Err(Problem::new(Kind::UnsupportedMedia, detail));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if length.is_some_and(|it| it.parse::<u64>().is_ok_and(|length| length > most_bytes)) {
        return Err(too_long(most_bytes));
    }
    let bytes = write(incoming.archive(), body, most_bytes).await?;
    if bytes == 0 {
        let detail = "the body is empty; send an archive, as application/zip or application/gzip";
        return Err(Problem::new(Kind::InvalidPackage, detail));
    }
    Ok(Received {
        incoming,
        message: None,
        bytes,
    })
}

async fn texts(incoming: Incoming, body: Body) -> Result<Received, Problem> {
    let form = "send {\"manifest\": \"name = ...\", \"files\": {\"main.py\": \"...\"}, \
                \"message\": \"...\"}";
    let request: PublishRequest = json_body_of(body, form, JSON_BYTES).await?;
    let mut texts = request.files;
    if texts
        .insert(MANIFEST.to_owned(), request.manifest)
        .is_some()
    {
        let detail = format!("{MANIFEST} is there twice: as the manifest, and among the files");
        return Err(Problem::new(Kind::InvalidPackage, detail));
    }
    let archive = incoming.archive();
    let made = aside(move || {
        stoker_package::bundle(&texts, &archive)?;
        Ok::<_, io::Error>(archive.metadata()?.len())
    });
    let bytes = made.await?.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Problem::new(Kind::InvalidPackage, error.to_string()),
        _ => unwritable(&error),
    })?;
    Ok(Received {
        incoming,
        message: Some(request.message).filter(|message| !message.is_empty()),
        bytes,
    })
}

/// Writes the body to a file; its length.
async fn write(path: PathBuf, mut body: Body, most_bytes: u64) -> Result<u64, Problem> {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(PIECES);
    let writing = tokio::task::spawn_blocking(move || {
        let mut file = File::create(path)?;
        while let Some(piece) = pieces.blocking_recv() {
            file.write_all(&piece)?;
        }
        file.flush()
    });
    let mut bytes = 0;
    loop {
        let frame = tokio::time::timeout(PIECE_TIMEOUT, body.frame()).await;
        let frame = frame.map_err(|_| {
            let seconds = PIECE_TIMEOUT.as_secs();
            let detail = format!("no more of the package came for {seconds} seconds");
            Problem::new(Kind::RequestTimeout, detail)
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            let detail = format!("the package did not come whole: {error}");
            Problem::new(Kind::BadRequest, detail)
        })?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        bytes += piece.len() as u64;
        if bytes > most_bytes {
            return Err(too_long(most_bytes));
        }
        if sender.send(piece).await.is_err() {
            // What hinders the writer, it says itself.
            break;
        }
    }
    drop(sender);
    match writing.await {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(error)) => Err(unwritable(&error)),
        Err(error) => Err(Problem::new(Kind::Internal, error.to_string())),
    }
}

fn too_long(most_bytes: u64) -> Problem {
    let detail = format!("a package may have {most_bytes} bytes, as packages.archive-bytes says");
    Problem::new(Kind::BodyTooLarge, detail)
}

fn unwritable(error: &io::Error) -> Problem {
    let detail = format!("the package cannot be kept: {error}");
    Problem::new(Kind::Internal, detail)
}
