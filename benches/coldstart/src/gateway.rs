//! The function behind the gateway.

use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::exchange::{Timed, exchange, request};
use crate::options::GatewayOptions;
use crate::sample::{Sample, Samples};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Evicts the function and calls it, again and again.
pub(crate) struct Gateway<'a> {
    options: &'a GatewayOptions,
    call: Vec<u8>,
    eviction: Vec<u8>,
    kept: Option<TcpStream>,
}

impl<'a> Gateway<'a> {
    pub(crate) fn new(options: &'a GatewayOptions) -> Self {
        Self {
            options,
            call: request("GET", &options.path, false),
            eviction: request("POST", &options.evict_path, true),
            kept: None,
        }
    }

    /// A cold call on a new connection, the time to connect included, and a warm one.
    pub(crate) fn fresh(&mut self) -> io::Result<Samples> {
        self.evict()?;
        let begun = Instant::now();
        let mut stream = self.connect()?;
        let cold = exchange(&mut stream, &self.call, begun);
        Ok(self.with_warm("fresh", cold, &mut stream))
    }

    /// A cold call on the connection of the last time, and a warm one.
    pub(crate) fn kept(&mut self) -> io::Result<Samples> {
        let mut stream = match self.kept.take() {
            Some(stream) => stream,
            None => self.used()?,
        };
        self.evict()?;
        let begun = Instant::now();
        let cold = exchange(&mut stream, &self.call, begun);
        let works = cold.is_ok();
        let samples = self.with_warm("kept", cold, &mut stream);
        self.kept = works.then_some(stream);
        Ok(samples)
    }

    fn with_warm(
        &self,
        kind: &'static str,
        cold: io::Result<Timed>,
        stream: &mut TcpStream,
    ) -> Samples {
        let mut samples = vec![Sample::of(kind, cold)];
        if samples[0].answer.is_ok() {
            samples.push(Sample::of(
                "warm",
                exchange(stream, &self.call, Instant::now()),
            ));
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

    /// Returns when no instance is left.
    fn evict(&self) -> io::Result<()> {
        let mut admin = UnixStream::connect(&self.options.admin)?;
        admin.set_read_timeout(Some(TIMEOUT))?;
        let (_, answer) = exchange(&mut admin, &self.eviction, Instant::now())?;
        if !(200..300).contains(&answer.status) {
            let path = &self.options.evict_path;
            return Err(io::Error::other(format!(
                "POST {path} was answered {}",
                answer.status
            )));
        }
        thread::sleep(self.options.settle);
        Ok(())
    }
}
