//! The command line.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

const USAGE: &str = "usage: --program FILE --directory DIR --count N \
    [--gateway ADDRESS:PORT --admin SOCKET --case NAME,PATH,EVICT_PATH,SETTLE_MS,START ...]";

/// What to measure.
pub(crate) struct Options {
    pub(crate) program: PathBuf,
    /// For the sockets of the bare starts.
    pub(crate) directory: PathBuf,
    /// Of each kind.
    pub(crate) count: usize,
    pub(crate) gateway: Option<GatewayOptions>,
}

/// How to reach the functions and their administration.
pub(crate) struct GatewayOptions {
    pub(crate) address: SocketAddr,
    pub(crate) admin: PathBuf,
    pub(crate) cases: Vec<Case>,
}

/// One function and how its start is caused.
#[derive(Clone)]
pub(crate) struct Case {
    /// What its samples are called, with `-new` or `-kept` behind it.
    pub(crate) name: String,
    pub(crate) path: String,
    /// None if nothing is to be evicted: the time alone brings the instance into its state.
    pub(crate) evict_path: Option<String>,
    /// Between the eviction, or the last answer, and the call.
    pub(crate) settle: Duration,
    /// What `Stoker-Start` has to say of a sample that counts.
    pub(crate) start: String,
}

impl Options {
    pub(crate) fn read() -> io::Result<Self> {
        let (mut program, mut directory, mut count) = (None, None, None);
        let (mut address, mut admin, mut cases) = (None, None, Vec::new());
        let mut words = env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(usage)?;
            match &*name {
                "--program" => program = Some(value.into()),
                "--directory" => directory = Some(value.into()),
                "--count" => count = Some(parse(&value)?),
                "--gateway" => address = Some(parse(&value)?),
                "--admin" => admin = Some(value.into()),
                "--case" => cases.push(Case::read(&value)?),
                _ => return Err(usage()),
            }
        }
        let gateway = match (address, admin) {
            (Some(address), Some(admin)) => Some(GatewayOptions {
                address,
                admin,
                cases,
            }),
            (None, None) if cases.is_empty() => None,
            _ => return Err(usage()),
        };
        Ok(Self {
            program: program.ok_or_else(usage)?,
            directory: directory.ok_or_else(usage)?,
            count: count.ok_or_else(usage)?,
            gateway,
        })
    }
}

impl Case {
    fn read(text: &str) -> io::Result<Self> {
        let parts: Vec<&str> = text.split(',').collect();
        let [name, path, evict_path, settle, start] = parts[..] else {
            return Err(usage());
        };
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            evict_path: (!evict_path.is_empty()).then(|| evict_path.to_owned()),
            settle: Duration::from_millis(parse(settle)?),
            start: start.to_owned(),
        })
    }
}

fn parse<T: FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| usage())
}

fn usage() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, USAGE)
}
