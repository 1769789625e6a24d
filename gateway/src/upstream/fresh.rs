//! The connection of a frozen instance: opened while its program stands still.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{RecvFlags, Shutdown, recv};
use stoker_scaler::Renewal;
use stoker_scaler::driver::{BoxFuture, Endpoint};

use super::{Connection, Socket, socket};
use crate::share::Held;

/// How long a program may take to end its side of a connection that was ended here, before it is
/// frozen all the same.
const PARTING: Duration = Duration::from_millis(20);

/// One that nothing was sent on, or what is left of one that was closed: its place in the function's
/// share.
///
/// It is not registered with any runtime yet: the one that renews connections is not the one that
/// serves requests.
#[derive(Debug)]
pub struct Fresh {
    stream: Option<UnixStream>,
    place: Option<Held>,
}

/// Renews the connections of instances that are frozen.
pub(crate) fn renewal() -> Renewal<Connection> {
    Renewal { close, open }
}

impl Fresh {
    pub(super) fn hold(&mut self, place: Held) {
        self.place = Some(place);
    }

    /// False if it was refused, which the kernel does when the program ends.
    pub(super) fn is_usable(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.stream.as_ref().is_some_and(|stream| {
            let peeked = recv(stream, &mut [0_u8; 1], flags);
            matches!(peeked, Err(rustix::io::Errno::AGAIN))
        })
    }

    /// The same on this runtime.
    pub(super) fn into_socket(self) -> io::Result<Socket> {
        let stream = self.stream.ok_or(io::ErrorKind::NotConnected)?;
        let mut socket = Socket::unix(stream)?;
        if let Some(place) = self.place {
            socket.hold(place);
        }
        Ok(socket)
    }
}

/// Ends the connection as a client does who needs it no more, and waits until the program has seen
/// that. Else its thread would do so at the next request, at that request's expense.
fn close(connection: Connection) -> BoxFuture<'static, Connection> {
    Box::pin(async move {
        let mut place = None;
        if let Connection::Http1(mut socket) = connection {
            place = socket.take_place();
            if socket.shut_down(Shutdown::Write).is_ok() {
                // It is closed in any case.
                tokio::time::timeout(PARTING, socket.closed()).await.ok();
            }
        }
        let stream = None;
        Connection::Fresh(Fresh { stream, place })
    })
}

/// Over a Unix socket only: what the kernel took for a connection of TCP before the program accepted
/// it can still be refused (`TCP_DEFER_ACCEPT`). None if the gateway has few connections left.
fn open(connection: Connection, endpoint: &Endpoint) -> Option<Connection> {
    let (Connection::Fresh(fresh), Endpoint::Unix(path)) = (connection, endpoint) else {
        return None;
    };
    let place = fresh.place.filter(Held::leaves_half)?;
    let stream = socket::connect_unix(path).ok()?;
    Some(Connection::Fresh(Fresh {
        stream: Some(stream),
        place: Some(place),
    }))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    use super::*;
    use crate::share::Common;

    fn listener() -> (UnixListener, Endpoint) {
        let name = format!("stoker-fresh-{}-{:?}", std::process::id(), Instant::now());
        let path = std::env::temp_dir().join(name.replace([' ', '{', '}', ':', ','], ""));
        let listener = UnixListener::bind(&path).unwrap();
        (listener, Endpoint::Unix(path))
    }

    async fn used(endpoint: &Endpoint, place: Held) -> Connection {
        let mut socket = Socket::open(endpoint, Duration::from_secs(5))
            .await
            .unwrap();
        socket.hold(place);
        Connection::Http1(socket)
    }

    #[tokio::test]
    async fn a_connection_is_replaced_and_keeps_its_place() {
        let (listener, endpoint) = listener();
        let common = Common::new(10, 1);
        let connection = used(&endpoint, common.share().take().unwrap()).await;
        let (mut former, _) = listener.accept().unwrap();
        let program = std::thread::spawn(move || former.read(&mut [0; 9]).unwrap());
        let closed = close(connection).await;
        // The program was done with it before it was over.
        assert_eq!(program.join().unwrap(), 0);
        assert_eq!(common.level().0, 1);

        let fresh = open(closed, &endpoint).unwrap();
        let usable = fresh.into_usable(Instant::now()).unwrap();
        assert_eq!(common.level().0, 1);
        let Connection::Http1(mut socket) = usable else {
            panic!("it is one for requests");
        };
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"GET")
            .await
            .unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let mut asked = [0; 3];
        accepted.read_exact(&mut asked).unwrap();
        accepted.write_all(b"200").unwrap();
        drop(accepted);
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut socket, &mut answer)
            .await
            .unwrap();
        assert_eq!((&asked, &*answer), (b"GET", "200"));
    }

    #[tokio::test]
    async fn one_that_was_refused_is_not_used() {
        let (listener, endpoint) = listener();
        let place = Common::new(10, 1).share().take().unwrap();
        let fresh = Connection::Fresh(Fresh {
            stream: None,
            place: Some(place),
        });
        let fresh = open(fresh, &endpoint).unwrap();
        drop(listener);
        assert!(fresh.into_usable(Instant::now()).is_none());
    }

    #[tokio::test]
    async fn none_is_opened_where_that_is_not_safe_or_not_worth_it() {
        let (_listener, unix) = listener();
        let tcp = Endpoint::Tcp(([127, 0, 0, 1], 9).into());
        for (held, endpoint, opened) in [(5, &unix, true), (6, &unix, false), (1, &tcp, false)] {
            let share = Common::new(10, 1).share();
            let mut places: Vec<Held> = (0..held).map(|_| share.take().unwrap()).collect();
            let place = places.pop();
            let fresh = Connection::Fresh(Fresh {
                stream: None,
                place,
            });
            assert_eq!(open(fresh, endpoint).is_some(), opened);
        }
    }
}
