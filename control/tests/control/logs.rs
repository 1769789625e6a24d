use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use stoker_core::InstanceId;
use stoker_scaler::logs::{LogLine, Logs};
use tokio::sync::{Semaphore, oneshot};

use crate::world::{PATIENCE, World};

/// Lines that a writer may be ahead of whoever reads them: well below what a follower may miss
/// before lines are dropped, and below what the writer's queue holds.
const AHEAD: usize = 400;

/// What comes, line by line.
struct Lines {
    body: Incoming,
    rest: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> String {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice::<LogLine>(&line).unwrap().text;
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .expect("a line");
            self.rest
                .extend_from_slice(frame.unwrap().unwrap().data_ref().unwrap());
        }
    }
}

async fn follow(world: &World, lines: usize) -> Lines {
    let path = format!("/v1/functions/f/logs?follow=true&lines={lines}");
    Lines {
        body: world.client.stream(&path).await.unwrap(),
        rest: Vec::new(),
    }
}

fn note(logs: &Logs, number: u32) {
    logs.note("f", InstanceId::new(1, 1), format!("line {number}"));
}

#[tokio::test]
async fn gives_the_last_lines() {
    let world = World::with(&["f"]).await;
    assert!(
        world
            .client
            .get("/v1/functions/f/logs")
            .await
            .unwrap()
            .body
            .is_empty()
    );
    for number in 0..5 {
        note(&world.logs, number);
    }
    let answer = world
        .client
        .get("/v1/functions/f/logs?lines=2")
        .await
        .unwrap();
    let lines: Vec<LogLine> = std::str::from_utf8(&answer.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().map(|line| &*line.text).collect::<Vec<_>>(),
        ["line 3", "line 4"]
    );
    assert_eq!(lines[0].instance, Some(InstanceId::new(1, 1)));
}

#[tokio::test]
async fn follows_without_gaps_or_repetitions() {
    let world = World::with(&["f"]).await;
    for number in 0..3 {
        note(&world.logs, number);
    }
    let mut two = follow(&world, 2).await;
    let mut none = follow(&world, 0).await;
    assert_eq!(two.next().await, "line 1");
    assert_eq!(two.next().await, "line 2");
    for number in 3..100 {
        note(&world.logs, number);
    }
    for number in 3..100 {
        assert_eq!(two.next().await, format!("line {number}"));
        assert_eq!(none.next().await, format!("line {number}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_from_the_middle_of_a_stream() {
    let world = World::with(&["f"]).await;
    let logs = world.logs.clone();
    let ahead = Arc::new(Semaphore::new(AHEAD));
    let allowed = ahead.clone();
    let (begun, writing_begun) = oneshot::channel();
    let writing = tokio::spawn(async move {
        let mut begun = Some(begun);
        for number in 0..3000 {
            allowed.acquire().await.unwrap().forget();
            note(&logs, number);
            if number % 50 == 49 {
                logs.flush().await;
                begun.take().map(|begun| begun.send(()));
            }
        }
    });
    writing_begun.await.unwrap();
    let mut lines = follow(&world, 5).await;
    let first = lines.next().await;
    let first: u32 = first.strip_prefix("line ").unwrap().parse().unwrap();
    ahead.add_permits(first as usize + 1);
    for number in first + 1..3000 {
        assert_eq!(lines.next().await, format!("line {number}"));
        ahead.add_permits(1);
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn followers_are_bounded_and_leave() {
    let world = World::with(&["f"]).await;
    let mut followers = Vec::new();
    for _ in 0..32 {
        followers.push(follow(&world, 0).await);
    }
    let refused = world.problem("/v1/functions/f/logs?follow=true").await;
    assert_eq!(
        (refused.kind.as_str(), refused.status),
        ("urn:stoker:problem:too-many-followers", 503)
    );
    followers.clear();
    // Nothing tells when the server has seen that they left.
    let path = "/v1/functions/f/logs?follow=true";
    let waiting = async {
        while world.client.stream(path).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("a place");
}
