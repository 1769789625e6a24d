//! Who administers the gateway.

use std::os::unix::fs::PermissionsExt as _;

use stoker_config::AdminRole;

use crate::tree::Tree;

/// SHA-256 of `0123456789abcdef`.
const HASH: &str = "sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";

#[test]
fn the_admin_token() {
    let tree = Tree::new();
    tree.write("token", " 0123456789abcdef\n");
    tree.write("short", "0123456789");
    let admin = |text: &str| {
        tree.load(&format!("[admin]\n{text}"))
            .map(|config| config.gateway.admin)
    };
    let read = admin("listen = \"127.0.0.1:9090\"\ntoken-file = \"token\"").unwrap();
    let expected = ("admin", AdminRole::Admin);
    assert_eq!((&*read.tokens[0].name, read.tokens[0].role), expected);
    assert!(!format!("{read:?}").contains("0123456789"));
    assert!(admin("listen = \"127.0.0.1:9090\"\ntoken = \"0123456789abcdef\"").is_ok());
    let fails = |text: &str, key: &str| {
        let errors = tree.errors(&format!("[admin]\n{text}"));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(
            errors[0].contains(key) && !errors[0].contains("0123456789"),
            "{}",
            errors[0]
        );
    };
    fails(
        "listen = \"127.0.0.1:9090\"",
        "admin.listen: got \"127.0.0.1:9090\", expected admin.token",
    );
    fails(
        "token = \"0123456789\"",
        "admin.token: got ***, expected a token of at least 16",
    );
    fails(
        "token-file = \"short\"",
        "admin.token-file: got \"short\", expected a file that holds",
    );
    fails(
        "token-file = \"none\"",
        "admin.token-file: got \"none\", expected a file that can be read",
    );
    fails(
        "token = \"0123456789abcdef\"\ntoken-file = \"token\"",
        "admin.token-file: got \"token\"",
    );
    let config = tree.load("[admin]\ntoken-file = \"token\"").unwrap();
    assert!(config.watched.contains(&tree.path("token")));
}

fn private(tree: &Tree, name: &str, text: &str, mode: u32) {
    let path = tree.write(name, text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn tokens_have_names_and_roles() {
    let tree = Tree::new();
    private(&tree, "ci.token", "0123456789abcdef\n", 0o600);
    let text = format!(
        "[admin]\nlisten = \"127.0.0.1:9090\"\n\
         [[admin.tokens]]\nname = \"ci\"\nrole = \"publisher\"\ntoken-file = \"ci.token\"\n\
         [[admin.tokens]]\nname = \"wall\"\nrole = \"reader\"\nhash = \"{HASH}\"\n"
    );
    let config = tree.load(&text).unwrap();
    let tokens = &config.gateway.admin.tokens;
    let read: Vec<_> = tokens.iter().map(|it| (&*it.name, it.role)).collect();
    assert_eq!(
        read,
        [("ci", AdminRole::Publisher), ("wall", AdminRole::Reader)]
    );
    assert_eq!(tokens[0].digest, tokens[1].digest);
    assert!(config.watched.contains(&tree.path("ci.token")));
    assert!(AdminRole::Reader < AdminRole::Publisher && AdminRole::Publisher < AdminRole::Admin);
}

#[test]
fn tokens_that_are_wrong() {
    let tree = Tree::new();
    private(&tree, "open.token", "0123456789abcdef\n", 0o640);
    private(&tree, "good.token", "0123456789abcdef", 0o600);
    private(&tree, "short.token", "0123", 0o600);
    let fails = |row: &str, error: &str| {
        let text = format!("[[admin.tokens]]\nrole = \"reader\"\n{row}\n");
        let errors = tree.errors(&text);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].contains(error), "{}", errors[0]);
    };
    let hash = format!("hash = \"{HASH}\"");
    fails(&format!("name = \"admin\"\n{hash}"), "admin.tokens[0].name");
    fails(
        &format!("name = \"socket\"\n{hash}"),
        "admin.tokens[0].name",
    );
    fails(&format!("name = \"A\"\n{hash}"), "admin.tokens[0].name");
    fails(&hash, "admin.tokens[0].name");
    fails("name = \"a\"", "either token-file or hash");
    fails(
        &format!("name = \"a\"\ntoken-file = \"good.token\"\n{hash}"),
        "either token-file or hash",
    );
    fails(
        "name = \"a\"\nhash = \"sha256:12\"",
        "64 hexadecimal digits",
    );
    fails("name = \"a\"\ntoken-file = \"open.token\"", "mode 640");
    fails(
        "name = \"a\"\ntoken-file = \"short.token\"",
        "at least 16 characters",
    );
    fails("name = \"a\"\ntoken-file = \"none\"", "can be read");
    let twice =
        format!("name = \"a\"\n{hash}\n[[admin.tokens]]\nrole = \"admin\"\nname = \"a\"\n{hash}");
    fails(&twice, "admin.tokens[1].name");
}
