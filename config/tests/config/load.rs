//! Where functions are found, and what comes out.

use std::path::Path;

use stoker_config::load;

use crate::tree::{Tree, text};

const MINIMAL: &str = "command = [\"./run\"]";

fn names(config: &stoker_config::Config) -> Vec<&str> {
    config
        .functions
        .iter()
        .map(|function| &*function.name)
        .collect()
}

#[test]
fn functions_are_found_and_sorted() {
    let tree = Tree::new();
    tree.function("b", MINIMAL);
    tree.function("a", MINIMAL);
    tree.function(".hidden", MINIMAL);
    tree.write("functions/no-manifest/readme.md", "");
    tree.write("functions/file.txt", "");
    tree.write("other/z/function.toml", MINIMAL);
    tree.write("single/function.toml", MINIMAL);
    tree.write("single/below/function.toml", MINIMAL);
    let config = tree
        .load("functions = [\"functions\", \"other/*\", \"./single/\"]")
        .unwrap();
    assert_eq!(names(&config), ["a", "b", "single", "z"]);
    for watched in [
        "stoker.toml",
        "functions",
        "functions/a/function.toml",
        "functions/no-manifest",
        "other",
        "other/z",
        "single",
        "single/function.toml",
    ] {
        assert!(
            config.watched.contains(&tree.path(watched)),
            "{watched}: {:?}",
            config.watched
        );
    }
}

#[test]
fn a_manifest_found_twice_counts_once() {
    let tree = Tree::new();
    tree.function("a", MINIMAL);
    let config = tree
        .load("functions = [\"functions\", \"functions/*\", \"functions/a\"]")
        .unwrap();
    assert_eq!(names(&config), ["a"]);
}

#[test]
fn a_linked_directory_is_searched() {
    let tree = Tree::new();
    tree.write("elsewhere/function.toml", MINIMAL);
    std::os::unix::fs::symlink(tree.path("elsewhere"), tree.path("functions/linked")).unwrap();
    std::os::unix::fs::symlink("nowhere", tree.path("functions/dangling")).unwrap();
    assert_eq!(names(&tree.load("").unwrap()), ["linked"]);
}

#[test]
fn paths_are_absolute() {
    let tree = Tree::new();
    let manifest = tree.function("a", MINIMAL);
    let config = tree
        .load("functions = [\"./functions\"]\nlisten = [\"unix:./run/s\"]")
        .unwrap();
    let function = &config.functions[0];
    assert_eq!(function.manifest, manifest);
    assert_eq!(function.command, [text(&tree.path("functions/a/run"))]);
    assert_eq!(function.working_directory, tree.path("functions/a"));
    assert_eq!(config.gateway.state_dir, tree.path(".stoker"));
    assert_eq!(
        config.gateway.listeners[0].address.to_string(),
        format!("unix:{}", text(&tree.path("run/s")))
    );
}

/// Relative to the current directory, `config` when tests run.
#[test]
fn messages_name_files_as_they_were_given() {
    let errors = load(Path::new("src/lib.rs")).unwrap_err();
    assert!(
        errors
            .iter()
            .all(|error| error.file == Path::new("src/lib.rs")),
        "{errors}"
    );
    let manifest = Path::new("src/reference/stoker.toml");
    let errors = stoker_config::load_function(manifest).unwrap_err();
    assert!(
        errors.to_string().starts_with("src/reference/stoker.toml:"),
        "{errors}"
    );
}

#[test]
fn no_functions_are_no_error_but_a_missing_directory_that_is_named_is() {
    let tree = Tree::new();
    assert!(tree.load("").unwrap().functions.is_empty());
    assert!(tree.load("functions = []").unwrap().functions.is_empty());
    std::fs::remove_dir(tree.path("functions")).unwrap();
    let errors = tree.errors("functions = [\"functions\"]");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("stoker.toml:1: functions: got \"functions\", expected a directory")
    );
}

#[test]
fn the_directory_of_the_default_may_be_missing_and_is_watched_for() {
    let tree = Tree::new();
    std::fs::remove_dir(tree.path("functions")).unwrap();
    let config = tree.load("threads = 1").unwrap();
    assert!(config.functions.is_empty());
    assert!(config.watched.contains(&tree.path("functions")));
    tree.function("late", "command = [\"true\"]");
    assert_eq!(tree.load("threads = 1").unwrap().functions.len(), 1);
    std::fs::remove_dir_all(tree.path("functions")).unwrap();
    tree.write("functions", "a file in its place is an error");
    assert_eq!(tree.errors("").len(), 1);
}
