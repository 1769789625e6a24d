//! A client of the admin API.

mod error;
mod locate;
mod upload;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::{TcpStream, UnixStream};

use crate::io::BoxIo;
use crate::wire::ProblemDocument;

pub use error::ClientError;
pub(crate) use locate::advertised_socket;
pub use upload::Upload;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For an answer, besides what was asked for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ten thousand functions are four of these.
const ANSWER_BYTES: usize = 256 << 20;

/// A client of one gateway's admin API.
#[derive(Clone)]
pub struct Client {
    target: Target,
    token: Option<String>,
}

/// Where an HTTP server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// A success.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// For the admin API at `address`: a path, `unix:PATH` or `http://HOST:PORT`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn new(address: &str, token: Option<String>) -> Result<Self, ClientError> {
        Ok(Client {
            target: Target::parse(address)?,
            token,
        })
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// If nobody answers, or the answer is a problem.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.ask(Method::GET, path, Bytes::new(), PATIENCE).await
    }

    /// Tells `path` to do something, which may take it `time`.
    ///
    /// # Errors
    /// If nobody answers, or the answer is a problem.
    pub async fn post(
        &self,
        path: &str,
        body: Bytes,
        time: Duration,
    ) -> Result<Answer, ClientError> {
        self.ask(Method::POST, path, body, PATIENCE + time).await
    }

    /// Puts something in place of what is at `path`, which may take it `time`.
    ///
    /// # Errors
    /// If nobody answers, or the answer is a problem.
    pub async fn put(
        &self,
        path: &str,
        body: Bytes,
        time: Duration,
    ) -> Result<Answer, ClientError> {
        self.ask(Method::PUT, path, body, PATIENCE + time).await
    }

    /// Tells what is at `path` to go.
    ///
    /// # Errors
    /// If nobody answers, or the answer is a problem.
    pub async fn delete(&self, path: &str) -> Result<Answer, ClientError> {
        self.ask(Method::DELETE, path, Bytes::new(), PATIENCE).await
    }

    /// Asks for something that comes piece by piece, for as long as it comes.
    ///
    /// # Errors
    /// If nobody answers, or the answer is a problem.
    pub async fn stream(&self, path: &str) -> Result<Incoming, ClientError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        match response.status().is_success() {
            true => Ok(response.into_body()),
            false => Err(self.problem(&read(response).await?)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Answer, ClientError> {
        let asking = async {
            let answer = read(self.send(method, path, body).await?).await?;
            match answer.status.is_success() {
                true => Ok(answer),
                false => Err(self.problem(&answer)),
            }
        };
        match tokio::time::timeout(patience, asking).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::Slow(self.target.to_string(), patience)),
        }
    }

    /// What an answer says that is no success.
    fn problem(&self, answer: &Answer) -> ClientError {
        let Ok(mut document) = serde_json::from_slice::<ProblemDocument>(&answer.body) else {
            return ClientError::Status(answer.status);
        };
        if answer.status == StatusCode::UNAUTHORIZED {
            // It can tell which header it misses, and not where this program gets that from.
            let what = match self.token {
                Some(_) => "does not know the token in",
                None => "asks for a token of its [admin] in",
            };
            let place = &self.target;
            document.detail =
                format!("the gateway on {place} {what} $STOKER_ADMIN_TOKEN or --token-file");
        }
        ClientError::Problem(Box::new(document))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.target.host());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(body))
            .map_err(|_| ClientError::Token)?;
        self.target.send(request).await
    }
}

impl Answer {
    /// The body, read as JSON.
    ///
    /// # Errors
    /// If it is something else, as from another program or version.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(ClientError::Foreign)
    }
}

impl Target {
    /// What a request's `host` says.
    pub(crate) fn host(&self) -> &str {
        match self {
            Target::Unix(_) => "localhost",
            Target::Tcp(authority) => authority,
        }
    }

    /// Sends one request over a connection of its own.
    pub(crate) async fn send<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<Incoming>, ClientError>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let lost = |source| ClientError::Lost {
            place: self.to_string(),
            source,
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await?))
            .await
            .map_err(lost)?;
        // It ends with the response's body; what went wrong, that body tells.
        tokio::spawn(async move { drop(connection.await) });
        sender.send_request(request).await.map_err(lost)
    }

    pub(crate) async fn connect(&self) -> Result<BoxIo, ClientError> {
        let refused = |source| ClientError::Refused {
            place: self.to_string(),
            source,
        };
        let connecting = async {
            Ok::<BoxIo, std::io::Error>(match self {
                Target::Unix(path) => Box::new(UnixStream::connect(path).await?),
                Target::Tcp(authority) => Box::new(TcpStream::connect(authority.as_str()).await?),
            })
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected.map_err(refused),
            Err(_) => Err(refused(std::io::ErrorKind::TimedOut.into())),
        }
    }
}

/// One segment of a path, with all escaped that could end or change it.
pub fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

async fn read(response: Response<Incoming>) -> Result<Answer, ClientError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES)
        .collect()
        .await;
    let body = body.map_err(ClientError::Broken)?.to_bytes();
    Ok(Answer { status, body })
}
