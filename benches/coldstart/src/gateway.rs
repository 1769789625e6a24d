//! A function behind the gateway.

use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::exchange::{Timed, exchange, request};
use crate::options::{Case, GatewayOptions};
use crate::sample::{Sample, Samples};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Brings the function into its state and calls it, again and again.
pub(crate) struct Gateway<'a> {
    options: &'a GatewayOptions,
    case: &'a Case,
    call: Vec<u8>,
    eviction: Option<Vec<u8>>,
    kept: Option<TcpStream>,
}

impl<'a> Gateway<'a> {
    pub(crate) fn new(options: &'a GatewayOptions, case: &'a Case) -> Self {
        Self {
            options,
            case,
            call: request("GET", &case.path, false),
            eviction: case
                .evict_path
                .as_ref()
                .map(|path| request("POST", path, true)),
            kept: None,
        }
    }

    /// A call on a new connection, the time to connect included, and a warm one.
    pub(crate) fn fresh(&mut self) -> io::Result<Samples> {
        self.prepare()?;
        let begun = Instant::now();
        let mut stream = self.connect()?;
        let first = exchange(&mut stream, &self.call, begun);
        Ok(self.with_warm("new", first, &mut stream))
    }

    /// The same on the connection of the last time, and a warm one.
    pub(crate) fn kept(&mut self) -> io::Result<Samples> {
        let mut stream = match self.kept.take() {
            Some(stream) => stream,
            None => self.used()?,
        };
        self.prepare()?;
        let begun = Instant::now();
        let first = exchange(&mut stream, &self.call, begun);
        let works = first.is_ok();
        let samples = self.with_warm("kept", first, &mut stream);
        self.kept = works.then_some(stream);
        Ok(samples)
    }

    fn with_warm(
        &self,
        connection: &str,
        first: io::Result<Timed>,
        stream: &mut TcpStream,
    ) -> Samples {
        let name = &self.case.name;
        let kind = format!("{name}-{connection}");
        let mut samples = vec![Sample::of(kind, &self.case.start, first)];
        if samples[0].answer.is_ok() {
            let again = exchange(stream, &self.call, Instant::now());
            samples.push(Sample::of(format!("{name}-warm"), "warm", again));
        }
        Samples(samples)
    }

    /// A connection that has carried a request.
    fn used(&self) -> io::Result<TcpStream> {
        let mut stream = self.connect()?;
        exchange(&mut stream, &self.call, Instant::now())?;
        Ok(stream)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.options.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }

    /// Returns when the function should be in its state.
    fn prepare(&self) -> io::Result<()> {
        if let Some(eviction) = &self.eviction {
            let mut admin = UnixStream::connect(&self.options.admin)?;
            admin.set_read_timeout(Some(TIMEOUT))?;
            let (_, answer) = exchange(&mut admin, eviction, Instant::now())?;
            if !(200..300).contains(&answer.status) {
                let name = &self.case.name;
                let status = answer.status;
                return Err(io::Error::other(format!(
                    "the eviction of {name} was answered {status}"
                )));
            }
        }
        thread::sleep(self.case.settle);
        Ok(())
    }
}
