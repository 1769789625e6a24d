use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoker_control::client::{Client, ClientError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::tree::Tree;
use crate::world::{TOKEN, World, problem};

fn later() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn health_and_readiness_differ() {
    let world = World::with(&[]).await;
    assert_eq!(world.get("/healthz").await, json!({"status": "alive"}));
    let starting = world.problem("/readyz").await;
    assert_eq!(
        (starting.status, starting.detail.as_str()),
        (503, "the gateway is starting")
    );
    world.readiness.set_ready();
    assert_eq!(world.get("/readyz").await, json!({"status": "ready"}));
    world.readiness.set_shutting_down();
    world.readiness.set_ready();
    assert_eq!(
        world.problem("/readyz").await.detail,
        "the gateway is shutting down"
    );
    assert_eq!(world.get("/healthz").await, json!({"status": "alive"}));
}

#[tokio::test]
async fn lists_functions_with_their_state() {
    let tree = Tree::new();
    tree.function("idle", "");
    tree.function(
        "busy",
        "[scaling]\nconcurrency = 4\nmax-scale = 5\npolicy = \"kpa\"",
    );
    let world = World::start(tree).await;
    let lease = world.function("busy").acquire(later()).await.unwrap();
    let functions = world.get("/v1/functions").await;
    assert_eq!(functions.as_array().unwrap().len(), 2);
    let busy = &functions[0];
    for (key, value) in [
        ("name", json!("busy")),
        ("policy", json!("kpa")),
        ("url", json!("/function/busy")),
        ("concurrency", json!(4)),
        ("min_scale", json!(0)),
        ("max_scale", json!(5)),
        ("in_flight", json!(1)),
        ("waiting", json!(0)),
        ("expected_wait_ms", json!(0.0)),
        ("desired", json!(1)),
        ("scale_override", Value::Null),
        ("last_failure", Value::Null),
        (
            "states",
            json!({"starting": 0, "ready": 1, "draining": 0, "stopping": 0, "aside": 0, "frozen": 0}),
        ),
    ] {
        assert_eq!(busy[key], value, "{key}");
    }
    assert_eq!(busy["revision"].as_str().unwrap().len(), 16);
    assert_eq!(functions[1]["name"], "idle");
    assert_eq!(functions[1]["desired"], 0);
    drop(lease);
}

#[tokio::test]
async fn shows_all_of_a_function() {
    let tree = Tree::new();
    let routes = "[[routes]]\npath = \"/users/{id}\"\nmethods = [\"GET\"]\nhost = \"a.example\"";
    tree.function("f", routes);
    let world = World::start(tree).await;
    let lease = world.function("f").acquire(later()).await.unwrap();
    let function = world.get("/v1/functions/f").await;
    assert_eq!(function["name"], "f");
    let program = world.tree.path("functions/f/server").display().to_string();
    assert_eq!(function["command"], json!([program]));
    assert_eq!(
        function["routes"],
        json!([{"host": "a.example", "path": "/users/{id}", "methods": ["GET"], "strip_prefix": false}])
    );
    let instance = &function["instances"][0];
    assert_eq!(instance["state"], "ready");
    assert_eq!(instance["pid"], 1001);
    assert_eq!(instance["in_use"], 1);
    assert_eq!(instance["idle_seconds"], Value::Null);
    assert_eq!(
        instance["start"],
        json!({"decide_ms": 0.0, "gate_ms": 0.0, "prepare_ms": 0.5, "spawn_ms": 1.0,
               "clone_ms": 0.0, "exec_ms": 0.0, "listen_ms": 10.0, "total_ms": 11.5})
    );
    let why = function["decision"]["why"].as_str().unwrap();
    assert!(why.starts_with("1 instance wanted: "), "{why}");
    assert!(instance["age_seconds"].as_f64().unwrap() >= 0.0);
    drop(lease);

    let all = world.get("/v1/instances").await;
    assert_eq!(all[0]["id"], instance["id"]);
    assert_eq!(all[0]["function"], "f");
    assert_eq!(
        (&all[0]["served"], &all[0]["in_use"]),
        (&json!(1), &json!(0))
    );
    assert!(all[0]["idle_seconds"].is_f64());
}

#[tokio::test]
async fn tells_of_failed_starts() {
    let mut world = World::with(&["f"]).await;
    world.driver.set_failing(true);
    let waiting = world.function("f");
    let waiting = tokio::spawn(async move { waiting.acquire(later()).await.map(drop) });
    world.failed(1).await;
    let failure = &world.get("/v1/functions").await[0]["last_failure"];
    assert_eq!(failure["kind"], "exited");
    assert_eq!(failure["detail"], "it ended with exit code 3");
    assert!(failure["count"].as_u64().unwrap() >= 1);
    world.driver.set_failing(false);
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn unknown_names_get_suggestions() {
    let world = World::with(&["hello", "resize"]).await;
    for path in ["/v1/functions/helo", "/v1/functions/helo/logs"] {
        let found = world.problem(path).await;
        assert_eq!(found.kind, "urn:stoker:problem:unknown-function");
        assert_eq!(found.status, 404);
        assert_eq!(
            found.detail,
            "there is no function \"helo\"; did you mean \"hello\"?"
        );
    }
    let nothing_near = world.problem("/v1/functions/%2E%2E%2Fzzzzzzzz").await;
    assert!(
        nothing_near
            .detail
            .ends_with("GET /v1/functions lists all 2"),
        "{nothing_near:?}"
    );
    let scale = problem(
        world
            .post("/v1/functions/helo/scale", "{\"desired\": 1}")
            .await
            .map(drop),
    );
    assert_eq!(scale.status, 404);
}

#[tokio::test]
async fn wrong_requests_get_problems() {
    let world = World::with(&["f"]).await;
    let unknown = world.problem("/v2").await;
    assert_eq!(unknown.kind, "urn:stoker:problem:not-found");
    assert!(unknown.detail.contains("/v1/functions"), "{unknown:?}");
    let method = world.problem("/v1/reload").await;
    assert_eq!(
        (method.kind.as_str(), method.status),
        ("urn:stoker:problem:method-not-allowed", 405)
    );
    for query in ["lines=x", "lines=10001", "follow=maybe", "line=1"] {
        let query = world
            .problem(&format!("/v1/functions/f/logs?{query}"))
            .await;
        assert_eq!(
            (query.kind.as_str(), query.status),
            ("urn:stoker:problem:bad-request", 400)
        );
    }
    let long = format!("{{\"desired\": {}1}}", " ".repeat(20_000));
    let long = problem(world.post("/v1/functions/f/scale", &long).await.map(drop));
    assert_eq!(long.status, 413);
}

#[tokio::test]
async fn metrics_are_for_prometheus() {
    let world = World::with(&["f"]).await;
    drop(world.function("f").acquire(later()).await.unwrap());
    let answer = world.client.get("/metrics").await.unwrap();
    let text = std::str::from_utf8(&answer.body).unwrap();
    let ready = text.lines().any(|line| {
        line.starts_with("stoker_instances{function=\"f\",revision=\"")
            && line.ends_with(",state=\"ready\"} 1")
    });
    assert!(ready, "{text}");
    let stats: Value = world.client.get("/v1/stats").await.unwrap().json().unwrap();
    assert_eq!(stats["functions"][0]["function"], "f");
}

#[tokio::test]
async fn heads_are_right() {
    let world = World::with(&["f"]).await;
    let path = "/v1/functions/f";
    for (method, path, wanted) in [
        (
            "GET",
            "/metrics",
            "content-type: text/plain; version=0.0.4\r\n",
        ),
        ("GET", "/v1/functions", "content-type: application/json\r\n"),
        (
            "GET",
            &format!("{path}/logs"),
            "content-type: application/x-ndjson\r\n",
        ),
        (
            "GET",
            "/nowhere",
            "content-type: application/problem+json\r\n",
        ),
        ("HEAD", "/healthz", "HTTP/1.1 200 OK\r\n"),
        ("PUT", "/v1/functions", "allow: GET,HEAD\r\n"),
        ("DELETE", &format!("{path}/scale"), "allow: POST\r\n"),
    ] {
        let mut stream = UnixStream::connect(world.socket()).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(wanted), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn the_gateway_tells_where_callers_connect() {
    let world = World::with(&["f"]).await;
    let gateway = world.get("/v1/gateway").await;
    assert_eq!(gateway["prefix"], "/function");
    assert_eq!(gateway["functions"], 1);
    assert!(
        gateway["listen"][0]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(gateway["configuration"]["errors"], json!([]));
}

#[tokio::test]
async fn tcp_needs_the_token() {
    let world = World::with(&["f"]).await;
    let client = |token: Option<&str>| Client::new(&world.url, token.map(str::to_owned)).unwrap();
    for wrong in [None, Some("a-token-of-the-test"), Some("")] {
        let refused = problem(client(wrong).get("/v1/functions").await.map(|_| ()));
        assert_eq!(
            (refused.kind.as_str(), refused.status),
            ("urn:stoker:problem:unauthorized", 401)
        );
        let parts = [&world.url, "$STOKER_ADMIN_TOKEN"];
        assert!(
            parts.iter().all(|part| refused.detail.contains(*part)),
            "{refused:?}"
        );
        let unknown = problem(client(wrong).get("/nowhere").await.map(|_| ()));
        assert_eq!(unknown.status, 401);
        let evict = client(wrong)
            .post("/v1/evict", Default::default(), Duration::ZERO)
            .await;
        assert_eq!(problem(evict.map(|_| ())).status, 401);
        assert!(client(wrong).get("/healthz").await.is_ok());
        assert!(matches!(
            client(wrong).get("/readyz").await,
            Err(ClientError::Problem(_))
        ));
    }
    let list: Value = client(Some(TOKEN))
        .get("/v1/functions")
        .await
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(list[0]["name"], "f");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_functions_list_fast() {
    let tree = Tree::new();
    for number in 0..10_000 {
        tree.function(&format!("f{number}"), "");
    }
    let mut world = World::start(tree).await;
    let begun = Instant::now();
    let list = world.client.get("/v1/functions").await.unwrap();
    let took = begun.elapsed();
    let list: Vec<Value> = list.json().unwrap();
    assert_eq!(list.len(), 10_000);
    eprintln!("10,000 functions listed in {took:?}");
    // Far above what a debug build on a busy machine needs.
    assert!(took < Duration::from_secs(60), "{took:?}");
    let near = world.problem("/v1/functions/g123").await;
    assert!(near.detail.contains("did you mean \"f123\""), "{near:?}");
    // Lest the removal of all these files be followed.
    world.end().await;
}
