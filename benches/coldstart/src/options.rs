//! The command line.

use std::collections::HashMap;
use std::env;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

const USAGE: &str = "usage: --program FILE --directory DIR --count N \
    [--gateway ADDRESS:PORT --path PATH --admin SOCKET --evict-path PATH --settle-ms N]";

/// What to measure.
pub(crate) struct Options {
    pub(crate) program: PathBuf,
    /// For the sockets of the bare starts.
    pub(crate) directory: PathBuf,
    /// Of each kind.
    pub(crate) count: usize,
    pub(crate) gateway: Option<GatewayOptions>,
}

/// How to reach the function and its administration.
pub(crate) struct GatewayOptions {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) admin: PathBuf,
    pub(crate) evict_path: String,
    /// Between the eviction and the call.
    pub(crate) settle: Duration,
}

impl Options {
    pub(crate) fn read() -> io::Result<Self> {
        let mut given = HashMap::new();
        let mut words = env::args().skip(1);
        while let Some(name) = words.next() {
            given.insert(name, words.next().ok_or_else(usage)?);
        }
        let options = Self {
            program: take(&mut given, "--program")?,
            directory: take(&mut given, "--directory")?,
            count: take(&mut given, "--count")?,
            gateway: gateway(&mut given)?,
        };
        if given.is_empty() {
            Ok(options)
        } else {
            Err(usage())
        }
    }
}

fn gateway(given: &mut HashMap<String, String>) -> io::Result<Option<GatewayOptions>> {
    if !given.contains_key("--gateway") {
        return Ok(None);
    }
    Ok(Some(GatewayOptions {
        address: take(given, "--gateway")?,
        path: take(given, "--path")?,
        admin: take(given, "--admin")?,
        evict_path: take(given, "--evict-path")?,
        settle: Duration::from_millis(take(given, "--settle-ms")?),
    }))
}

fn take<T: FromStr>(given: &mut HashMap<String, String>, name: &str) -> io::Result<T> {
    let text = given.remove(name).ok_or_else(usage)?;
    text.parse().map_err(|_| usage())
}

fn usage() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, USAGE)
}
