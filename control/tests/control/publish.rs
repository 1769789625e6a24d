//! `stoker publish` against a gateway that only takes packages.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde_json::{Value, json};
use stoker_package::{Limits, check_and_unpack};

use crate::tree::Tree;

/// What came.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<Put>>>);

struct Put {
    name: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

struct World {
    tree: Tree,
    taken: Taken,
    address: String,
}

impl World {
    async fn new() -> World {
        let tree = Tree::new();
        tree.write(
            "shop/function.toml",
            "name = \"shop\"\ncommand = [\"./run\"]\n",
        );
        tree.write("shop/run", "#!/bin/sh\n");
        tree.write("shop/lib/code.txt", &"warm ".repeat(40_000));
        tree.write("shop/lib/left.out", "x");
        tree.write("shop/.git/config", "x");
        tree.write("shop/.stokerignore", "*.out\n");
        symlink("lib/code.txt", tree.path("shop/code")).unwrap();
        let taken = Taken::default();
        let router = Router::new()
            .route("/v1/functions/{name}", put(take))
            .route("/v1/gateway", get(|| async { StatusCode::NOT_FOUND }))
            .layer(DefaultBodyLimit::max(1 << 30))
            .with_state(taken.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        World {
            tree,
            taken,
            address,
        }
    }

    async fn publish(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stoker-test-cli"));
        command
            .args(["publish", "--admin", &self.address])
            .args(arguments)
            .arg(self.tree.path("shop"))
            .env("STOKER_ADMIN_TOKEN", "secret");
        let output = tokio::task::spawn_blocking(move || command.output());
        output.await.unwrap().unwrap()
    }

    fn last(&self) -> Put {
        self.taken.0.lock().unwrap().pop().unwrap()
    }
}

async fn take(
    State(taken): State<Taken>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let problem = |status: StatusCode, detail: &str| {
        let document = json!({
            "type": "urn:stoker:problem:package", "title": "The package is refused",
            "status": status.as_u16(), "detail": detail,
            "errors": ["function.toml:3: listen: expected one of port, unix, inherit"],
        });
        (status, document.to_string()).into_response()
    };
    if query
        .get("message")
        .is_some_and(|message| message == "refuse me")
    {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "the manifest is wrong");
    }
    taken.0.lock().unwrap().push(Put {
        name: name.clone(),
        query,
        headers,
        body,
    });
    let answer = json!({
        "function": name, "number": 7, "digest": "d", "percent": 100.0, "took_ms": 12.5,
        "url": format!("/function/{name}"), "revision_url": format!("/function/{name}:r7"),
        "notes": ["pip said: installed"],
    });
    (StatusCode::CREATED, answer.to_string()).into_response()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_directory_is_published() {
    let world = World::new().await;
    for (kind, media) in [("tar.gz", "application/gzip"), ("zip", "application/zip")] {
        let message = "fix: caf\u{e9} & more?";
        let output = world
            .publish(&["--message", message, "--traffic", "12.5", "--archive", kind])
            .await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let printed = text(&output.stdout);
        assert!(
            printed.starts_with("shop: revision 7 serves /function/shop\n"),
            "{printed}"
        );
        assert!(printed.contains("/function/shop:r7\npip said: installed\n"));
        assert!(printed.contains("of 3 files were sent; it took "));
        let put = world.last();
        assert_eq!(put.name, "shop");
        assert_eq!(put.query["message"], message);
        assert_eq!(put.query["traffic"], "12.5");
        assert!(!put.query.contains_key("prove"));
        assert_eq!(put.headers["content-type"], media);
        assert_eq!(put.headers["authorization"], "Bearer secret");
        let length = put.headers["content-length"].to_str().unwrap();
        assert_eq!(length, put.body.len().to_string());
        let archive = world.tree.path("archive");
        std::fs::write(&archive, &put.body).unwrap();
        let into = world.tree.path(kind);
        let summary = check_and_unpack(&archive, &into, &Limits::default()).unwrap();
        assert_eq!(
            (summary.files, summary.directories, summary.links),
            (3, 1, 1)
        );
        assert!(into.join("lib/code.txt").is_file() && !into.join("lib/left.out").exists());
    }
}

#[tokio::test]
async fn programs_get_json_and_may_choose_the_name() {
    let world = World::new().await;
    world
        .tree
        .write("shop/function.toml", "command = [\"./run\"]\n");
    let output = world
        .publish(&["--json", "--name", "other", "--no-prove"])
        .await;
    let error = text(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert_eq!(error, "", "nothing but JSON");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["number"], 7);
    assert_eq!(answer["function"], "other");
    let put = world.last();
    assert_eq!(
        (put.name.as_str(), put.query["prove"].as_str()),
        ("other", "false")
    );
    assert_eq!(put.query["traffic"], "all");
}

#[tokio::test]
async fn a_package_of_many_pieces_arrives_whole() {
    let world = World::new().await;
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(5 << 20)
    .collect();
    std::fs::write(world.tree.path("shop/noise"), &noise).unwrap();
    let output = world.publish(&[]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let archive = world.tree.path("archive");
    std::fs::write(&archive, world.last().body).unwrap();
    let into = world.tree.path("into");
    check_and_unpack(&archive, &into, &Limits::default()).unwrap();
    assert_eq!(std::fs::read(into.join("noise")).unwrap(), noise);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words() {
    let world = World::new().await;
    let refused = world.publish(&["--message", "refuse me"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    let expected = "stoker: the manifest is wrong\n  function.toml:3: listen: expected one of port, \
        unix, inherit\n";
    assert!(error.ends_with(expected), "{error}");

    world.tree.write(
        "shop/function.toml",
        "command = [\"./run\"]\nlisten = \"door\"\n",
    );
    let error = text(&world.publish(&[]).await.stderr);
    assert!(
        error.contains("listen") && error.contains("door"),
        "{error}"
    );
    std::fs::remove_file(world.tree.path("shop/function.toml")).unwrap();
    let error = text(&world.publish(&[]).await.stderr);
    let parts = ["no function.toml in", "shop: name the directory"];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    let wrong = world.publish(&["--traffic", "half"]).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(world.taken.0.lock().unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_dry_run_sends_nothing() {
    let world = World::new().await;
    let output = world.publish(&["--dry-run"]).await;
    assert!(output.status.success());
    let printed = text(&output.stdout);
    let expected = "      link  code -> lib/code.txt
      34 B  function.toml
 195.3 KiB  lib/code.txt
      10 B  run
195.4 KiB in 3 files would be sent as shop
";
    assert_eq!(printed, expected);
    let json = world.publish(&["--dry-run", "--json"]).await.stdout;
    let whole: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(whole["files"], 3);
    assert_eq!(
        whole["items"][0],
        json!({ "path": "code", "link": "lib/code.txt" })
    );
    assert!(world.taken.0.lock().unwrap().is_empty());
}
