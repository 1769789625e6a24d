//! Every parser of what strangers send, fed with what nobody means.
//!
//! A target is a function of bytes that panics if a parser does, or if something does not hold that
//! must hold for all input. `tests/mutations.rs` runs them all on stable Rust; the programs in
//! `fuzz_targets` are for libFuzzer (see `README.md`).

mod targets;

/// A parser and what must hold of it.
pub struct Target {
    /// Also of its corpus, `corpus/<name>`.
    pub name: &'static str,
    /// Tries one input.
    pub run: fn(&[u8]),
    /// Inputs to try in a short run: fewer where each takes longer.
    pub runs: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("admission", targets::admission::run, 4000),
    target("changes", targets::changes::run, 1000),
    target("chunked", targets::chunked::run, 4000),
    target("client_address", targets::client_address::run, 4000),
    target("credentials", targets::credentials::run, 4000),
    target("fields", targets::fields::run, 4000),
    target("gateway_file", targets::files::gateway, 400),
    target("head_scan", targets::head_scan::run, 4000),
    target("http2_frames", targets::frames::http2, 4000),
    target("identity", targets::identity::run, 4000),
    target("jwks", targets::jwt::jwks, 1000),
    target("jwt", targets::jwt::token, 2000),
    target("keys", targets::keys::run, 4000),
    target("manifest", targets::files::manifest, 400),
    target("package", targets::package::run, 1000),
    target("path", targets::path::run, 8000),
    target("pattern", targets::routes::pattern, 8000),
    target("proxy_protocol", targets::proxy_protocol::run, 4000),
    target("record", targets::record::run, 4000),
    target("response_head", targets::response_head::run, 4000),
    target("routes", targets::routes::run, 4000),
    target("schedule", targets::schedule::run, 400),
    target("search", targets::search::run, 2000),
    target("trace", targets::trace::run, 4000),
    target("waits", targets::waits::run, 4000),
    target("websocket", targets::frames::websocket, 4000),
];

const fn target(name: &'static str, run: fn(&[u8]), runs: usize) -> Target {
    Target { name, run, runs }
}

/// Tries one input on a target.
///
/// # Panics
/// If the target does, or if there is none of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target has this name").run)(data);
}
