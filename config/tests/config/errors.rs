//! Every error at once, where it is.

use crate::tree::{Tree, wrong};

#[test]
fn ten_mistakes_in_one_manifest() {
    let text = r#"nmae = "hello"
command = "server"
listen = "tcp"

[environment]
PORT = "1"

[scaling]
concurrency = 0
min-scale = 9
idle-timeout = 60
max-scale-up-rate = "fast"

[[routes]]
path = "/a/{x}/{x}"
strip-prefix = "no"

[timeouts]
total = "1s"
queue = "1m"
"#;
    let expected = [
        "1: nmae: got \"hello\", expected a known key; did you mean \"name\"?",
        "2: command: got \"server\", expected a list of at least one text",
        "3: listen: got \"tcp\", expected \"port\" or \"unix\" or \"inherit\"",
        "6: environment.PORT: got PORT, expected a variable's name",
        "9: scaling.concurrency: got 0, expected a whole number from 1 to 1000",
        "10: scaling.min-scale: got 9, expected no more than scaling.max-scale, which is 8",
        "11: scaling.idle-timeout: got 60, expected a duration from 0s to 24h",
        "12: scaling.max-scale-up-rate: got \"fast\", expected a number above 1",
        "15: routes[0].path: got \"/a/{x}/{x}\", expected a path such as",
        "16: routes[0].strip-prefix: got \"no\", expected true or false",
        "20: timeouts.queue: got \"1m\", expected no more than timeouts.total, which is 1s",
    ];
    let errors = wrong(text);
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
}

#[test]
fn errors_of_all_files_at_once() {
    let tree = Tree::new();
    tree.function("a", "command = []");
    tree.function(
        "b",
        "command = [\"x\"]\nname = \"B\"\n[scaling]\nconcurrency = 1001",
    );
    tree.function("c", "command = [x]");
    tree.function("Bad_Name", "command = [\"x\"]");
    let errors = tree.errors("threads = 0\nfunctions = [\"functions\", \"nowhere\"]");
    let starts = [
        "stoker.toml:1: threads: got 0, expected a whole number from 1 to 1024",
        "functions/Bad_Name/function.toml: name: got \"Bad_Name\", expected a name",
        "functions/a/function.toml:1: command: got [], expected a list of at least one text",
        "functions/b/function.toml:2: name: got \"B\", expected a name",
        "functions/b/function.toml:4: scaling.concurrency: got 1001, expected a whole number",
        "functions/c/function.toml:1: command: got x, expected valid TOML: ",
        "stoker.toml:2: functions: got \"nowhere\", expected a directory that can be read",
    ];
    assert_eq!(errors.len(), starts.len(), "{errors:#?}");
    for (error, start) in errors.iter().zip(starts) {
        assert!(error.starts_with(start), "{error}\n{start}");
    }
}

#[test]
fn errors_can_be_taken_apart() {
    let tree = Tree::new();
    let file = tree.function("a", "command = [\"x\"]\n[scaling]\nmax-scale = -1");
    let errors = tree.load("").unwrap_err();
    let error = errors.iter().next().unwrap();
    assert_eq!((&error.file, error.line), (&file, 3));
    assert_eq!(
        (error.key.as_str(), error.value.as_str()),
        ("scaling.max-scale", "-1")
    );
    assert_eq!(error.expected, "a whole number from 1 to 1000");
    assert_eq!(errors.to_string(), error.to_string());
    assert_eq!(errors.into_iter().count(), 1);
}

#[test]
fn a_syntax_error_hides_no_other_error_and_makes_none() {
    let errors = wrong("[scaling]\nconcurrency = 0\nmin-scale 5\n[limits]\nopen-files = x\n");
    let starts = [
        "2: scaling.concurrency: got 0",
        "3: scaling: got nothing, expected valid TOML: key with no value",
        "5: limits.open-files: got x, expected valid TOML: ",
    ];
    assert_eq!(errors.len(), starts.len(), "{errors:#?}");
    for (error, start) in errors.iter().zip(starts) {
        assert!(error.starts_with(start), "{error}");
    }
    // What is never closed is one mistake.
    assert_eq!(
        wrong("command = [\"a\"\nname = \"x\"\n[scaling]\nconcurrency = 0\n").len(),
        1
    );
    assert_eq!(
        wrong("command = [\"a\"]\nname = \"\"\"x\n[scaling]\nconcurrency = 0\n").len(),
        1
    );
}

