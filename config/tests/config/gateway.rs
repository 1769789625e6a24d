//! The gateway file: defaults and rules between keys.

use std::time::Duration;

use stoker_config::{Address, GatewaySpec};

use crate::tree::Tree;

fn gateway(text: &str) -> GatewaySpec {
    Tree::new().load(text).unwrap().gateway
}

#[test]
fn defaults() {
    let tree = Tree::new();
    let gateway = tree.load("").unwrap().gateway;
    assert_eq!(
        gateway.addresses(),
        [Address::Tcp("127.0.0.1:8080".parse().unwrap())]
    );
    assert_eq!(
        gateway.threads,
        std::thread::available_parallelism().unwrap().get()
    );
    assert_eq!(gateway.function_prefix, "/function");
    assert_eq!(gateway.state_dir, tree.path(".stoker"));
    assert_eq!(gateway.admin.socket, tree.path(".stoker/admin.sock"));
    assert_eq!(
        (gateway.admin.listen, &*gateway.admin.tokens),
        (None, &[][..])
    );
    assert_eq!(gateway.ports, (20_000, 29_999));
    assert_eq!(
        (gateway.limits.connections, gateway.limits.header_bytes),
        (4096, 32 << 10)
    );
    assert_eq!(
        (gateway.limits.headers, gateway.limits.waiters),
        (100, 10_000)
    );
    assert_eq!(gateway.limits.wait_buffer_bytes, 64 << 20);
    assert_eq!(gateway.timeouts.header, Duration::from_secs(10));
    assert_eq!(gateway.timeouts.shutdown, Duration::from_secs(30));
    assert!(gateway.adoption.enabled);
    assert_eq!(gateway.adoption.timeout, Duration::from_secs(60));
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(gateway.starts.at_once as usize, 4 * cores);
    assert_eq!(
        (gateway.starts.per_second, gateway.starts.burst),
        (5000, 1000)
    );
    assert_eq!(gateway.starts.yield_after, Duration::from_secs(1));
    assert_eq!(gateway.starts.memory_reserve_bytes, 64 << 20);
    assert_eq!(gateway.stubs, 4);
    assert!(gateway.starts.evict_idle);
    assert_eq!((gateway.logs.file_bytes, gateway.logs.files), (10 << 20, 3));
    assert_eq!(gateway.logs.line_bytes, 16 << 10);
}

#[test]
fn an_address_twice() {
    let tree = Tree::new();
    let cases = [
        ("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", "listen[1]"),
        ("listen = [\"unix:a\", \"unix:./a\"]", "listen[1]"),
        (
            "listen = [\"unix:a\"]\n[admin]\nsocket = \"a\"",
            "admin.socket",
        ),
        ("listen = [\"unix:.stoker/admin.sock\"]", "admin.socket"),
        (
            "listen = [\"127.0.0.1:1\"]\n[admin]\ntoken = \"0123456789abcdef\"\nlisten = \"127.0.0.1:1\"",
            "admin.listen",
        ),
    ];
    for (text, key) in cases {
        let errors = tree.errors(text);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].contains(&format!(" {key}: ")), "{}", errors[0]);
    }
    assert_eq!(
        gateway("listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]")
            .listeners
            .len(),
        2
    );
}

#[test]
fn long_socket_paths() {
    let tree = Tree::new();
    let long = "x".repeat(101);
    for text in [
        format!("state-dir = {long:?}"),
        format!("listen = [\"unix:{long}\"]"),
        format!("[admin]\nsocket = {long:?}"),
    ] {
        let errors = tree.errors(&text);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].contains("Unix socket"), "{}", errors[0]);
    }
    // The default is refused as well, when the gateway file lies too deep.
    let deep = tree.write(
        &format!("{}/stoker.toml", "y".repeat(100)),
        "functions = []",
    );
    let errors = stoker_config::load(&deep).unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("stoker.toml: state-dir: got \"/"),
        "{errors}"
    );
}

#[test]
fn values_of_the_top_level() {
    assert_eq!(gateway("function-prefix = \"/\"").function_prefix, "");
    assert_eq!(gateway("ports = \"1-65535\"").ports, (1, 65_535));
    assert_eq!(gateway("ports = \"80-80\"").ports, (80, 80));
    assert_eq!(
        gateway("trusted-proxies = [\"10.0.0.0/8\", \"::1\"]")
            .trusted_proxies
            .len(),
        2
    );
    assert_eq!(gateway("[logs]\nfile-bytes = 2048").logs.line_bytes, 2048);
    let tree = Tree::new();
    for text in [
        "function-prefix = \"/a/\"",
        "function-prefix = \"/{a}\"",
        "function-prefix = \"\"",
        "ports = \"2-1\"",
        "ports = \"0-5\"",
        "ports = \"1-65536\"",
        "ports = \"+1-5\"",
        "ports = 80",
        "trusted-proxies = [\"10.0.0.0/64\"]",
        "listen = []",
        "listen = \"127.0.0.1:1\"",
        "listen = [\"localhost:80\"]",
        "functions = [\"\"]",
        "state-dir = \"\"",
        "state-dir = \"a\\u0000b\"",
        "[logs]\nfile-bytes = \"1KiB\"\nline-bytes = \"2KiB\"",
        "limits = 5",
        "limits = []",
        "[[limits]]",
    ] {
        assert_eq!(tree.errors(text).len(), 1, "{text}");
    }
}
