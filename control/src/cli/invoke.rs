//! `stoker invoke`: a real request through the gateway's own listener.

mod base64;
mod place;
mod show;

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};

use super::output::Output;
use super::{Failure, InvokeArgs};
use crate::client::{ClientError, Target, segment};
use crate::wire::{FunctionDetail, GatewayInfo};

pub use place::listener;
pub(crate) use place::own;

/// For `--json`, which holds the whole answer; without it, answers are streamed.
const JSON_BODY_BYTES: usize = 64 << 20;

pub(super) async fn invoke(
    arguments: InvokeArgs,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}", segment(&arguments.function));
    let function: FunctionDetail = client.get(&path).await?.json()?;
    let gateway: GatewayInfo = client.get("/v1/gateway").await?.json()?;
    let target = place::target(&gateway, &client)?;
    let request = request(&arguments, &function.summary.url, &target)?;
    let sent = Instant::now();
    let response = target.send(request).await?;
    let code = exit_code(response.status());
    if arguments.verbose {
        show::head(&response, sent.elapsed());
    }
    match arguments.connection.json {
        true => json(response, sent, output).await?,
        false => stream(response, output).await?,
    }
    Ok(code)
}

fn request(
    arguments: &InvokeArgs,
    url: &str,
    target: &Target,
) -> Result<Request<Full<Bytes>>, Failure> {
    let body = arguments.data.as_deref().map(data).transpose()?;
    let default = if body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &arguments.headers {
        headers.append(name, value.clone());
    }
    let invalid = |name| Failure::Other(format!("the {name} has characters that none may have"));
    if !headers.contains_key(HOST) {
        headers.insert(
            HOST,
            target
                .host()
                .parse()
                .map_err(|_| invalid("gateway's address"))?,
        );
    }
    let agent = concat!("stoker/", env!("CARGO_PKG_VERSION"));
    headers
        .entry(USER_AGENT)
        .or_insert(hyper::header::HeaderValue::from_static(agent));
    if let Some(body) = &body {
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        let kind = if json {
            "application/json"
        } else {
            "application/octet-stream"
        };
        headers
            .entry(CONTENT_TYPE)
            .or_insert(hyper::header::HeaderValue::from_static(kind));
    }
    let mut request = Request::new(Full::new(body.unwrap_or_default()));
    *request.uri_mut() = uri(url, &arguments.path)?;
    *request.method_mut() = arguments.method.clone().unwrap_or(default);
    *request.headers_mut() = headers;
    Ok(request)
}

/// The function's path and what the caller adds to it.
fn uri(url: &str, path: &str) -> Result<Uri, Failure> {
    let joined = match path.as_bytes().first() {
        None | Some(b'/' | b'?') => format!("{url}{path}"),
        Some(_) => format!("{url}/{path}"),
    };
    joined.parse().map_err(|error| {
        Failure::Other(format!(
            "{path:?} is no path ({error}); escape what is no ASCII as in %C3%A9"
        ))
    })
}

/// The text itself, a file's content, or the standard input.
fn data(written: &str) -> Result<Bytes, Failure> {
    if let Some(path) = written.strip_prefix('@') {
        let content =
            std::fs::read(path).map_err(|error| Failure::Input(path.to_owned(), error))?;
        return Ok(content.into());
    }
    if written == "-" {
        let mut content = Vec::new();
        let read = std::io::stdin().read_to_end(&mut content);
        read.map_err(|error| Failure::Input("the standard input".to_owned(), error))?;
        return Ok(content.into());
    }
    Ok(Bytes::copy_from_slice(written.as_bytes()))
}

async fn stream(response: Response<Incoming>, output: &mut Output) -> Result<(), Failure> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ClientError::Broken(error.into()))?;
        if let Ok(piece) = frame.into_data() {
            output.bytes(&piece)?;
            output.flush()?;
        }
    }
    Ok(())
}

async fn json(
    response: Response<Incoming>,
    sent: Instant,
    output: &mut Output,
) -> Result<(), Failure> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, JSON_BODY_BYTES).collect().await;
    let body = body.map_err(ClientError::Broken)?.to_bytes();
    output.json(&show::Invocation::new(&head, &body, sent.elapsed()))?;
    Ok(())
}

fn exit_code(status: StatusCode) -> ExitCode {
    match status.as_u16() < 400 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined() {
        let uri = |path| uri("/function/f", path).map(|uri| uri.to_string()).ok();
        assert_eq!(uri("").as_deref(), Some("/function/f"));
        assert_eq!(uri("/").as_deref(), Some("/function/f/"));
        assert_eq!(uri("/a?b=c").as_deref(), Some("/function/f/a?b=c"));
        assert_eq!(uri("a/b").as_deref(), Some("/function/f/a/b"));
        assert_eq!(uri("?b=c").as_deref(), Some("/function/f?b=c"));
        assert_eq!(uri("a b"), None);
    }

    #[test]
    fn data_is_text_or_a_file() {
        assert_eq!(data("a=b").unwrap(), "a=b");
        let path = std::env::temp_dir().join(format!("stkd-{}", std::process::id()));
        std::fs::write(&path, [0, 255]).unwrap();
        assert_eq!(data(&format!("@{}", path.display())).unwrap(), [0, 255][..]);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            data(&format!("@{}", path.display())),
            Err(Failure::Input(..))
        ));
    }
}
