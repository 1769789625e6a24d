//! Starting a revision once, to see that it serves.
//!
//! It is a function of its own in the scaler, which nothing is routed to: one instance, retired as
//! soon as it has answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use stoker_config::{Contract, FunctionSpec};
use stoker_core::{InstanceId, ScaleSpec, StartFailure};
use stoker_gateway::Function;
use stoker_scaler::Instance;
use stoker_scaler::driver::{Endpoint, LaunchSpec};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};

use super::{Proof, PublishError, Publisher};
use crate::io::BoxIo;

/// Between two looks whether a start failed.
const LOOK: Duration = Duration::from_millis(50);
/// For the news of its end from an instance that closed the connection.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Lines of output that are shown.
const LINES: usize = 20;
/// Lines of the function among which they are looked for.
const TAIL: usize = 200;

/// Goes when it is dropped.
struct Trial(Arc<Function>);

impl Drop for Trial {
    fn drop(&mut self) {
        self.0.retire();
    }
}

/// Starts an instance of `spec` and asks it something.
pub(super) async fn prove(
    publisher: &Publisher,
    mut spec: FunctionSpec,
    proof: &Proof,
) -> Result<(), PublishError> {
    // No revision has this number, so that no instance is taken for one of those that serve.
    spec.number = Some(LaunchSpec::TRIAL);
    spec.scaling = Arc::new(alone(&spec.scaling));
    let trial = Trial(publisher.gateway.try_out(&spec));
    let deadline = Instant::now() + spec.timeouts.start + spec.timeouts.first_byte;
    let lease = tokio::select! {
        lease = trial.0.acquire(deadline.into_std()) => lease.map_err(|error| error.to_string()),
        failure = failed(&trial.0) => Err(failure.detail.to_string()),
    };
    let lease = match lease {
        Ok(lease) => lease,
        Err(why) => return Err(unproven(publisher, &spec, (None, why))),
    };
    let instance = lease.instance();
    let asked = timeout(
        deadline.saturating_duration_since(Instant::now()),
        ask(instance, spec.contract, proof),
    );
    let why = match asked.await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why,
        Err(_) => "it did not answer within timeouts.start and timeouts.first-byte".to_owned(),
    };
    let ended = instance.ended(LAST_WORDS).await;
    let why = ended.map_or(why, |failure| failure.detail.to_string());
    Err(unproven(publisher, &spec, (Some(instance.id()), why)))
}

/// One instance, started because a request waits.
fn alone(scaling: &ScaleSpec) -> ScaleSpec {
    let mut scaling = scaling.clone();
    scaling.min_scale = 0;
    scaling.initial_scale = 0;
    scaling.activation_scale = 1;
    scaling.max_scale = 1;
    scaling.max_starting = 1;
    scaling.spares = None;
    scaling.freeze.after = None;
    scaling.freeze.keep_hot = 0;
    scaling
}

/// Waits for the first start that fails.
async fn failed(function: &Function) -> StartFailure {
    loop {
        if let Some((failure, _)) = function.view().pool.last_failure {
            return failure;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn ask<C>(instance: &Instance<C>, contract: Contract, proof: &Proof) -> Result<(), String> {
    let stream: BoxIo = match instance.endpoint() {
        Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(said)?),
        Endpoint::Tcp(address) => Box::new(TcpStream::connect(address).await.map_err(said)?),
    };
    let (method, path) = match proof {
        Proof::Path(path) => (Method::GET, path.as_str()),
        Proof::None | Proof::Answer => (Method::OPTIONS, "/"),
    };
    let uri = match contract {
        Contract::Http => path.to_owned(),
        Contract::H2c => format!("http://localhost{path}"),
    };
    let request = Request::builder().method(method).uri(uri);
    let request = request.header("host", "localhost");
    let request = request.body(Empty::<Bytes>::new()).map_err(said)?;
    let answer = match contract {
        Contract::Http => {
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
            let driven = tokio::spawn(connection);
            let answer = sender.send_request(request).await;
            driven.abort();
            answer.map_err(said)?
        }
        Contract::H2c => {
            let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
            let (mut sender, connection) = handshake.await.map_err(said)?;
            let driven = tokio::spawn(connection);
            let answer = sender.send_request(request).await;
            driven.abort();
            answer.map_err(said)?
        }
    };
    let status = answer.status();
    match proof {
        Proof::Path(path) if status >= StatusCode::INTERNAL_SERVER_ERROR => {
            Err(format!("it answered a GET of {path} with status {status}"))
        }
        _ => Ok(()),
    }
}

fn said(error: impl std::error::Error) -> String {
    crate::deployments::chain(&error)
}

/// With the last lines that the trial wrote.
fn unproven(
    publisher: &Publisher,
    spec: &FunctionSpec,
    (id, why): (Option<InstanceId>, String),
) -> PublishError {
    let lines = publisher.logs.tail(&spec.name, TAIL).unwrap_or_default();
    let mine = lines
        .into_iter()
        .filter(|line| id.is_some() && line.instance == id);
    let mut lines: Vec<String> = mine.map(|line| line.text).collect();
    let surplus = lines.len().saturating_sub(LINES);
    lines.drain(..surplus);
    PublishError::Unproven(why, lines)
}
