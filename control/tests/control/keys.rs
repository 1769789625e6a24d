//! Keys, over the admin API and by command.

use serde_json::{Value, json};

use crate::tree::Tree;
use crate::world::{World, problem};

async fn world() -> World {
    let tree = Tree::new();
    tree.function("hello", "[access]\nlevel = \"function\"");
    tree.append("stoker.toml", "[access]\nkeys = 3\n");
    World::start(tree).await
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("there is no {key} in {value}"))
}

#[tokio::test]
async fn a_key_is_made_listed_rotated_and_revoked() {
    let world = world().await;
    assert_eq!(world.get("/v1/keys").await, json!([]));
    let body =
        "{\"scope\": \"function\", \"function\": \"hello\", \"name\": \"ci\", \"expires_in\": 600}";
    let made = world.post("/v1/keys", body).await.unwrap();
    let id = text(&made, "id").to_owned();
    assert!(
        text(&made, "key").starts_with(&format!("stk_{id}_")),
        "{made}"
    );
    assert_eq!(
        (text(&made, "scope"), text(&made, "function")),
        ("function", "hello")
    );
    let created = made["created"].as_u64().unwrap();
    assert_eq!(made["expires"], created + 600);

    let listed = world.get("/v1/keys").await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(
        (text(&listed[0], "id"), &listed[0]["key"]),
        (id.as_str(), &Value::Null)
    );

    let path = format!("/v1/keys/{id}/rotate");
    let second = world.post(&path, "{\"overlap\": 60}").await.unwrap();
    assert_ne!(text(&second, "id"), id);
    assert_eq!(text(&second, "name"), "ci");
    let listed = world.get("/v1/keys").await;
    let old = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == id.as_str())
        .unwrap();
    assert_eq!(old["expires"], second["created"].as_u64().unwrap() + 60);
    let third = problem(world.post(&path, "").await.map(drop));
    assert_eq!(
        (third.status, third.kind.as_str()),
        (409, "urn:stoker:problem:key-conflict")
    );

    let revoked: Value = world
        .client
        .delete(&format!("/v1/keys/{id}"))
        .await
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(text(&revoked, "id"), id);
    let again = problem(
        world
            .client
            .delete(&format!("/v1/keys/{id}"))
            .await
            .map(drop),
    );
    assert_eq!(
        (again.status, again.kind.as_str()),
        (404, "urn:stoker:problem:unknown-key")
    );
    let gone = problem(world.post(&path, "{}").await.map(drop));
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn what_is_wrong_with_a_key() {
    let world = world().await;
    for (body, status) in [
        ("", 400),
        ("host", 400),
        ("{\"scope\": \"host\", \"expires\": 1}", 400),
        ("{\"scope\": \"root\"}", 422),
        ("{\"scope\": \"function\"}", 422),
        ("{\"scope\": \"host\", \"function\": \"hello\"}", 422),
        ("{\"scope\": \"host\", \"name\": \"a b\"}", 422),
        (
            "{\"scope\": \"host\", \"expires_in\": 18446744073709551615}",
            422,
        ),
        ("{\"scope\": \"function\", \"function\": \"helo\"}", 404),
    ] {
        let found = problem(world.post("/v1/keys", body).await.map(drop));
        assert_eq!(found.status, status, "{body}: {found:?}");
    }
    for name in ["a", "b", "c"] {
        let body = format!("{{\"scope\": \"host\", \"name\": \"{name}\"}}");
        world.post("/v1/keys", &body).await.unwrap();
    }
    let twice = problem(
        world
            .post("/v1/keys", "{\"scope\": \"host\", \"name\": \"a\"}")
            .await
            .map(drop),
    );
    assert!(twice.detail.contains("rotate it"), "{twice:?}");
    let full = problem(
        world
            .post("/v1/keys", "{\"scope\": \"master\"}")
            .await
            .map(drop),
    );
    assert_eq!(
        (full.status, full.detail.as_str()),
        (409, "there are 3 keys, which is access.keys")
    );
}
