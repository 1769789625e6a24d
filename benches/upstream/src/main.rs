//! The program behind the proxies: a single-threaded HTTP/1.1 server that does as little as it can.
//!
//! Every request is answered with 13 bytes, with 64 KiB if its path ends in `/64k`, or after 20 ms
//! if it ends in `/20ms`. Connections are kept alive, heads and `Content-Length` bodies are read
//! whole, pipelining works. It listens on, in this order: the inherited descriptor 3
//! (`LISTEN_FDS`), the Unix socket in `STOKER_SOCKET`, or its first argument: a Unix socket's path,
//! or `tcp:ADDRESS:PORT`.

mod connection;
mod head;
mod listener;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    let served = listener::open().and_then(|listener| server::serve(&listener));
    match served {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("stoker-bench-upstream: {error}");
            ExitCode::FAILURE
        }
    }
}
