//! The ports that instances bind.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// A range of ports, each given to one instance at a time.
#[derive(Debug)]
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    taken: Vec<bool>,
    /// Where the search goes on, so that a port rests as long as possible: a late connection for
    /// the former instance must not reach the next.
    next: usize,
}

/// A port that nobody else gets while this lives.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    ports: Arc<Ports>,
}

impl Ports {
    /// All of them are free.
    pub(super) fn new(range: RangeInclusive<u16>) -> Ports {
        let state = State {
            taken: vec![false; range.len()],
            next: 0,
        };
        Ports {
            range,
            state: Mutex::new(state),
        }
    }

    /// A port that no other instance has and nobody else listens on, or why there is none.
    ///
    /// One without connections that were closed lately is preferred, for a program that does not
    /// set SO_REUSEADDR could not bind another.
    pub(super) fn take(self: &Arc<Ports>) -> Result<Port, String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self
            .search(&mut state, false)
            .or_else(|| self.search(&mut state, true));
        if let Some(number) = found {
            return Ok(Port {
                number,
                ports: self.clone(),
            });
        }
        let ours = state.taken.iter().filter(|&&taken| taken).count();
        Err(format!(
            "no port from {} to {} is free: instances have {ours}, other programs {}",
            self.range.start(),
            self.range.end(),
            state.taken.len() - ours,
        ))
    }

    /// Looks at each port once.
    fn search(&self, state: &mut State, reuse: bool) -> Option<u16> {
        let count = state.taken.len();
        let index = (0..count)
            .map(|step| (state.next + step) % count)
            .find(|&index| {
                !state.taken[index] && is_free(self.range.start() + index as u16, reuse)
            })?;
        state.taken[index] = true;
        state.next = index + 1;
        Some(self.range.start() + index as u16)
    }

    /// Marks the port of an adopted instance; none if it is not one of ours or is taken.
    pub(super) fn adopt(self: &Arc<Ports>, number: u16) -> Option<Port> {
        let index = usize::from(number.checked_sub(*self.range.start())?);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = state.taken.get_mut(index)?;
        (!std::mem::replace(taken, true)).then(|| Port {
            number,
            ports: self.clone(),
        })
    }
}

impl Port {
    /// Its number.
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let index = usize::from(self.number - self.ports.range.start());
        let mut state = self
            .ports
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = state.taken.get_mut(index) {
            *taken = false;
        }
    }
}

/// Whether nobody has the port, at any address: binds it for a moment without listening.
///
/// Connections
/// that were closed lately do not count with `reuse`, if both sides of the bind set SO_REUSEADDR.
fn is_free(port: u16, reuse: bool) -> bool {
    let bind = |family: AddressFamily, address: SocketAddr| -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        rustix::net::sockopt::set_socket_reuseaddr(&socket, reuse)?;
        if family == AddressFamily::INET6 {
            rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
        }
        Ok(rustix::net::bind(&socket, &address)?)
    };
    match bind(
        AddressFamily::INET6,
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => false,
        // The machine may have no IPv6.
        Err(_) => bind(
            AddressFamily::INET,
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        )
        .is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_rest_before_they_are_given_again() {
        let ports = Arc::new(Ports::new(18_100..=18_102));
        let first = ports.take().expect("free");
        let number = first.number();
        drop(first);
        assert_ne!(ports.take().expect("free").number(), number);
    }

    #[test]
    fn ports_of_others_are_skipped_and_counted() {
        let other = std::net::TcpListener::bind("127.0.0.1:18111").expect("a free port");
        let ports = Arc::new(Ports::new(18_110..=18_112));
        let (a, b) = (ports.take().expect("free"), ports.take().expect("free"));
        assert_eq!((a.number(), b.number()), (18_110, 18_112));
        let refused = ports.take().expect_err("none left");
        assert_eq!(
            refused,
            "no port from 18110 to 18112 is free: instances have 2, other programs 1"
        );
        drop(other);
        assert_eq!(ports.take().expect("free again").number(), 18_111);
    }

    #[test]
    fn an_adopted_port_is_taken() {
        let ports = Arc::new(Ports::new(18_120..=18_120));
        let adopted = ports.adopt(18_120).expect("ours");
        assert!(ports.adopt(18_120).is_none());
        assert!(ports.adopt(18_119).is_none());
        assert!(ports.take().is_err());
        drop(adopted);
        assert!(ports.take().is_ok());
    }
}
