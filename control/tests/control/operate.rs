use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use stoker_control::wire::Evicted;

use crate::tree::Tree;
use crate::world::{World, problem};

fn later() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn scale_holds_and_hands_back() {
    let tree = Tree::new();
    tree.function("f", "[scaling]\nmax-scale = 4");
    let mut world = World::start(tree).await;
    let held = world
        .post("/v1/functions/f/scale", "{\"desired\": 3}")
        .await
        .unwrap();
    assert_eq!(held["scale_override"], 3);
    assert_eq!(held["desired"], 3);
    world.started(3).await;
    assert_eq!(world.get("/v1/functions/f").await["states"]["ready"], 3);

    let too_many = problem(
        world
            .post("/v1/functions/f/scale", "{\"desired\": 5}")
            .await
            .map(drop),
    );
    assert_eq!(too_many.kind, "urn:stoker:problem:invalid-scale");
    assert_eq!(too_many.status, 422);
    assert!(too_many.detail.contains("from 0 to 4"), "{too_many:?}");
    let no_json = problem(world.post("/v1/functions/f/scale", "three").await.map(drop));
    assert_eq!(no_json.status, 400);

    let automatic = world
        .post("/v1/functions/f/scale", "{\"desired\": null}")
        .await
        .unwrap();
    assert_eq!(automatic["scale_override"], Value::Null);
}

#[tokio::test]
async fn evict_answers_when_all_are_gone() {
    let mut world = World::with(&["f", "g"]).await;
    world
        .post("/v1/functions/f/scale", "{\"desired\": 2}")
        .await
        .unwrap();
    world
        .post("/v1/functions/g/scale", "{\"desired\": 1}")
        .await
        .unwrap();
    world.started(3).await;
    let answer = world
        .client
        .post("/v1/functions/f/evict", Bytes::new(), Duration::ZERO)
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json::<Value>().unwrap(),
        json!({"evicted": 2, "left": []})
    );
    let instances = world.get("/v1/instances").await;
    let of_f = instances
        .as_array()
        .unwrap()
        .iter()
        .filter(|instance| instance["function"] == "f");
    assert!(
        of_f.clone()
            .all(|instance| instance["id"] != "1-1" && instance["id"] != "1-2")
    );

    let all = world.post("/v1/evict", "").await.unwrap();
    assert!(all["evicted"].as_u64().unwrap() >= 1);
    assert_eq!(all["left"], json!([]));
}

#[tokio::test]
async fn evict_tells_what_is_left() {
    let world = World::with(&["f"]).await;
    let lease = world.function("f").acquire(later()).await.unwrap();
    let path = "/v1/functions/f/evict?wait=1ms";
    let answer = world
        .client
        .post(path, Bytes::new(), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(answer.status, 202);
    let evicted: Evicted = answer.json().unwrap();
    assert_eq!((evicted.evicted, evicted.left.len()), (1, 1));
    assert_eq!(evicted.left[0].state, "draining");
    assert_eq!(evicted.left[0].in_use, 1);

    // The same instance again, and this time it goes while the answer is awaited.
    let client = world.client.clone();
    let waiting = tokio::spawn(async move {
        let path = "/v1/functions/f/evict?wait=20s";
        client
            .post(path, Bytes::new(), Duration::from_secs(20))
            .await
    });
    drop(lease);
    assert_eq!(waiting.await.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn evict_waits_for_instances_that_stop_slowly() {
    let world = World::with(&["f"]).await;
    drop(world.function("f").acquire(later()).await.unwrap());
    world.driver.set_stubborn();
    let path = "/v1/functions/f/evict?wait=0s";
    let answer = world
        .client
        .post(path, Bytes::new(), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json::<Evicted>().unwrap().left[0].state, "stopping");
    world.driver.give_in();
    let path = "/v1/functions/f/evict?wait=20s";
    let answer = world
        .client
        .post(path, Bytes::new(), Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn evict_has_bounds() {
    let world = World::with(&["f"]).await;
    for query in ["wait=1h", "wait=5", "waits=5s"] {
        let wrong = world
            .post(&format!("/v1/functions/f/evict?{query}"), "")
            .await
            .map(drop);
        assert_eq!(problem(wrong).status, 400, "{query}");
    }
    let nothing = world.post("/v1/functions/f/evict", "").await.unwrap();
    assert_eq!(nothing, json!({"evicted": 0, "left": []}));
}
