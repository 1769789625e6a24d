//! Ten thousand functions.

use std::time::Instant;

use crate::tree::Tree;

const COUNT: usize = 10_000;

/// `cargo test -p stoker-config --release -- --ignored --nocapture ten_thousand`
#[test]
#[ignore = "a measurement, for a release build"]
fn ten_thousand_manifests() {
    let tree = Tree::new();
    for index in 0..COUNT {
        let text = format!(
            "name = \"function-{index}\"\ncommand = [\"./server\", \"--verbose\"]\nlisten = \"inherit\"\n\n\
             [environment]\nLOG_LEVEL = \"info\"\nTZ = \"UTC\"\n\n\
             [[routes]]\nhost = \"example.org\"\npath = \"/f{index}/{{id}}/{{*rest}}\"\n\
             methods = [\"GET\", \"POST\"]\n\n\
             [scaling]\nconcurrency = 10\nmax-scale = 20\nidle-timeout = \"30s\"\n\n\
             [timeouts]\ntotal = \"1m\"\nqueue = \"10s\"\n\n[limits]\nbody-bytes = \"1MiB\"\n"
        );
        tree.function(&format!("f{index}"), &text);
    }
    for _ in 0..5 {
        let start = Instant::now();
        let config = tree.load("").unwrap();
        let elapsed = start.elapsed();
        println!("{} manifests in {elapsed:?}", config.functions.len());
        assert_eq!(config.functions.len(), COUNT);
        assert!(
            cfg!(debug_assertions) || elapsed.as_secs_f64() < 1.0,
            "{elapsed:?}"
        );
    }
}
