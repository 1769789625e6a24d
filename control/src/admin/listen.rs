//! Where administrators connect.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use stoker_config::{Address, AdminSpec};

use crate::sockets::{self, SocketFile};

/// Sockets of the admin API that are bound and do not answer yet.
#[derive(Debug)]
pub struct AdminListeners {
    pub(super) unix: UnixListener,
    pub(super) file: SocketFile,
    pub(super) tcp: Option<Guarded>,
    socket: PathBuf,
}

/// A TCP listener and the token that its callers must present.
pub(super) struct Guarded {
    pub(super) listener: TcpListener,
    pub(super) token: Arc<str>,
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
        let fail = |source| BindError {
            address: Address::Unix(spec.socket.clone()),
            source,
        };
        let (unix, file) = sockets::bind_private(&spec.socket).map_err(fail)?;
        let tcp = match spec.listen {
            None => None,
            Some(address) => {
                let fail = |source| BindError {
                    address: Address::Tcp(address),
                    source,
                };
                Some(Guarded::bind(address, spec.token.as_deref()).map_err(fail)?)
            }
        };
        Ok(AdminListeners {
            unix,
            file,
            tcp,
            socket: spec.socket.clone(),
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

impl Guarded {
    fn bind(address: SocketAddr, token: Option<&str>) -> io::Result<Self> {
        let token = token.filter(|token| !token.is_empty()).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a TCP listener needs a token")
        })?;
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Guarded {
            listener,
            token: Arc::from(token),
        })
    }
}

/// Without the token, so that no log ever shows it.
impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
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
