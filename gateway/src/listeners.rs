//! The sockets on which callers connect: bound, or inherited from the gateway before.

use std::fmt;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use stoker_config::Address;

/// How long an address may be taken by a gateway that was killed a moment ago, and whose sockets
/// the kernel is still closing.
const CLOSING: Duration = Duration::from_secs(3);
/// The pause between attempts meanwhile.
const CLOSING_PAUSE: Duration = Duration::from_millis(10);

/// Sockets that listen and do not accept yet.
#[derive(Debug)]
pub struct Listeners {
    bound: Vec<Bound>,
}

/// One socket that listens.
#[derive(Debug)]
pub struct Bound {
    /// The address as the configuration has it.
    pub wanted: Address,
    /// The address as it was bound: a port of 0 has become a real one.
    pub actual: Address,
    /// It does not block.
    pub socket: OwnedFd,
}

/// An address could not be bound.
#[derive(Debug)]
pub struct BindError {
    address: Address,
    source: io::Error,
}

impl Listeners {
    /// Binds every address, so that errors come before anything is started. May block for half a
    /// second if an address is taken.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub fn bind(addresses: &[Address]) -> Result<Self, BindError> {
        Self::inherit(addresses, Vec::new())
    }

    /// Takes the sockets of the gateway before for the addresses that it had too, so that no
    /// connection is refused or lost, and binds the others. What is not wanted any more is closed.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub fn inherit(addresses: &[Address], mut offered: Vec<Bound>) -> Result<Self, BindError> {
        let deadline = Instant::now() + CLOSING;
        let mut bound = Vec::with_capacity(addresses.len());
        for address in addresses {
            let same = offered.iter().position(|had| had.wanted == *address);
            let same = same.or_else(|| offered.iter().position(|had| had.actual == *address));
            match same {
                Some(index) => {
                    let had = offered.swap_remove(index);
                    let wanted = address.clone();
                    bound.push(Bound { wanted, ..had });
                }
                None => bound.push(bind_patiently(address, deadline)?),
            }
        }
        Ok(Listeners { bound })
    }

    /// The addresses as they were bound: a port of 0 has become a real one.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.bound.iter().map(|bound| &bound.actual)
    }

    /// The very same sockets under further descriptors.
    ///
    /// # Errors
    /// If there are not enough of those.
    pub fn duplicate(&self) -> io::Result<Listeners> {
        let duplicate = |bound: &Bound| {
            Ok(Bound {
                wanted: bound.wanted.clone(),
                actual: bound.actual.clone(),
                socket: bound.socket.try_clone()?,
            })
        };
        let bound = self.bound.iter().map(duplicate);
        Ok(Listeners {
            bound: bound.collect::<io::Result<_>>()?,
        })
    }

    /// One by one.
    pub fn into_bound(self) -> Vec<Bound> {
        self.bound
    }

    /// Closes these descriptors.
    pub(crate) fn close(&mut self) {
        self.bound.clear();
    }
}

/// Binds an address, which a dying process may still have for a moment.
fn bind_patiently(address: &Address, deadline: Instant) -> Result<Bound, BindError> {
    loop {
        match bind(address) {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(CLOSING_PAUSE);
            }
            Err(source) => {
                let address = address.clone();
                return Err(BindError { address, source });
            }
        }
    }
}

fn bind(address: &Address) -> io::Result<Bound> {
    let (actual, socket) = match address {
        Address::Tcp(wanted) => {
            let listener = TcpListener::bind(wanted)?;
            listener.set_nonblocking(true)?;
            let actual = listener.local_addr()?;
            (Address::Tcp(actual), OwnedFd::from(listener))
        }
        Address::Unix(path) => {
            let listener = bind_unix(path)?;
            listener.set_nonblocking(true)?;
            (address.clone(), OwnedFd::from(listener))
        }
    };
    Ok(Bound {
        wanted: address.clone(),
        actual,
        socket,
    })
}

/// Binds a Unix socket in place of one that nobody listens on any more.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let stale = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path).is_err();
    if stale {
        fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpStream};
    use std::sync::mpsc;

    use super::*;

    fn any_port() -> Address {
        Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    #[test]
    fn the_same_socket_is_inherited_and_others_are_bound() {
        let former = Listeners::bind(&[any_port()]).unwrap();
        let actual = former.addresses().next().unwrap().clone();
        let Address::Tcp(address) = actual else {
            panic!("a TCP address");
        };
        // Connected before the heir has it, and not lost.
        let waiting = TcpStream::connect(address).unwrap();
        let path = std::env::temp_dir().join(format!("stk-l-{}", std::process::id()));
        let unix = Address::Unix(path.clone());
        let offered = former.duplicate().unwrap().into_bound();
        let heir = Listeners::inherit(&[any_port(), unix.clone()], offered).unwrap();
        drop(former);
        let addresses: Vec<_> = heir.addresses().cloned().collect();
        assert_eq!(addresses, [Address::Tcp(address), unix]);
        let socket = heir.into_bound().swap_remove(0).socket;
        let (_, peer) = TcpListener::from(socket).accept().unwrap();
        assert_eq!(peer, waiting.local_addr().unwrap());
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_fixed_port_is_the_one_that_was_bound_before() {
        let former = Listeners::bind(&[any_port()]).unwrap();
        let actual = former.addresses().next().unwrap().clone();
        let offered = former.into_bound();
        let heir = Listeners::inherit(std::slice::from_ref(&actual), offered).unwrap();
        assert_eq!(heir.addresses().next(), Some(&actual));
    }

    #[test]
    fn an_address_that_is_just_being_left_is_waited_for() {
        let dying = Listeners::bind(&[any_port()]).unwrap();
        let actual = dying.addresses().next().unwrap().clone();
        let (tried, try_it) = mpsc::channel();
        let waiting = thread::spawn(move || {
            tried.send(bind(&actual).is_err()).unwrap();
            Listeners::bind(&[actual])
        });
        assert!(try_it.recv().unwrap(), "the address is taken");
        drop(dying);
        assert!(waiting.join().unwrap().is_ok());
    }

    #[test]
    fn a_real_conflict_is_told_with_its_address() {
        let other = Listeners::bind(&[any_port()]).unwrap();
        let actual = other.addresses().next().unwrap().clone();
        let error = Listeners::bind(std::slice::from_ref(&actual)).unwrap_err();
        let told = error.to_string();
        assert!(
            told.starts_with(&format!("cannot listen on {actual}: ")),
            "{told}"
        );
    }
}
