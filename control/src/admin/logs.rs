//! The output of a function or of one of its revisions, as far as it is kept and as it comes.

mod revision;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use stoker_scaler::logs::{Follower, LogLine, Logs};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::pieces::Pieces;
use super::problem::{Kind, Problem, find};
use super::query::{LogsQuery, query};
use super::server::ended;
use super::{App, FOLLOWERS, address};
use revision::OfRevision;

/// What is read besides the lines asked for: as many as a follower can be behind.
const MARGIN: usize = 1024;
/// What is read for the lines of one revision, which may be few among them.
const ALL: usize = 20_000;
/// Pieces on their way to a client that is slow.
const PIECES: usize = 16;
/// For what was written a moment ago to be in the file.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn read(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    asked: Result<Query<LogsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let part = query(asked)?.part()?;
    let gateway = &app.state.gateway;
    let (name, mut only) = {
        let snapshot = gateway.snapshot();
        let entry = find(&snapshot, &name)?;
        let name = entry.spec.name.to_string();
        let revision = address::revision(entry);
        let only = revision.map(|it| OfRevision::new(gateway, name.clone(), it));
        (name, only)
    };
    let read = |lines: usize| if only.is_some() { ALL } else { lines };
    let logs = &app.state.logs;
    let body = if part.follow {
        let place = Arc::clone(&app.followers)
            .try_acquire_owned()
            .map_err(|_| {
                let detail =
                    format!("{FOLLOWERS} logs are being followed already, which is the most");
                Problem::new(Kind::TooManyFollowers, detail)
            })?;
        // From here on nothing is missed; what is in the file too is left out below.
        let follower = logs.follow(&name).map_err(|error| unreadable(&error))?;
        let kept = match part.lines {
            0 => Vec::new(),
            lines => tail(logs, name, read(lines + MARGIN)).await?,
        };
        let first = last(&kept, part.lines, &mut only);
        let (sender, pieces) = mpsc::channel(PIECES);
        let following = Following {
            follower,
            only,
            kept: kept.into(),
            sender,
            place,
        };
        tokio::spawn(following.run(first, app.ending.clone()));
        Body::new(Pieces(pieces))
    } else {
        let kept = tail(logs, name, read(part.lines)).await?;
        Body::from(last(&kept, part.lines, &mut only))
    };
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

/// A log on its way to a client.
struct Following {
    follower: Follower,
    /// Other lines are left out.
    only: Option<OfRevision>,
    /// Lines of the file that the follower may bring too, in the same order.
    kept: VecDeque<LogLine>,
    sender: mpsc::Sender<Bytes>,
    place: OwnedSemaphorePermit,
}

impl Following {
    /// Sends `first` and what comes until the client leaves or the server ends.
    async fn run(mut self, first: Bytes, mut ending: watch::Receiver<bool>) {
        let gone = self.sender.clone();
        let sending = async {
            if !first.is_empty() && self.sender.send(first).await.is_err() {
                return;
            }
            while let Some(line) = self.follower.next().await {
                if !is_kept(&mut self.kept, &line)
                    && self.only.as_mut().is_none_or(|only| only.has(&line))
                    && self
                        .sender
                        .send(lines(std::slice::from_ref(&*line)))
                        .await
                        .is_err()
                {
                    return;
                }
            }
        };
        tokio::select! {
            () = sending => {}
            () = gone.closed() => {}
            () = ended(&mut ending) => {}
        }
        drop(self.place);
    }
}

/// Whether the file had the line. Both have the same lines in the same order, so the first one that
/// it did not have ends the search for ever.
fn is_kept(kept: &mut VecDeque<LogLine>, line: &LogLine) -> bool {
    while let Some(next) = kept.pop_front() {
        if next == *line {
            return true;
        }
    }
    false
}

async fn tail(logs: &Arc<Logs>, name: String, lines: usize) -> Result<Vec<LogLine>, Problem> {
    // What is not in the file by then comes with the next look, or to the follower.
    tokio::time::timeout(FLUSH_PATIENCE, logs.flush())
        .await
        .ok();
    let logs = Arc::clone(logs);
    let read = tokio::task::spawn_blocking(move || logs.tail(&name, lines)).await;
    match read {
        Ok(lines) => lines.map_err(|error| unreadable(&error)),
        Err(error) => Err(unreadable(&error)),
    }
}

/// The last so many of them that are wanted.
fn last(kept: &[LogLine], count: usize, only: &mut Option<OfRevision>) -> Bytes {
    let Some(only) = only else {
        return lines(&kept[kept.len().saturating_sub(count)..]);
    };
    let wanted = kept.iter().filter(|line| only.has(line));
    let wanted: Vec<LogLine> = wanted.cloned().collect();
    lines(&wanted[wanted.len().saturating_sub(count)..])
}

/// One JSON object per line.
fn lines(lines: &[LogLine]) -> Bytes {
    let mut text = Vec::new();
    for line in lines {
        // A line is names, numbers and text: nothing that JSON could refuse.
        if serde_json::to_writer(&mut text, line).is_ok() {
            text.push(b'\n');
        }
    }
    text.into()
}

fn unreadable(error: &dyn std::error::Error) -> Problem {
    Problem::new(Kind::Internal, format!("the log cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use stoker_scaler::logs::{LogTime, Stream};

    use super::*;

    fn line(time: u64, text: &str) -> LogLine {
        LogLine {
            time: LogTime::from_unix_micros(time),
            function: Arc::from("f"),
            instance: None,
            stream: Stream::Stdout,
            text: text.to_owned(),
        }
    }

    fn fresh(kept: &[LogLine], followed: &[LogLine]) -> Vec<LogLine> {
        let mut kept: VecDeque<_> = kept.to_vec().into();
        followed
            .iter()
            .filter(|line| !is_kept(&mut kept, line))
            .cloned()
            .collect()
    }

    #[test]
    fn leaves_out_what_the_file_had() {
        let all: Vec<_> = (0..9).map(|time| line(time, "x")).collect();
        assert_eq!(fresh(&all[..5], &all[3..]), all[5..]);
        assert_eq!(fresh(&all[..5], &all[5..]), all[5..]);
        assert_eq!(fresh(&all[..5], &all[..]), all[5..]);
        assert_eq!(fresh(&all[..9], &all[7..]), []);
        assert_eq!(fresh(&[], &all), all);
    }

    #[test]
    fn equal_lines_of_one_burst_are_told_apart() {
        let burst = vec![line(1, "x"), line(1, "x"), line(1, "x")];
        let later = vec![line(2, "x")];
        let followed = [burst.clone(), later.clone()].concat();
        assert_eq!(fresh(&burst, &followed), later);
    }
}
