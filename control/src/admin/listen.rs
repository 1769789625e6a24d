//! Where administrators connect.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stoker_config::{Address, AdminSpec};
use stoker_gateway::Bound;

use crate::sockets::{self, SocketFile};

/// How long an address may be taken by a gateway that was killed a moment ago.
const CLOSING: Duration = Duration::from_secs(3);
/// The pause between attempts meanwhile.
const CLOSING_PAUSE: Duration = Duration::from_millis(10);

/// Sockets of the admin API that are bound and do not answer yet.
#[derive(Debug)]
pub struct AdminListeners {
    pub(super) unix: UnixListener,
    pub(super) file: Arc<SocketFile>,
    pub(super) tcp: Option<Guarded>,
    socket: PathBuf,
}

/// The sockets of the admin API once more, for a gateway that takes over.
#[derive(Debug)]
pub struct SharedListeners {
    bound: Vec<Bound>,
    file: Arc<SocketFile>,
}

/// A TCP listener, whose callers must present a token.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) listener: TcpListener,
    /// The address as the configuration has it.
    wanted: SocketAddr,
}

/// An address of the admin API could not be bound.
#[derive(Debug)]
pub struct BindError {
    address: Address,
    source: io::Error,
}

impl AdminListeners {
    /// Binds all that is asked for, so that errors come before anything is started.
    ///
    /// # Errors
    /// The first address that cannot be had; also a Unix socket on which another gateway answers,
    /// and a TCP address without a token.
    pub fn bind(spec: &AdminSpec) -> Result<Self, BindError> {
        Self::inherit(spec, Vec::new())
    }

    /// Takes the sockets of the gateway before for the addresses that it had too, and binds the
    /// others. May block for half a second if an address is taken, for a gateway that was killed a
    /// moment ago may have it still.
    ///
    /// # Errors
    /// As [`AdminListeners::bind`].
    pub fn inherit(spec: &AdminSpec, mut offered: Vec<Bound>) -> Result<Self, BindError> {
        let deadline = Instant::now() + CLOSING;
        let mut take = |address: Address| {
            let index = offered.iter().position(|had| had.wanted == address)?;
            Some(offered.swap_remove(index).socket)
        };
        let fail = |source| BindError {
            address: Address::Unix(spec.socket.clone()),
            source,
        };
        let (unix, file) = match take(Address::Unix(spec.socket.clone())) {
            Some(socket) => {
                let file = SocketFile::of(&spec.socket).map_err(fail)?;
                (UnixListener::from(socket), file)
            }
            None => patiently(deadline, || sockets::bind_private(&spec.socket)).map_err(fail)?,
        };
        let tcp = match spec.listen {
            None => None,
            Some(address) => {
                let fail = |source| BindError {
                    address: Address::Tcp(address),
                    source,
                };
                let had = take(Address::Tcp(address)).map(TcpListener::from);
                let guarded = !spec.tokens.is_empty();
                Some(Guarded::new(address, had, guarded, deadline).map_err(fail)?)
            }
        };
        Ok(AdminListeners {
            unix,
            file: Arc::new(file),
            tcp,
            socket: spec.socket.clone(),
        })
    }

    /// The sockets once more, for a gateway that takes over.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn share(&self) -> io::Result<SharedListeners> {
        let address = Address::Unix(self.socket.clone());
        let mut bound = vec![Bound {
            wanted: address.clone(),
            actual: address,
            socket: self.unix.try_clone()?.into(),
        }];
        if let Some(tcp) = &self.tcp {
            bound.push(Bound {
                wanted: Address::Tcp(tcp.wanted),
                actual: Address::Tcp(tcp.listener.local_addr()?),
                socket: tcp.listener.try_clone()?.into(),
            });
        }
        Ok(SharedListeners {
            bound,
            file: Arc::clone(&self.file),
        })
    }

    /// The addresses as they were bound: a port of 0 has become a real one.
    pub fn addresses(&self) -> Vec<Address> {
        let tcp = self
            .tcp
            .as_ref()
            .and_then(|tcp| tcp.listener.local_addr().ok());
        let unix = Address::Unix(self.socket.clone());
        [Some(unix), tcp.map(Address::Tcp)]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl SharedListeners {
    /// The sockets under further descriptors.
    pub(crate) fn duplicate(&self) -> io::Result<Vec<Bound>> {
        let duplicate = |bound: &Bound| {
            Ok(Bound {
                wanted: bound.wanted.clone(),
                actual: bound.actual.clone(),
                socket: bound.socket.try_clone()?,
            })
        };
        self.bound.iter().map(duplicate).collect()
    }

    /// They are another gateway's from now on.
    pub(crate) fn leave(&mut self) {
        self.file.keep();
        self.bound.clear();
    }
}

impl Guarded {
    fn new(
        address: SocketAddr,
        had: Option<TcpListener>,
        has_token: bool,
        deadline: Instant,
    ) -> io::Result<Self> {
        if !has_token {
            let problem = "a TCP listener needs a token";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let listener = match had {
            Some(listener) => listener,
            None => patiently(deadline, || TcpListener::bind(address))?,
        };
        listener.set_nonblocking(true)?;
        Ok(Guarded {
            listener,
            wanted: address,
        })
    }
}

/// Binds an address, which a dying process may still have for a moment.
fn patiently<T>(deadline: Instant, bind: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match bind() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(CLOSING_PAUSE);
            }
            result => return result,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot listen for administrators on {}: {}",
            self.address, self.source
        )
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
