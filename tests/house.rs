//! The rules of the house: who may use whom, and which dependencies come in.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Who may use whom among the crates of the workspace.
const ARROWS: [(&str, &[&str]); 14] = [
    (
        "stoker-bench",
        &[
            "stoker-config",
            "stoker-control",
            "stoker-show",
            "stoker-traces",
        ],
    ),
    ("stoker-core", &[]),
    ("stoker-config", &["stoker-core"]),
    (
        "stoker-lab",
        &[
            "stoker-config",
            "stoker-core",
            "stoker-show",
            "stoker-traces",
        ],
    ),
    ("stoker-meter", &[]),
    ("stoker-package", &[]),
    ("stoker-registry", &["stoker-meter"]),
    ("stoker-scaler", &["stoker-core", "stoker-meter"]),
    ("stoker-show", &[]),
    ("stoker-traces", &[]),
    (
        "stoker-gateway",
        &[
            "stoker-config",
            "stoker-core",
            "stoker-meter",
            "stoker-scaler",
        ],
    ),
    (
        "stoker-fuzz",
        &[
            "stoker-config",
            "stoker-gateway",
            "stoker-lab",
            "stoker-package",
            "stoker-scaler",
            "stoker-traces",
        ],
    ),
    (
        "stoker-control",
        &[
            "stoker-config",
            "stoker-core",
            "stoker-gateway",
            "stoker-lab",
            "stoker-meter",
            "stoker-package",
            "stoker-registry",
            "stoker-scaler",
            "stoker-show",
        ],
    ),
    (
        "stoker",
        &[
            "stoker-bench",
            "stoker-config",
            "stoker-control",
            "stoker-core",
            "stoker-gateway",
            "stoker-lab",
            "stoker-meter",
            "stoker-package",
            "stoker-registry",
            "stoker-scaler",
        ],
    ),
];

/// Crates that only some may use directly.
const RESERVED: [(&str, &[&str]); 5] = [
    ("pingora-core", &["stoker-gateway"]),
    ("pingora-runtime", &["stoker-gateway"]),
    // The bench for HTTP/2 alone; HTTP/1.1 it speaks itself.
    (
        "hyper",
        &["stoker-gateway", "stoker-control", "stoker-bench"],
    ),
    ("axum", &["stoker-control"]),
    ("prometheus", &["stoker-gateway", "stoker-control"]),
];

/// Crates that must not come in at all, and why.
const BANNED: [(&str, &str); 5] = [
    ("openssl-sys", "rustls does TLS"),
    ("native-tls", "rustls does TLS"),
    (
        "aws-lc-sys",
        "ring is the one provider, and this needs cmake",
    ),
    ("rsa", "RUSTSEC-2023-0071"),
    ("cmake", "the first build needs nothing but a C compiler"),
];

/// Licences that go with Apache-2.0, as they appear in expressions.
const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn metadata(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

/// The direct dependencies of the workspace's crates, without those for tests.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let direct = |package: &Value| {
        let all = package["dependencies"]
            .as_array()
            .expect("a list of dependencies");
        all.iter()
            .filter(|one| one["kind"].is_null())
            .map(|one| text(&one["name"]))
            .collect()
    };
    packages
        .iter()
        .map(|package| (text(&package["name"]), direct(package)))
        .collect()
}

#[test]
fn crates_use_only_whom_they_may() {
    let uses = uses();
    for (name, allowed) in ARROWS {
        let own = uses[name]
            .iter()
            .filter(|used| ARROWS.iter().any(|(own, _)| own == used));
        for used in own {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} must not use {used}"
            );
        }
    }
    assert!(uses["stoker-core"].is_empty(), "the core uses std only");
    for (name, allowed) in RESERVED {
        for (user, used) in &uses {
            let permitted = !used.contains(name) || allowed.contains(&user.as_str());
            assert!(permitted, "{user} must not use {name}");
        }
    }
}

/// Every package that is built for Linux, whether by us or by those we use.
fn packages() -> Vec<Value> {
    let mut metadata = metadata(&["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let nodes = metadata["resolve"]["nodes"].take();
    let nodes = nodes.as_array().expect("a resolved graph");
    let resolved: BTreeSet<&str> = nodes
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let packages = metadata["packages"].take();
    let packages = packages.as_array().expect("a list of packages").iter();
    packages
        .filter(|package| {
            package["id"]
                .as_str()
                .is_some_and(|id| resolved.contains(id))
        })
        .cloned()
        .collect()
}

#[test]
fn dependencies_are_welcome() {
    let mut faults = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap_or_default();
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            faults.push(format!("{name} is not welcome: {why}"));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_free(licence) {
            faults.push(format!("{name} has the licence {licence:?}"));
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            faults.push(format!("{name} does not come from the registry"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// One HTTP stack, one TLS stack: two versions of these would be two of everything.
#[test]
fn stacks_are_there_once() {
    let packages = packages();
    for name in [
        "hyper",
        "http",
        "http-body",
        "tokio",
        "rustls",
        "h2",
        "tower",
        "bytes",
        "prometheus",
    ] {
        let versions: Vec<&str> = packages
            .iter()
            .filter(|package| package["name"] == name)
            .filter_map(|package| package["version"].as_str())
            .collect();
        let versions = versions.join(", ");
        assert!(
            !versions.contains(','),
            "{name} is there in versions {versions}"
        );
    }
}

/// True if one alternative of the SPDX expression consists of known licences only.
fn is_free(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" OR ").any(|alternative| {
        alternative
            .split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    })
}
