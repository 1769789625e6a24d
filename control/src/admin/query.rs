//! Reading what a request asks for.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stoker_config::parse_duration;

use stoker_meter::{Period, parse_time};
use zeroize::Zeroize as _;

use super::problem::{Kind, Problem};
use crate::metering::Asked;

/// No body of the admin API is longer by far.
const BODY_BYTES: usize = 16 << 10;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const LINES_DEFAULT: usize = 100;
const LINES_MOST: usize = 10_000;
const WAIT_DEFAULT: Duration = Duration::from_secs(10);
const WAIT_MOST: Duration = Duration::from_secs(300);

/// A duration as people write it.
const DURATION: &str = r"^[0-9]+(us|ms|s|m|h)$";

/// Of a request for logs, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    /// So many of the last lines; 100 if left out.
    #[schemars(with = "Option<u32>", range(max = 10_000))]
    lines: Option<String>,
    /// Go on with what comes.
    #[schemars(with = "Option<bool>")]
    follow: Option<String>,
}

/// Of an eviction, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvictQuery {
    /// How long to wait until they are gone, such as `5s`; at most five minutes, ten seconds if left
    /// out.
    #[schemars(regex(pattern = DURATION))]
    wait: Option<String>,
}

/// Of a request for starts, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartsQuery {
    /// Only those of this function, or of one revision of it: `NAME:rN` or `NAME:ALIAS`.
    pub(super) function: Option<String>,
}

/// Of a request for an explanation, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    /// As it was then: how long ago, such as `10m`, or a time such as `2026-11-21T19:30:00Z`.
    pub(super) at: Option<String>,
    /// Also what other settings would have given in the last hour: `KEY=VALUE`, more after commas.
    pub(super) counterfactual: Option<String>,
}

/// Of a request for the record, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordQuery {
    /// Only what happened to this function.
    pub(super) function: Option<String>,
    /// Only what happened within this time, such as `1h`; all if left out.
    #[schemars(regex(pattern = DURATION))]
    since: Option<String>,
    /// `csv` or `jsonl`; `csv` if left out.
    #[schemars(extend("enum" = ["csv", "jsonl"]))]
    format: Option<String>,
}

/// Of a request for usage, as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    /// From when on: `2026-11-21`, `2026-11-21T19:30:00Z` or seconds since 1970, in UTC; 24 hours ago
    /// if left out.
    from: Option<String>,
    /// Until when; now if left out.
    to: Option<String>,
    /// `minute`, `hour`, `day` or `month`; `hour` if left out.
    by: Option<String>,
    /// Only that of this function.
    function: Option<String>,
}

impl UsageQuery {
    /// What is asked for, `now` being seconds since 1970.
    pub(super) fn asked(self, now: u64) -> Result<Asked, Problem> {
        let time = |name: &str, text: Option<String>, default: u64| match text {
            None => Ok(default),
            Some(text) => parse_time(&text).ok_or_else(|| {
                bad(format!(
                    "{name} is a time such as \"2026-11-21T19:30:00Z\", not {text:?}"
                ))
            }),
        };
        let by = match self.by.as_deref() {
            None => Period::Hour,
            Some(text) => Period::parse(text)
                .ok_or_else(|| bad(format!("by is minute, hour, day or month, not {text:?}")))?,
        };
        let to = time("to", self.to, now + 1)?;
        Ok(Asked {
            from: time("from", self.from, to.saturating_sub(86_400))?,
            to,
            by,
            function: self.function,
        })
    }
}

/// Which part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) lines: usize,
    pub(super) follow: bool,
}

impl LogsQuery {
    pub(super) fn part(self) -> Result<Part, Problem> {
        let lines = match self.lines.as_deref() {
            None => LINES_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|lines| *lines <= LINES_MOST)
                .ok_or_else(|| {
                    bad(format!(
                        "lines is a whole number from 0 to {LINES_MOST}, not {text:?}"
                    ))
                })?,
        };
        let follow = match self.follow.as_deref() {
            None | Some("false") => false,
            Some("true" | "") => true,
            Some(text) => return Err(bad(format!("follow is true or false, not {text:?}"))),
        };
        Ok(Part { lines, follow })
    }
}

impl RecordQuery {
    /// How far back; all that there is if none.
    pub(super) fn since(&self) -> Result<Option<Duration>, Problem> {
        let Some(text) = &self.since else {
            return Ok(None);
        };
        let since = parse_duration(text).ok();
        since.map(Some).ok_or_else(|| {
            bad(format!(
                "since is how far back, such as \"1h\", not {text:?}"
            ))
        })
    }

