//! What makes a new revision and what does not.

use crate::tree::Tree;

const BASE: &str = "command = [\"x\", \"y\"]\n";

fn revision(tree: &Tree, text: &str) -> String {
    stoker_config::load_function(&tree.function("f", text))
        .unwrap()
        .revision()
}

#[test]
fn what_needs_new_instances_makes_a_new_revision() {
    let tree = Tree::new();
    let base = revision(&tree, BASE);
    let mut seen = vec![base];
    for text in [
        "command = [\"xy\"]",
        "command = [\"x\"]",
        "command = [\"\\u0078y\", \"\"]",
        "command = [\"x\", \"y\"]\nlisten = \"unix\"",
        "command = [\"x\", \"y\"]\nuser = \"u\"",
        "command = [\"x\", \"y\"]\nname = \"g\"",
        "command = [\"x\", \"y\"]\nworking-directory = \"/\"",
        "command = [\"x\", \"y\"]\n[environment]\nA = \"bc\"",
        "command = [\"x\", \"y\"]\n[environment]\nAb = \"c\"",
        "command = [\"x\", \"y\"]\n[limits]\nopen-files = 100",
        "command = [\"x\", \"y\"]\n[limits]\nprocesses = 100",
        "command = [\"x\", \"y\"]\n[limits]\ncpu-time = \"100s\"",
        "command = [\"x\", \"y\"]\n[limits]\ncore-bytes = 100",
        "command = [\"x\", \"y\"]\n[resources]\nmemory = \"1MiB\"",
        "command = [\"x\", \"y\"]\n[resources]\ncpu = 0.5",
        "command = [\"x\", \"y\"]\n[resources]\nprocesses = 100",
        "command = [\"x\", \"y\"]\n[isolation]\nseccomp = \"default\"",
        "command = [\"x\", \"y\"]\n[isolation]\nnamespaces = [\"mount\"]",
        "command = [\"x\", \"y\"]\n[isolation]\nnamespaces = [\"pid\", \"ipc\"]",
        "command = [\"x\", \"y\"]\n[isolation]\nnamespaces = [\"mount\"]\nread-only = true",
        "command = [\"x\", \"y\"]\n[isolation]\nnamespaces = [\"mount\"]\ntmp-bytes = 5000",
        "command = [\"x\", \"y\"]\n[timeouts]\nstart = \"11s\"",
    ] {
        let revision = revision(&tree, text);
        assert_eq!(revision.len(), 16);
        assert!(!seen.contains(&revision), "{text}");
        seen.push(revision);
    }
}

#[test]
fn what_the_gateway_does_makes_none() {
    let tree = Tree::new();
    let base = revision(&tree, BASE);
    for text in [
        "",
        "[scaling]\nmax-scale = 100",
        "[[routes]]\npath = \"/\"",
        "[queue]\nmax-waiters = 1",
        "[timeouts]\ntotal = \"1s\"\ndrain = \"1s\"",
        "[limits]\nbody-bytes = 1",
        "[backoff]\nreject-after = 9",
        "# a comment",
    ] {
        assert_eq!(revision(&tree, &format!("{BASE}{text}")), base, "{text}");
    }
}

/// The same in every process and every release: instances are adopted by it.
#[test]
fn the_hash_is_fixed() {
    let tree = Tree::new();
    let text = "command = [\"x\", \"y\"]\nname = \"f\"\nworking-directory = \"/\"";
    assert_eq!(revision(&tree, text), "3a4c53b238fb3730");
}
