use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;

use stoker_control::admin::AdminListeners;

use crate::tree::Tree;
use crate::world::{PATIENCE, World, spec};

#[test]
fn the_socket_is_for_its_owner() {
    let tree = Tree::new();
    let mut spec = spec(&tree);
    spec.socket = tree.path("made/for/it.sock");
    let listeners = AdminListeners::bind(&spec).unwrap();
    let mode = |path: &str| {
        std::fs::metadata(tree.path(path))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode("made/for/it.sock") & 0o777, 0o600);
    assert_eq!(mode("made/for") & 0o777, 0o700);
    assert_eq!(listeners.addresses().len(), 2);
    drop(listeners);
    assert!(!spec.socket.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let tree = Tree::new();
    let spec = spec(&tree);
    drop(UnixListener::bind(&spec.socket).unwrap());
    assert!(
        std::fs::metadata(&spec.socket)
            .unwrap()
            .file_type()
            .is_socket()
    );
    let listeners = AdminListeners::bind(&spec).unwrap();
    let error = AdminListeners::bind(&spec).unwrap_err().to_string();
    assert!(error.ends_with("another gateway answers there"), "{error}");
    drop(listeners);
    std::fs::write(&spec.socket, "precious").unwrap();
    let error = AdminListeners::bind(&spec).unwrap_err().to_string();
    assert!(
        error.ends_with("a file that is no socket is in its place"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&spec.socket).unwrap(), "precious");
}

#[test]
fn tcp_needs_a_token_and_a_free_port() {
    let tree = Tree::new();
    let mut spec = spec(&tree);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    spec.listen = Some(taken.local_addr().unwrap());
    assert!(AdminListeners::bind(&spec).is_err());
    spec.listen = Some("127.0.0.1:0".parse().unwrap());
    spec.tokens.clear();
    let error = AdminListeners::bind(&spec).unwrap_err().to_string();
    assert!(error.ends_with("a TCP listener needs a token"), "{error}");
}

#[tokio::test]
async fn the_end_frees_the_socket_and_ends_followers() {
    let mut world = World::with(&["f"]).await;
    let path = "/v1/functions/f/logs?follow=true";
    let mut body = world.client.stream(path).await.unwrap();
    world.end().await;
    assert!(!world.socket().exists());
    let rest = tokio::time::timeout(PATIENCE, http_body_util::BodyExt::frame(&mut body)).await;
    assert!(rest.unwrap().is_none());
    assert!(world.client.get("/healthz").await.is_err());
}
