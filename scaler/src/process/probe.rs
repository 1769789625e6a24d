//! Whether somebody listens, found out by connecting.
//!
//! Used fast where calls of `listen` cannot be observed, and slowly beside observation, for sockets
//! that come into being unseen: by a program of another architecture, by io_uring, or in a process
//! that is no descendant. The program sees connections that close at once.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::async_fd;
use crate::driver::Endpoint;

/// How often is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    first: Duration,
    longest: Duration,
}

impl Pace {
    /// Nothing else tells when it listens: an attempt takes some 20 µs.
    pub(super) const FAST: Pace = Pace {
        first: Duration::from_micros(200),
        longest: Duration::from_millis(2),
    };
    /// In case that it cannot be observed.
    pub(super) const SLOW: Pace = Pace {
        first: Duration::from_millis(50),
        longest: Duration::from_millis(250),
    };
}

/// Resolves when a connection was made, to where it was made. Never gives up.
pub(super) async fn reachable(expected: Endpoint, pace: Pace) -> Endpoint {
    let mut pause = pace.first;
    loop {
        wait(pause).await;
        if let Some(endpoint) = attempt(&expected).await {
            return endpoint;
        }
        pause = (pause * 5 / 4).min(pace.longest);
    }
}

/// Connects once, to IPv6's loopback as well, for some programs know no other.
async fn attempt(expected: &Endpoint) -> Option<Endpoint> {
    match expected {
        Endpoint::Unix(path) => {
            UnixStream::connect(path).await.ok()?;
            Some(expected.clone())
        }
        Endpoint::Tcp(v4) => {
            let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, v4.port()));
            for address in [*v4, v6] {
                if connect(address).await.is_ok_and(|connected| connected) {
                    return Some(Endpoint::Tcp(address));
                }
            }
            None
        }
    }
}

/// Whether somebody else accepted. A socket can be connected to itself if the kernel picks the very
/// port as its own.
async fn connect(address: SocketAddr) -> io::Result<bool> {
    // Closed gently: programs that are not used to a reset have ended from it.
    let stream = TcpStream::connect(address).await?;
    Ok(stream.local_addr()? != stream.peer_addr()?)
}

/// Waits with the precision of the kernel; tokio's timers count whole milliseconds.
async fn wait(pause: Duration) {
    if pause >= Duration::from_millis(10) || fine_wait(pause).await.is_err() {
        tokio::time::sleep(pause).await;
    }
}

async fn fine_wait(pause: Duration) -> io::Result<()> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer: OwnedFd = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let zero = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let value = Timespec {
        tv_sec: pause.as_secs().cast_signed(),
        tv_nsec: pause.subsec_nanos().into(),
    };
    let once = Itimerspec {
        it_interval: zero,
        it_value: value,
    };
    rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    let timer = async_fd::register(timer, Interest::READABLE)?;
    timer.readable().await?.retain_ready();
    Ok(())
}
