//! A request to a function, made by the gateway itself, through its own listener: for the test
//! console.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use hyper::{Method, Request, Uri};

use super::App;
use super::problem::{Kind, Problem, find};
use super::query::json_body_of;
use super::registry::noted;
use crate::cli::own_listener;
use crate::client::Target;
use crate::wire::{InvokeAnswer, InvokeRequest, Phase};

/// Of the JSON that says what to send.
const REQUEST_BYTES: usize = 2 << 20;
/// Of the function's answer; what is beyond is left out.
const ANSWER_BYTES: usize = 1 << 20;
/// For all of an answer: whoever waits here is a person.
const PATIENCE: Duration = Duration::from_secs(60);

const FORM: &str = "send {\"method\": \"POST\", \"path\": \"/\", \"headers\": \
    [[\"content-type\", \"text/plain\"]], \"body\": \"...\"}, or \"body_base64\"";

/// What the connection is made of is for the client to say.
const OURS: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE];

pub(super) async fn call(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let asked: InvokeRequest = json_body_of(body, FORM, REQUEST_BYTES).await?;
    let snapshot = app.state.gateway.snapshot();
    find(&snapshot, &name)?;
    let listen: Vec<String> = app.state.listen.iter().map(ToString::to_string).collect();
    let target = own_listener(listen.iter()).ok_or_else(|| {
        let detail = "the gateway listens nowhere by plain HTTP, so it cannot call itself";
        Problem::new(Kind::NoAnswer, detail)
    })?;
    let url = format!("{}/{name}", snapshot.gateway.function_prefix);
    let request = request(&asked, &url, &target)?;
    let what = format!("{} {}", request.method(), request.uri());
    let Ok(_place) = app.calls.try_acquire() else {
        let detail = "too many calls are under way already; try again after them";
        return Err(Problem::new(Kind::Busy, detail));
    };
    let answer = tokio::time::timeout(PATIENCE, answer(&target, request)).await;
    let answer = answer.unwrap_or_else(|_| {
        let seconds = PATIENCE.as_secs();
        Err(Problem::new(
            Kind::NoAnswer,
            format!("there was no whole answer within {seconds} seconds"),
        ))
    })?;
    Ok(noted(what, Json(answer)))
}

fn request(
    asked: &InvokeRequest,
    url: &str,
    target: &Target,
) -> Result<Request<Full<Bytes>>, Problem> {
    let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
    let method = asked.method.as_deref().unwrap_or("GET");
    let method: Method = method
        .parse()
        .ok()
        .filter(|method| *method != Method::CONNECT)
        .ok_or_else(|| {
            bad(format!(
                "{method:?} is no method that a function takes; {FORM}"
            ))
        })?;
    let path = asked.path.as_deref().unwrap_or_default();
    let joined = match path.as_bytes().first() {
        None | Some(b'/' | b'?') => format!("{url}{path}"),
        Some(_) => format!("{url}/{path}"),
    };
    let uri: Uri = joined.parse().map_err(|error| {
        bad(format!(
            "{path:?} is no path ({error}); escape what is no ASCII as in %C3%A9"
        ))
    })?;
    let body = match (&asked.body, &asked.body_base64) {
        (Some(_), Some(_)) => return Err(bad("body or body_base64, not both".to_owned())),
        (Some(text), None) => Bytes::copy_from_slice(text.as_bytes()),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map_err(|error| bad(format!("body_base64 is no base64: {error}")))?
            .into(),
        (None, None) => Bytes::new(),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &asked.headers {
        let header = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
        let (Ok(name), Ok(value)) = header else {
            return Err(bad(format!(
                "{name:?} with this value is no header; {FORM}"
            )));
        };
        if !OURS.contains(&name) {
            headers.append(name, value);
        }
    }
    if !headers.contains_key(HOST) {
        let host = target.host().parse();
        let host = host.unwrap_or_else(|_| HeaderValue::from_static("localhost"));
        headers.insert(HOST, host);
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn answer(target: &Target, request: Request<Full<Bytes>>) -> Result<InvokeAnswer, Problem> {
    let failed = |error: &dyn std::fmt::Display| {
        Problem::new(
            Kind::NoAnswer,
            format!("the gateway gave no answer: {error}"),
        )
    };
    let sent = Instant::now();
    let response = target.send(request).await.map_err(|error| failed(&error))?;
    let (head, body) = response.into_parts();
    let (bytes, truncated) = collect(body).await.map_err(|error| failed(&error))?;
    let elapsed_ms = sent.elapsed().as_secs_f64() * 1000.0;
    let (body, body_base64) = match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
    };
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter();
    Ok(InvokeAnswer {
        status: head.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body,
        body_base64,
        truncated,
        elapsed_ms,
        phases: phases(&head.headers),
    })
}

async fn collect(mut body: Incoming) -> Result<(Vec<u8>, bool), hyper::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        let room = ANSWER_BYTES - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            return Ok((bytes, true));
        }
    }
    Ok((bytes, false))
}

/// The metrics of `Server-Timing` (W3C Server Timing) that have a duration.
fn phases(headers: &HeaderMap) -> Vec<Phase> {
    let values = headers.get_all("server-timing").iter();
    let metrics = values.filter_map(|value| value.to_str().ok());
    let metrics = metrics.flat_map(|value| value.split(','));
    let phase = |metric: &str| {
        let mut parts = metric.split(';').map(str::trim);
        let name = parts.next()?.to_owned();
        let ms = parts.find_map(|part| part.strip_prefix("dur="))?;
        Some(Phase {
            name,
            ms: ms.parse().ok()?,
        })
    };
    metrics.filter_map(phase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_those_with_a_duration() {
        let mut headers = HeaderMap::new();
        let value = "queue;dur=1.5, start;desc=\"x\";dur=20, cache, bad;dur=x";
        headers.insert("server-timing", value.parse().unwrap());
        let found = phases(&headers);
        let found: Vec<_> = found.iter().map(|it| (&*it.name, it.ms)).collect();
        assert_eq!(found, [("queue", 1.5), ("start", 20.0)]);
    }

    #[test]
    fn requests_are_what_is_asked_for() {
        let target = Target::Tcp("127.0.0.1:8080".to_owned());
        let asked = |text: &str| serde_json::from_str::<InvokeRequest>(text).unwrap();
        let made = |text: &str| request(&asked(text), "/function/f", &target);
        let plain = made("{}").unwrap();
        assert_eq!(
            (plain.method(), plain.uri().path()),
            (&Method::GET, "/function/f")
        );
        let full = made(
            "{\"method\": \"PUT\", \"path\": \"a?b=c\", \"body\": \"x\",
              \"headers\": [[\"Host\", \"h\"], [\"X\", \"1\"], [\"X\", \"2\"], [\"TE\", \"y\"]]}",
        )
        .unwrap();
        assert_eq!(full.uri(), "/function/f/a?b=c");
        assert_eq!(full.headers().get_all("x").iter().count(), 2);
        assert_eq!(full.headers()[HOST], "h");
        assert!(!full.headers().contains_key(TE));
        for wrong in [
            "{\"method\": \"A B\"}",
            "{\"method\": \"CONNECT\"}",
            "{\"path\": \"a b\"}",
            "{\"headers\": [[\"a b\", \"\"]]}",
            "{\"body\": \"\", \"body_base64\": \"\"}",
            "{\"body_base64\": \"?\"}",
        ] {
            assert!(made(wrong).is_err(), "{wrong}");
        }
    }
}
