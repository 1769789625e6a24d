//! Starting a revision once, to see that it serves.
//!
//! It is a function of its own in the scaler, which nothing is routed to: one instance, retired as
//! soon as it has answered.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
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
use stoker_scaler::logs::{LogLine, LogTime, Stream};
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

/// Looks for what an instance that ended had written, and the time between two of them: its end and
/// its output come by different ways.
const LOOKS: usize = 10;

/// Whose output is looked for.
#[derive(Clone, Copy)]
enum Who {
    Instance(InstanceId),
    /// Of one that is not known, for it was never ready: of any that wrote nothing before.
    Since(LogTime),
}

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
    let begun = LogTime::now();
    let trial = Trial(publisher.gateway.try_out(&spec));
    let deadline = Instant::now() + spec.timeouts.start + spec.timeouts.first_byte;
    let lease = tokio::select! {
        lease = trial.0.acquire(deadline.into_std()) => lease.map_err(|error| error.to_string()),
        failure = failed(&trial.0) => Err(failure.detail.to_string()),
    };
    let lease = match lease {
        Ok(lease) => lease,
        Err(why) => return Err(unproven(publisher, &spec, (Who::Since(begun), why)).await),
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
    Err(unproven(publisher, &spec, (Who::Instance(instance.id()), why)).await)
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

/// With the last lines that the trial wrote, and nothing of where its code lies for now.
async fn unproven(
    publisher: &Publisher,
    spec: &FunctionSpec,
    (who, why): (Who, String),
) -> PublishError {
    let mut lines = Vec::new();
    for _ in 0..LOOKS {
        publisher.logs.flush().await;
        let (logs, name) = (Arc::clone(&publisher.logs), Arc::clone(&spec.name));
        let tail = tokio::task::spawn_blocking(move || logs.tail(&name, TAIL)).await;
        lines = written(tail.ok().and_then(Result::ok).unwrap_or_default(), who);
        if !lines.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let surplus = lines.len().saturating_sub(LINES);
    lines.drain(..surplus);
    let place = spec.manifest.parent().unwrap_or_else(|| Path::new("/"));
    let place = format!("{}/", place.display());
    let short = |text: &str| text.replace(&place, "");
    let lines = lines.iter().map(|line| short(line)).collect();
    PublishError::Unproven(short(&why) + advice(spec), lines)
}

/// What one instance wrote; what the gateway says of it is in the reason.
fn written(lines: Vec<LogLine>, who: Who) -> Vec<String> {
    let mut others = HashSet::new();
    let mine = lines.into_iter().filter(|line| match who {
        Who::Instance(id) => line.instance == Some(id),
        Who::Since(begun) if line.time < begun => {
            others.insert(line.instance);
            false
        }
        Who::Since(_) => line.instance.is_some() && !others.contains(&line.instance),
    });
    let mine = mine.filter(|line| line.stream != Stream::Sys);
    mine.map(|line| line.text).collect()
}

/// What can be said of a program that is in the package and may not be executed.
fn advice(spec: &FunctionSpec) -> &'static str {
    let program = spec.command.first().filter(|it| it.contains('/'));
    let mode = program.and_then(|it| fs::metadata(it).ok());
    match mode.is_some_and(|it| it.is_file() && it.permissions().mode() & 0o111 == 0) {
        true => "; it is not executable: chmod +x it where it is packed",
        false => "",
    }
}
