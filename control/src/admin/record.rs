//! The record of what happened, as a trace or as it is.

mod csv;
mod lines;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use stoker_scaler::record::{Chunk, RecordSettings};
use tokio::sync::mpsc;

use super::App;
use super::pieces::Pieces;
use super::problem::{Problem, find};
use super::query::{RecordFormat, RecordQuery, query};

/// Pieces on their way to a client that is slow.
const PIECES: usize = 4;
/// About the size of one.
const PIECE_BYTES: usize = 64 << 10;

pub(super) async fn export(
    State(app): State<Arc<App>>,
    asked: Result<Query<RecordQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = query(asked)?;
    let (format, since) = (asked.format()?, asked.since()?);
    let place = app.export_place()?;
    if let Some(name) = &asked.function {
        // One of a function that is gone is remembered too.
        let known = find(&app.state.gateway.snapshot(), name).map(drop);
        if known.is_err()
            && app
                .state
                .gateway
                .scaler()
                .recorded(Some(name), 0)
                .is_empty()
        {
            known?;
        }
    }
    let since = since.map_or(0, RecordSettings::ago);
    let (sender, pieces) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let scaler = app.state.gateway.scaler();
        let chunks = scaler.recorded(asked.function.as_deref(), since);
        let mut out = Out {
            sender,
            bytes: Vec::with_capacity(PIECE_BYTES),
        };
        // An error says that the client has left.
        drop(match format {
            RecordFormat::Csv => csv::write(chunks, since, &mut out),
            RecordFormat::Lines => lines::write(&chunks, since, &mut out),
        });
        drop(place);
    });
    let content = match format {
        RecordFormat::Csv => "text/csv; charset=utf-8",
        RecordFormat::Lines => "application/x-ndjson",
    };
    let headers = [(CONTENT_TYPE, content), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(Pieces(pieces))).into_response())
}

/// What is written, on its way.
struct Out {
    sender: mpsc::Sender<Bytes>,
    bytes: Vec<u8>,
}

/// The client has left.
struct Gone;

impl Out {
    /// Sends what there is once it is enough for a piece; waits for a client that is slow.
    fn line_ends(&mut self) -> Result<(), Gone> {
        match self.bytes.len() < PIECE_BYTES {
            true => Ok(()),
            false => self.send(),
        }
    }

    fn send(&mut self) -> Result<(), Gone> {
        let piece = std::mem::take(&mut self.bytes);
        self.sender.blocking_send(piece.into()).map_err(|_| Gone)
    }
}

type Chunks = Vec<Arc<Chunk>>;
