//! The loop over all connections.

use std::convert::Infallible;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};

use crate::connection::{Connection, Next};

const LISTENER: u64 = u64::MAX;
const EVENTS: usize = 512;
const SCRATCH: usize = 64 * 1024;

/// Serves until the process is ended.
pub(crate) fn serve(listener: &OwnedFd) -> io::Result<Infallible> {
    let mut server = Server {
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        connections: Vec::new(),
        free: Vec::new(),
    };
    let data = EventData::new_u64(LISTENER);
    epoll::add(&server.epoll, listener, data, EventFlags::IN)?;
    let mut scratch = vec![0; SCRATCH];
    let mut buffer = [MaybeUninit::<Event>::uninit(); EVENTS];
    loop {
        let (events, _) = match epoll::wait(&server.epoll, &mut buffer, None) {
            Ok(events) => events,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        // Accepted last, so that no event of this round can meet a slot's next connection.
        let mut accept = false;
        for event in events {
            match event.data.u64() {
                LISTENER => accept = true,
                slot => server.drive(slot as usize, event.flags, &mut scratch)?,
            }
        }
        if accept {
            server.accept(listener)?;
        }
    }
}

struct Server {
    epoll: OwnedFd,
    connections: Vec<Option<(Connection, EventFlags)>>,
    free: Vec<usize>,
}

impl Server {
    fn accept(&mut self, listener: &OwnedFd) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        loop {
            match accept_with(listener, flags) {
                Ok(socket) => self.add(socket)?,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn add(&mut self, socket: OwnedFd) -> io::Result<()> {
        // Fails on Unix sockets, which do not delay anything.
        let _on_tcp = sockopt::set_tcp_nodelay(&socket, true);
        let slot = self.free.pop().unwrap_or(self.connections.len());
        if slot == self.connections.len() {
            self.connections.push(None);
        }
        let interest = EventFlags::IN;
        epoll::add(
            &self.epoll,
            &socket,
            EventData::new_u64(slot as u64),
            interest,
        )?;
        self.connections[slot] = Some((Connection::new(socket), interest));
        Ok(())
    }

    fn drive(&mut self, slot: usize, flags: EventFlags, scratch: &mut [u8]) -> io::Result<()> {
        let Some((connection, interest)) = &mut self.connections[slot] else {
            return Ok(());
        };
        let next = if interest.contains(EventFlags::OUT) {
            connection.writable()
        } else if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            connection.readable(scratch)
        } else {
            return Ok(());
        };
        let wanted = match next {
            Next::Read => EventFlags::IN,
            Next::Write => EventFlags::OUT,
            Next::Close => {
                self.connections[slot] = None;
                self.free.push(slot);
                return Ok(());
            }
        };
        if wanted != *interest {
            *interest = wanted;
            let data = EventData::new_u64(slot as u64);
            epoll::modify(&self.epoll, connection.as_fd(), data, wanted)?;
        }
        Ok(())
    }
}
