use std::time::Duration;

use serde_json::json;
use stoker_control::reload::ReloadError;
use tokio::time::timeout;

use crate::tree::{Tree, manifest};
use crate::world::{World, problem};

#[tokio::test]
async fn on_request_and_valid() {
    let world = World::with(&["f"]).await;
    assert_eq!(
        world.post("/v1/reload", "").await.unwrap(),
        json!({"added": [], "replaced": [], "changed": [], "removed": [], "certificates": [], "needs_restart": []})
    );
    std::fs::remove_dir_all(world.tree.path("functions/f")).unwrap();
    world.tree.function("g", "");
    world.post("/v1/reload", "").await.unwrap();
    assert_eq!(world.names(), ["g"]);
}

#[tokio::test]
async fn what_is_not_valid_is_refused_with_every_error() {
    let mut world = World::with(&["f"]).await;
    world
        .tree
        .function("f", "[scaling]\nconcurrency = 0\nmax-scale = 0");
    world.until(|world| world.reloader.errors().is_some()).await;
    let refused = problem(world.post("/v1/reload", "").await.map(drop));
    assert_eq!(refused.kind, "urn:stoker:problem:invalid-configuration");
    assert_eq!((refused.status, refused.errors.len()), (422, 2));
    assert!(
        refused.errors[0].contains("scaling.concurrency"),
        "{refused:?}"
    );
    assert_eq!(world.names(), ["f"]);
    let errors = &world.get("/v1/gateway").await["configuration"]["errors"];
    assert_eq!(errors.as_array().unwrap().len(), 2);
    assert!(matches!(
        world.reloader.reload().await,
        Err(ReloadError::Invalid(_))
    ));

    world.tree.function("f", "[scaling]\nconcurrency = 7");
    world.until(|world| world.reloader.errors().is_none()).await;
    assert_eq!(world.get("/v1/functions/f").await["concurrency"], 7);
}

#[tokio::test]
async fn files_that_are_written_or_renamed_take_effect() {
    let mut world = World::with(&["f"]).await;
    let concurrency = |world: &World| {
        world.gateway.snapshot().functions["f"]
            .spec
            .scaling
            .concurrency
    };
    world.tree.function("f", "[scaling]\nconcurrency = 2");
    world.until(|world| concurrency(world) == 2).await;
    // As editors do it, and again, for the watch must have stayed.
    for number in [3, 4] {
        let text = manifest("f", &format!("[scaling]\nconcurrency = {number}"));
        let new = world.tree.write("functions/f/.function.toml.swp", &text);
        std::fs::rename(new, world.tree.path("functions/f/function.toml")).unwrap();
        world.until(|world| concurrency(world) == number).await;
    }
}

#[tokio::test]
async fn functions_come_and_go() {
    let mut world = World::with(&["f"]).await;
    world.tree.function("g", "");
    world.until(|world| world.names() == ["f", "g"]).await;
    // The directory first, and the manifest when the directory is known.
    std::fs::create_dir(world.tree.path("functions/h")).unwrap();
    world.read_again().await;
    world.tree.function("h", "");
    world.until(|world| world.names() == ["f", "g", "h"]).await;
    std::fs::remove_dir_all(world.tree.path("functions/g")).unwrap();
    world.until(|world| world.names() == ["f", "h"]).await;
    std::fs::rename(world.tree.path("functions/h"), world.tree.path("away")).unwrap();
    world.until(|world| world.names() == ["f"]).await;
    std::fs::rename(world.tree.path("away"), world.tree.path("functions/h")).unwrap();
    world.until(|world| world.names() == ["f", "h"]).await;
}

#[tokio::test]
async fn a_directory_that_is_made_anew_is_watched() {
    let mut world = World::with(&["f"]).await;
    for concurrency in [2, 3] {
        std::fs::remove_dir_all(world.tree.path("functions")).unwrap();
        world
            .until(|world| world.reloader.errors().is_some() || world.names().is_empty())
            .await;
        world
            .tree
            .function("f", &format!("[scaling]\nconcurrency = {concurrency}"));
        world
            .until(|world| {
                let snapshot = world.gateway.snapshot();
                let function = snapshot.functions.get("f");
                function.is_some_and(|entry| entry.spec.scaling.concurrency == concurrency)
            })
            .await;
    }
}

#[tokio::test]
async fn a_new_function_with_errors_is_watched_until_mended() {
    let mut world = World::with(&["f"]).await;
    world.tree.function("g", "bogus = 1");
    world.until(|world| world.reloader.errors().is_some()).await;
    world.tree.function("g", "");
    world.until(|world| world.names() == ["f", "g"]).await;
}

#[tokio::test]
async fn what_functions_write_causes_no_reload() {
    let mut world = World::with(&["f"]).await;
    world.tree.write("functions/f/data.json", "{}");
    world.tree.write("functions/f/cache/data.json", "{}");
    world.tree.write("other.txt", "");
    let before = world.reloader.status().borrow().count;
    // What comes after them in the same queue of events, and in one step.
    let text = manifest("f", "[scaling]\nconcurrency = 9");
    let new = world.tree.write("functions/f/new.toml", &text);
    std::fs::rename(new, world.tree.path("functions/f/function.toml")).unwrap();
    world.read_again().await;
    assert_eq!(
        world.gateway.snapshot().functions["f"]
            .spec
            .scaling
            .concurrency,
        9
    );
    assert_eq!(world.reloader.status().borrow().count, before + 1);
}

/// In a process of its own, for the signal would reach the other tests too.
#[test]
fn hangup_reloads() {
    const ALONE: &str = "STOKER_TEST_HANGUP";
    if std::env::var_os(ALONE).is_none() {
        let test = std::env::current_exe().unwrap();
        let mut alone = std::process::Command::new(test);
        alone
            .args(["--exact", "reload::hangup_reloads"])
            .env(ALONE, "1");
        assert!(alone.output().unwrap().status.success());
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut world = World::start(Tree::new()).await;
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        world.read_again().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_at_once_come_one_after_the_other() {
    let world = World::with(&["f"]).await;
    let before = world.reloader.status().borrow().count;
    world.tree.function("g", "");
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let reloader = world.reloader.clone();
            tokio::spawn(async move { reloader.reload().await.unwrap() })
        })
        .collect();
    let mut added = 0;
    for asked in asked {
        added += asked.await.unwrap().added.len();
    }
    // Either one of these found it, or the watch did before them.
    assert!(added <= 1);
    assert_eq!(world.names(), ["f", "g"]);
    assert!(world.reloader.status().borrow().count >= before + 8);
}

#[tokio::test]
async fn nobody_leads_while_another_gateway_may_take_over() {
    let world = World::with(&[]).await;
    let suspension = world.reloader.suspend().await.unwrap();
    let mut lead = Box::pin(world.reloader.lead());
    let waits = timeout(Duration::ZERO, &mut lead).await;
    assert!(waits.is_err());
    drop(suspension);
    let held = lead.await;
    let mut suspending = Box::pin(world.reloader.suspend());
    let waits = timeout(Duration::ZERO, &mut suspending).await;
    assert!(waits.is_err());
    drop(held);
    suspending.await.unwrap();
}
