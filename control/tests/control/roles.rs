//! Who may call what, by the OpenAPI document.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stoker_control::admin::openapi_document;
use tokio::net::TcpStream;

use crate::tree::Tree;
use crate::world::World;

/// The callers, the least first.
const CALLERS: [(&str, Option<&str>); 4] = [
    ("none", None),
    ("reader", Some("a-token-of-a-reader")),
    ("publisher", Some("a-token-of-a-publisher")),
    ("admin", Some("a-token-of-an-administrator")),
];

/// A gateway with a token for each role.
async fn world() -> World {
    let tree = Tree::new();
    tree.function("f", "");
    for (role, token) in CALLERS {
        let Some(token) = token else { continue };
        let file = tree.write(&format!("{role}.token"), token);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(file, mode).unwrap();
        let row = format!(
            "[[admin.tokens]]\nname = \"a-{role}\"\nrole = \"{role}\"\ntoken-file = \"{role}.token\"\n"
        );
        tree.append("stoker.toml", &row);
    }
    World::start(tree).await
}

/// The answer's status and problem, over a connection of its own; a body that goes on is left.
async fn ask(world: &World, (method, path): (&str, &str), authorization: &str) -> (u16, Value) {
    let address = world.url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method.to_ascii_uppercase().as_str())
        .uri(path)
        .header("host", address);
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let response: Response<_> = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    if status < 400 {
        return (status, Value::Null);
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let problem = serde_json::from_slice(&body);
    (
        status,
        problem.unwrap_or_else(|_| panic!("{method} {path}: {body:?}")),
    )
}

/// Every operation of the document: its method, a path that it has, and the role it needs.
fn operations() -> Vec<(String, String, String)> {
    let document = openapi_document();
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        // No such thing is there, but that is not for everybody to know.
        let path = path
            .replace("{name}", "f")
            .replace("{id}", "abc")
            .replace("{n}", "7")
            .replace("{alias}", "old")
            .replace("{file}", "main.js")
            .replace("{key}", "KEY");
        assert!(!path.contains('{'), "{path}");
        for (method, operation) in operations.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap_or("none");
            all.push((method.clone(), path.clone(), role.to_owned()));
        }
    }
    all
}

#[tokio::test]
async fn every_route_knows_who_may_call_it() {
    let world = world().await;
    let rank = |role: &str| CALLERS.iter().position(|(name, _)| *name == role).unwrap();
    let operations = operations();
    assert!(operations.len() >= 20, "{}", operations.len());
    // The least first, so that what an administrator does changes nothing for the others.
    for (caller, token) in CALLERS {
        let authorization = token.map_or(String::new(), |token| format!("Bearer {token}"));
        for (method, path, needed) in &operations {
            let (status, problem) = ask(&world, (method, path), &authorization).await;
            let what = format!("{method} {path} by {caller}: {status} {problem}");
            let expected = match rank(caller) >= rank(needed) {
                true => None,
                false if caller == "none" => Some(401),
                false => Some(403),
            };
            match expected {
                Some(expected) => {
                    assert_eq!(status, expected, "{what}");
                    assert_eq!(problem["status"], expected, "{what}");
                }
                None => assert!(![401, 403].contains(&status), "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_for_strangers() {
    let world = world().await;
    let reader = "Bearer a-token-of-a-reader";
    assert_eq!(ask(&world, ("GET", "/nowhere"), "").await.0, 401);
    assert_eq!(ask(&world, ("GET", "/nowhere"), reader).await.0, 404);
    assert_eq!(ask(&world, ("PATCH", "/v1/stats"), "").await.0, 401);
    assert_eq!(ask(&world, ("PATCH", "/v1/stats"), reader).await.0, 405);
    assert_eq!(ask(&world, ("POST", "/healthz"), "").await.0, 405);
    let (status, problem) = ask(&world, ("POST", "/v1/reload"), reader).await;
    assert_eq!(status, 403);
    assert_eq!(problem["type"], "urn:stoker:problem:forbidden");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("\"a-reader\" has \"reader\""), "{detail}");
    // Not even a name that is no text gets another answer than a problem.
    assert_eq!(
        ask(&world, ("GET", "/v1/functions/%FF"), reader).await.0,
        400
    );
}

#[tokio::test]
async fn tokens_come_and_go_with_the_configuration() {
    let mut world = world().await;
    let publisher = "Bearer a-token-of-a-publisher";
    assert_eq!(ask(&world, ("GET", "/v1/stats"), publisher).await.0, 200);
    world
        .tree
        .write("publisher.token", "another-token-of-a-publisher");
    world
        .until(|world| {
            let snapshot = world.gateway.snapshot();
            let tokens = &snapshot.gateway.admin.tokens;
            let digest =
                ring::digest::digest(&ring::digest::SHA256, b"another-token-of-a-publisher");
            tokens.iter().any(|token| token.digest == digest.as_ref())
        })
        .await;
    assert_eq!(ask(&world, ("GET", "/v1/stats"), publisher).await.0, 401);
    let new = "Bearer another-token-of-a-publisher";
    assert_eq!(ask(&world, ("GET", "/v1/stats"), new).await.0, 200);
    let password = "Basic JGY6YW5vdGhlci10b2tlbi1vZi1hLXB1Ymxpc2hlcg==";
    assert_eq!(ask(&world, ("GET", "/v1/stats"), password).await.0, 401);
}
