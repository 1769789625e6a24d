//! Functions whose handler a runner runs.

use std::time::Duration;

use stoker_config::{FunctionSpec, Interface, Language, Listen};

use crate::tree::{Tree, one, text, wrong};

const PYTHON: &str = "runtime = \"python\"\nhandler = \"main:app\"\n";

fn with(more: &str) -> FunctionSpec {
    one(&format!("{PYTHON}{more}"))
}

#[test]
fn a_runtime_in_place_of_a_command() {
    let function = with("");
    assert_eq!(function.command, ["python3"]);
    assert_eq!(function.listen, Listen::Inherit);
    let runtime = function.runtime.expect("there is one");
    assert_eq!(
        (runtime.language, &*runtime.handler, runtime.interface),
        (Language::Python, "main:app", Interface::Auto)
    );
    assert!(runtime.preload && !runtime.fallback);
    assert_eq!(runtime.websocket_bytes, 16 << 20);
    let spares = function.scaling.spares.expect("it has some");
    assert_eq!((spares.least, spares.most), (1, 4));
    assert_eq!(spares.idle_timeout, Duration::from_secs(600));
    assert!(!spares.eager);

    let node = one("runtime = \"node\"\nhandler = \"main.mjs#get\"\ninterface = \"fetch\"");
    assert_eq!(node.command, ["node"]);
    assert_eq!(node.runtime.expect("one").interface, Interface::Fetch);
    let plain = one("command = [\"x\"]");
    assert!(plain.runtime.is_none() && plain.scaling.spares.is_none());
}

#[test]
fn the_bound_of_a_message_belongs_to_the_revision() {
    let plain = with("").revision();
    assert_eq!(
        plain,
        with("[websocket]\nmessage-bytes = \"16MiB\"").revision()
    );
    let longer = with("[websocket]\nmessage-bytes = \"17MiB\"");
    assert_eq!(
        longer.runtime.as_ref().expect("one").websocket_bytes,
        17 << 20
    );
    assert_ne!(plain, longer.revision());
}

#[test]
fn without_preloading_there_are_no_spares() {
    let function = with("[preload]\nenabled = false");
    assert!(!function.runtime.expect("one").preload);
    assert_eq!(function.scaling.spares, None);
}

#[test]
fn the_interpreter_is_found_like_a_program() {
    let tree = Tree::new();
    std::fs::create_dir(tree.path("functions/f")).unwrap();
    let text_of = |interpreter: &str| format!("{PYTHON}interpreter = {interpreter:?}");
    let load = |interpreter: &str| {
        let file = tree.function("f", &text_of(interpreter));
        stoker_config::load_function(&file).unwrap().command
    };
    assert_eq!(
        load("venv/bin/python"),
        [text(&tree.path("functions/f/venv/bin/python"))]
    );
    assert_eq!(load("pypy3"), ["pypy3"]);
}

#[test]
fn exactly_one_of_command_and_runtime() {
    for (text, key) in [
        ("", "command: got nothing, expected a program"),
        ("runtime = \"python\"", "handler: got nothing"),
        ("handler = \"main:app\"\ncommand = [\"x\"]", "handler: got"),
        ("command = [\"x\"]\ninterpreter = \"x\"", "interpreter: got"),
        ("command = [\"x\"]\n[preload]\nspares = 2", "preload: got"),
        (
            "command = [\"x\"]\nruntime = \"node\"\nhandler = \"a.mjs\"",
            "command: got",
        ),
    ] {
        let errors = wrong(text);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].contains(key), "{text}: {}", errors[0]);
    }
}

#[test]
fn what_does_not_go_with_a_runtime() {
    for more in [
        "listen = \"port\"",
        "contract = \"h2c\"",
        "interface = \"fetch\"",
        "[preload]\nspares = 5",
        "[preload]\nspares = 3\nspares-max = 2",
        "[preload]\nidle-timeout = \"1ms\"",
        "[preload]\nat = \"never\"",
        "[websocket]\nmessage-bytes = \"1\"",
        "[isolation]\nnamespaces = [\"pid\"]",
    ] {
        let errors = wrong(&format!("{PYTHON}{more}"));
        assert_eq!(errors.len(), 1, "{more}: {errors:#?}");
    }
    with("[isolation]\nnamespaces = [\"pid\"]\n[preload]\nenabled = false");
    assert_eq!(
        wrong("runtime = \"node\"\nhandler = \"a.mjs\"\n[websocket]\nmessage-bytes = \"1MiB\"")
            .len(),
        1
    );
    for handler in ["", "a b", "a\\u0000"] {
        let errors = wrong(&format!("runtime = \"python\"\nhandler = \"{handler}\""));
        assert_eq!(errors.len(), 1, "{handler}: {errors:#?}");
    }
    assert_eq!(wrong("runtime = \"ruby\"\nhandler = \"x\"").len(), 1);
}

#[test]
fn what_makes_a_new_revision() {
    let tree = Tree::new();
    let revision = |more: &str| {
        let file = tree.function("f", &format!("{PYTHON}{more}"));
        stoker_config::load_function(&file).unwrap().revision()
    };
    let base = revision("");
    for same in [
        "[preload]\nspares = 2\nspares-max = 9\nidle-timeout = \"1h\"\nat = \"start\"",
        "[scaling]\nmax-scale = 5",
    ] {
        assert_eq!(revision(same), base, "{same}");
    }
    for other in [
        "interface = \"wsgi\"",
        "interpreter = \"python3.11\"",
        "[preload]\nenabled = false",
        "[preload]\nfallback = true",
        "[scaling]\nconcurrency = 5",
    ] {
        assert_ne!(revision(other), base, "{other}");
    }
}