    pub(super) fn format(&self) -> Result<RecordFormat, Problem> {
        match self.format.as_deref() {
            None | Some("csv") => Ok(RecordFormat::Csv),
            Some("jsonl") => Ok(RecordFormat::Lines),
            Some(text) => Err(bad(format!("format is csv or jsonl, not {text:?}"))),
        }
    }
}

/// How the record is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordFormat {
    /// Requests and start times, as a trace.
    Csv,
    /// Everything, one JSON object to a line.
    Lines,
}

impl EvictQuery {
    pub(super) fn wait(self) -> Result<Duration, Problem> {
        let Some(text) = self.wait else {
            return Ok(WAIT_DEFAULT);
        };
        let wait = parse_duration(&text).ok().filter(|wait| *wait <= WAIT_MOST);
        wait.ok_or_else(|| {
            let most = WAIT_MOST.as_secs();
            bad(format!(
                "wait is a duration from 0s to {most}s, such as \"5s\", not {text:?}"
            ))
        })
    }
}

/// The query, or what is wrong with it.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let refuse = |rejection: QueryRejection| {
        let text = rejection.body_text();
        let cause = text
            .rsplit_once("query string: ")
            .map_or(text.as_str(), |(_, cause)| cause);
        bad(format!("the query is not valid: {cause}"))
    };
    query.map(|Query(query)| query).map_err(refuse)
}

/// The whole body, within bounds of length and time.
pub(super) async fn body(body: Body) -> Result<Bytes, Problem> {
    body_of(body, BODY_BYTES).await
}

/// What a body of JSON asks for; an empty one asks for nothing special. `form` says what is right.
pub(super) async fn json_body<T: DeserializeOwned>(body: Body, form: &str) -> Result<T, Problem> {
    json_body_of(body, form, BODY_BYTES).await
}

/// The same of at most so many bytes.
pub(super) async fn json_body_of<T: DeserializeOwned>(
    body: Body,
    form: &str,
    most_bytes: usize,
) -> Result<T, Problem> {
    let body = body_of(body, most_bytes).await?;
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(text)
        .map_err(|error| bad(format!("the body is not valid ({error}); {form}")))
}

/// The same of something that no answer may repeat.
pub(super) async fn secret_body<T: DeserializeOwned>(
    body: Body,
    form: &str,
    most_bytes: usize,
) -> Result<T, Problem> {
    let body = body_of(body, most_bytes).await?;
    let read =
        serde_json::from_slice(&body).map_err(|_| bad(format!("the body is not valid; {form}")));
    // Unless it is still in the connection's own buffer.
    if let Ok(mut bytes) = body.try_into_mut() {
        bytes.zeroize();
    }
    read
}

async fn body_of(body: Body, most_bytes: usize) -> Result<Bytes, Problem> {
    let read = axum::body::to_bytes(body, most_bytes);
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Problem::new(
            Kind::BodyTooLarge,
            format!("the body has to arrive whole and be at most {most_bytes} bytes long"),
        )),
        Err(_) => Err(Problem::new(
            Kind::RequestTimeout,
            format!(
                "the body has to arrive within {} seconds",
                BODY_TIMEOUT.as_secs()
            ),
        )),
    }
}

fn bad(detail: String) -> Problem {
    Problem::new(Kind::BadRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(lines: Option<&str>, follow: Option<&str>) -> Option<Part> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        LogsQuery {
            lines: owned(lines),
            follow: owned(follow),
        }
        .part()
        .ok()
    }

    #[test]
    fn logs_have_bounds() {
        assert_eq!(
            part(None, None),
            Some(Part {
                lines: 100,
                follow: false
            })
        );
        assert_eq!(
            part(Some("0"), Some("true")),
            Some(Part {
                lines: 0,
                follow: true
            })
        );
        assert_eq!(
            part(Some("10000"), Some("")),
            Some(Part {
                lines: 10_000,
                follow: true
            })
        );
        for (lines, follow) in [
            ("10001", "true"),
            ("-1", "true"),
            ("", "true"),
            ("1", "yes"),
        ] {
            assert_eq!(part(Some(lines), Some(follow)), None);
        }
    }

    #[test]
    fn waits_have_bounds() {
        let wait = |text: &str| {
            EvictQuery {
                wait: Some(text.to_owned()),
            }
            .wait()
            .ok()
        };
        assert_eq!(EvictQuery::default().wait().ok(), Some(WAIT_DEFAULT));
        assert_eq!(wait("5s"), Some(Duration::from_secs(5)));
        assert_eq!(wait("0s"), Some(Duration::ZERO));
        assert_eq!(wait("5m"), Some(WAIT_MOST));
        assert_eq!(wait("6m"), None);
        assert_eq!(wait("5"), None);
    }
}
