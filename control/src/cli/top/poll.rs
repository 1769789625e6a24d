//! Asking the gateway again and again.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::super::Failure;
use super::super::arguments::Connection;
use crate::client::{Client, ClientError, segment};
use crate::wire::{FunctionDetail, FunctionSummary, Stats};

/// What the gateway said at one time.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) stats: Stats,
    pub(super) functions: Vec<FunctionSummary>,
    /// The function that is looked at more closely; none if there is none of that name.
    pub(super) detail: Option<FunctionDetail>,
}

impl Sample {
    pub(super) async fn fetch(client: &Client) -> Result<Sample, ClientError> {
        let stats = client.get("/v1/stats").await?.json()?;
        let at = Instant::now();
        let functions = client.get("/v1/functions").await?.json()?;
        Ok(Sample {
            at,
            stats,
            functions,
            detail: None,
        })
    }
}

/// Sends a sample, or why there is none, at once and after every `interval`, and also when
/// another function is `wanted`. Ends when nobody takes them any more.
pub(super) async fn poll(
    connection: Connection,
    interval: Duration,
    mut wanted: watch::Receiver<Option<String>>,
    samples: mpsc::Sender<Result<Sample, String>>,
) {
    let mut client = None;
    loop {
        let name = wanted.borrow_and_update().clone();
        let sample = ask(&mut client, &connection, name).await;
        if sample.is_err() {
            // It may come back somewhere else.
            client = None;
        }
        let sample = sample.map_err(|failure| failure.to_string());
        if samples.send(sample).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            changed = wanted.changed() => if changed.is_err() {
                return;
            }
        }
    }
}

async fn ask(
    client: &mut Option<Client>,
    connection: &Connection,
    wanted: Option<String>,
) -> Result<Sample, Failure> {
    let client = match client {
        Some(client) => client,
        None => client.insert(connection.client().await?),
    };
    let mut sample = Sample::fetch(client).await?;
    if let Some(name) = wanted {
        let path = format!("/v1/functions/{}", segment(&name));
        // It may be gone by now, which is no reason to show nothing at all.
        sample.detail = match client.get(&path).await {
            Ok(answer) => Some(answer.json()?),
            Err(ClientError::Problem(_)) => None,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(sample)
}
