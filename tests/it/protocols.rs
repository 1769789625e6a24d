//! What a front door must speak, shown with clients and functions that others have written: curl,
//! nghttp2's tools, wrk, Node, Chromium, and Python's grpcio, websockets, h2 and wsproto.

mod expect;
mod grpc;
mod http2;
mod sse;
mod streams;
mod trailers;
mod websocket;

use crate::harness::{Gateway, Program};

/// The versions of HTTP as curl is asked for them.
const VERSIONS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

/// Where `path` is on the gateway.
fn url(gateway: &Gateway, path: &str) -> String {
    format!("http://{}{path}", gateway.address())
}

/// Runs curl with these arguments and returns its output.
fn curl(arguments: &[&str]) -> String {
    let always = ["--silent", "--show-error", "--max-time", "120"];
    Program::run("curl", &[&always[..], arguments].concat())
}
