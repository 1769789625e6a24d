//! Cells: interpreters of Node that are booted before they know their function.

use std::sync::Arc;

use stoker_core::FailureKind;
use stoker_scaler::driver::{Driver, Language, StartKind};

use super::{NODE, node_with, tell};
use crate::support::*;

#[tokio::test]
async fn a_booted_cell_loads_the_handler() {
    let bench = Bench::new();
    let spec = node_with(NODE);
    bench.prepare(&spec, Some(1));
    let before = bench.spares(1).await;
    assert_eq!((before.language, before.parent), (Language::Node, None));
    let started = bench.start(1, spec.clone()).await.expect("it starts");
    assert_eq!(started.kind, Some(StartKind::Cell));
    assert_eq!(started.pid, Some(before.spares[0]));
    let told = tell(&started);
    assert_eq!(
        (&told["instance"], &told["mine"]),
        (&"1-1".into(), &"yes".into())
    );
    assert_eq!(told["directory"], spec.working_directory.to_str().unwrap());
    assert!(told["channel"].is_null());

    // Another function of the same user takes from the same cells.
    let mut other = node_with("export default () => { throw new Error('no'); }; nonsense(");
    other.function = Arc::from("other");
    bench.prepare(&other, Some(1));
    bench.spares(1).await;
    assert_eq!(bench.driver.prepared().len(), 1);
    let second = bench.start(2, other.clone()).await.expect("it is assigned");
    assert_eq!(second.kind, Some(StartKind::Cell));
    // Its handler cannot be loaded: it ends, and its words are in its own log.
    assert_eq!(bench.exit().await.id, id(2));
    bench.prepare(&spec, None);
    bench.prepare(&other, None);
    bench.nothing_kept().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_cell_boots_when_it_is_needed() {
    let bench = Bench::new();
    let started = bench.start(1, node_with(NODE)).await.expect("it starts");
    assert_eq!(started.kind, Some(StartKind::Cell));
    assert_eq!(tell(&started)["pid"], started.pid.unwrap());
    let mut spec = node_with(NODE);
    spec.command = vec!["/does/not/exist".to_owned()];
    let failure = bench.refusal(2, spec).await;
    assert_eq!(failure.kind, FailureKind::NotExecutable);
    let mut spec = node_with(NODE);
    spec.environment
        .push(("NODE_OPTIONS".to_owned(), "--no-such-option".to_owned()));
    let failure = bench.refusal(3, spec).await;
    assert!(
        failure
            .detail
            .contains("its interpreter exited with status 9"),
        "{}",
        failure.detail
    );
    assert!(
        failure.detail.contains("--no-such-option"),
        "{}",
        failure.detail
    );
    bench.finish().await;
}