#[test]
fn unknown_keys_are_suggested() {
    let cases = [
        ("[scaling]\nmin_scale = 1", "did you mean \"min-scale\"?"),
        (
            "[scaling]\ncontainer-concurrency = 1",
            "did you mean \"concurrency\"?",
        ),
        (
            "[scaling]\nmax-waiters = 1",
            "\"max-waiters\" belongs in [queue]",
        ),
        (
            "[scaling]\nuser = \"x\"",
            "\"user\" belongs at the beginning of the file",
        ),
        ("[[route]]\npath = \"/\"", "did you mean \"routes\"?"),
        (
            "[backoff]\nzzzzzzzzzz = 1",
            "one of initial, max, reject-after",
        ),
        (
            "[[routes]]\npath = \"/\"\nmethod = []",
            "did you mean \"methods\"?",
        ),
    ];
    for (text, expected) in cases {
        let errors = wrong(&format!("command = [\"x\"]\n{text}"));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].ends_with(expected), "{}", errors[0]);
    }
}

#[test]
fn secrets_are_never_shown() {
    let tree = Tree::new();
    let gateway = "[admin]\ntoken = \"hunter2\"\ntokne = \"hunter2\"\n";
    let broken = "[admin]\ntoken = hunter2\n";
    let inline = "admin = { token = hunter2 }\n[admin]\n\"token\" = hunter2 hunter2";
    assert!(!tree.errors(inline).join("\n").contains("hunter2"));
    tree.function(
        "a",
        "command = [\"x\"]\n[environment]\nA = 'b'\nPORT = \"hunter2\"\nB = [\"hunter2\"]",
    );
    for gateway in [gateway, broken] {
        let errors = tree.errors(gateway).join("\n");
        assert!(
            errors.contains("admin.token: got ***") && !errors.contains("hunter2"),
            "{errors}"
        );
    }
}

#[test]
fn two_functions_with_one_name() {
    let tree = Tree::new();
    tree.function("a", "command = [\"x\"]");
    tree.function("b", "command = [\"x\"]\nname = \"a\"");
    assert_eq!(
        tree.errors(""),
        [
            "functions/b/function.toml:2: name: got \"a\", expected a name that no other function has; \
          functions/a/function.toml has it"
        ]
    );
}

#[test]
fn one_route_of_two_functions() {
    let tree = Tree::new();
    let manifest = |routes: &str| format!("command = [\"x\"]\n{routes}");
    tree.function(
        "a",
        &manifest("[[routes]]\npath = \"/u/{id}\"\nmethods = [\"get\", \"PUT\"]"),
    );
    let same = "[[routes]]\npath = \"/u/{name}\"\nmethods = [\"PUT\"]\n";
    let other_method = "[[routes]]\npath = \"/u/{id}\"\nmethods = [\"POST\"]\n";
    let other_host = "[[routes]]\nhost = \"Example.org\"\npath = \"/u/{id}\"\n";
    let default = "[[routes]]\npath = \"/function/a/{*all}\"\n";
    tree.function(
        "b",
        &manifest(&[other_method, other_host, same, default].concat()),
    );
    let errors = tree.errors("");
    assert_eq!(
        errors,
        [
            "functions/b/function.toml:9: routes[2].path: got \"/u/{name}\", expected a route whose \
             host, path and methods are not taken; functions/a/function.toml:3 has the same",
            "functions/b/function.toml:12: routes[3].path: got \"/function/a/{*all}\", expected a \
             route whose host, path and methods are not taken; the default route of \"a\" has the \
             same",
        ]
    );
}

#[test]
fn files_that_are_no_text() {
    let tree = Tree::new();
    tree.write("functions/a/function.toml", b"command = [\"x\"]\n# \xff");
    std::fs::create_dir_all(tree.path("functions/b/function.toml")).unwrap();
    tree.write("functions/c/function.toml", " ".repeat((4 << 20) + 1));
    let errors = tree.errors("");
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert!(errors[0].starts_with("functions/a/function.toml:2: got bytes that are not UTF-8"));
    assert!(errors[1].starts_with("functions/b/function.toml: got is a directory"));
    assert!(errors[2].starts_with("functions/c/function.toml: got file too large"));
    let missing = stoker_config::load(&tree.path("missing.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("missing.toml: got no such file"),
        "{missing}"
    );
    assert!(stoker_config::load_function(&tree.path("nothing")).is_err());
}
