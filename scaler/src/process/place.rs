//! What an instance has of this machine: a port, a directory, a socket. All of it goes with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use stoker_core::{FailureKind, InstanceId, StartFailure};

use super::Shared;
use super::ports::Port;
use super::sockets::Listener;
use super::words::failure;
use crate::driver::{Endpoint, SocketKind};

/// What [`Place::clear`] gives back when the instance is gone.
#[derive(Debug, Default)]
pub(super) struct Place {
    _port: Option<Port>,
    socket: Option<PathBuf>,
    directory: Option<PathBuf>,
}

impl Place {
    /// Makes a place for a new instance: where it will be reached, and the listener that it is to
    /// inherit, if so.
    pub(super) fn make(
        shared: &Shared,
        id: InstanceId,
        kind: SocketKind,
    ) -> Result<(Place, Endpoint, Option<OwnedFd>), StartFailure> {
        let run = shared.state_dir.join("run");
        match kind {
            SocketKind::Port => {
                let port = shared
                    .ports
                    .take()
                    .map_err(|why| failure(FailureKind::Resources, why))?;
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
                let place = Place {
                    _port: Some(port),
                    ..Place::default()
                };
                Ok((place, Endpoint::Tcp(address), None))
            }
            SocketKind::Unix => {
                // A directory of its own, for the program's user must be able to write to it.
                let directory = run.join(id.to_string());
                DirBuilder::new()
                    .mode(0o700)
                    .create(&directory)
                    .map_err(|error| refused("make", &directory, &error))?;
                let path = directory.join("http.sock");
                let (socket, directory) = (Some(path.clone()), Some(directory));
                let place = Place {
                    socket,
                    directory,
                    ..Place::default()
                };
                Ok((place, Endpoint::Unix(path), None))
            }
            SocketKind::Inherit => {
                let Listener { socket, path } = shared
                    .sockets
                    .take()
                    .map_err(|error| failure(FailureKind::Resources, error.to_string()))?;
                let place = Place {
                    socket: Some(path.clone()),
                    ..Place::default()
                };
                Ok((place, Endpoint::Unix(path), Some(socket)))
            }
        }
    }

    /// The place of an instance that a former gateway started.
    pub(super) fn adopt(shared: &Shared, endpoint: &Endpoint) -> Place {
        match endpoint {
            Endpoint::Tcp(address) => Place {
                _port: shared.ports.adopt(address.port()),
                ..Place::default()
            },
            Endpoint::Unix(path) => {
                let run = shared.state_dir.join("run");
                let directory = path
                    .parent()
                    .filter(|parent| *parent != run && parent.starts_with(&run));
                let directory = directory.map(Path::to_owned);
                Place {
                    socket: Some(path.clone()),
                    directory,
                    ..Place::default()
                }
            }
        }
    }

    /// Gives everything back, for the instance is gone. Merely dropping a place leaves its files:
    /// instances outlive this gateway if they are to be adopted.
    pub(super) fn clear(self) {
        // What the program made in its directory goes with it; what is gone already is fine.
        if let Some(socket) = &self.socket {
            fs::remove_file(socket).ok();
        }
        if let Some(directory) = &self.directory {
            fs::remove_dir_all(directory).ok();
        }
    }
}

/// The failure of a call about a path.
fn refused(what: &str, path: &Path, error: &io::Error) -> StartFailure {
    failure(
        FailureKind::Resources,
        format!("cannot {what} {}: {error}", path.display()),
    )
}
