//! How instances fail, in words.

use std::sync::Arc;

use stoker_core::{FailureKind, StartFailure};

use crate::driver::Endpoint;
use crate::spawner::protocol::{Ending, Fault};

/// The signals that end programs, by number.
const SIGNALS: [(i32, &str); 17] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGSYS, "SIGSYS"),
];

/// A failure.
pub(super) fn failure(kind: FailureKind, detail: impl Into<Arc<str>>) -> StartFailure {
    StartFailure {
        kind,
        detail: detail.into(),
    }
}

/// The failure that the spawner reported.
pub(super) fn fault(fault: Fault) -> StartFailure {
    let kind = match fault {
        Fault { exited: true, .. } => FailureKind::Exited,
        Fault {
            transient: true, ..
        } => FailureKind::Resources,
        Fault { .. } => FailureKind::NotExecutable,
    };
    failure(kind, fault.detail)
}

/// How a program ended.
pub(super) fn ending(ending: Ending) -> String {
    match ending {
        Ending::Status(status) => format!("exited with status {status}"),
        Ending::Signal(number) => match SIGNALS.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => format!("was killed by {name}"),
            None => format!("was killed by signal {number}"),
        },
        Ending::OutOfMemory { limit_bytes } => format!(
            "was killed for its memory: it used more than resources.memory = {}",
            size(limit_bytes)
        ),
    }
}

/// In the largest binary unit that needs no fraction, as a manifest takes it.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    let fitting = UNITS.iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
    match fitting {
        Some((name, unit)) if bytes > 0 => format!("{}{name}", bytes / unit),
        _ => bytes.to_string(),
    }
}

/// Where a program listens or should.
pub(super) fn place(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp(address) => format!("port {}", address.port()),
        Endpoint::Unix(path) => format!("{}", path.display()),
    }
}

/// A program listens at `actual` and nowhere else.
pub(super) fn elsewhere(actual: &Endpoint, expected: &Endpoint) -> String {
    match (actual, expected) {
        (Endpoint::Tcp(actual), Endpoint::Tcp(expected)) if actual.port() == expected.port() => {
            format!(
                "listened on {actual}, which is not the loopback, at $PORT {}",
                expected.port()
            )
        }
        (actual, Endpoint::Tcp(expected)) => {
            format!(
                "listened on {} instead of $PORT {}",
                place(actual),
                expected.port()
            )
        }
        (actual, Endpoint::Unix(expected)) => {
            let expected = expected.display();
            format!(
                "listened on {} instead of $STOKER_SOCKET {expected}",
                place(actual)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::driver::Exit;

    fn tcp(address: &str) -> Endpoint {
        Endpoint::Tcp(address.parse::<SocketAddr>().expect("an address"))
    }

    #[test]
    fn ends_are_named() {
        assert_eq!(ending(Ending::Status(3)), "exited with status 3");
        assert_eq!(ending(Ending::Status(0)), Exit::DONE);
        assert_eq!(ending(Ending::Signal(9)), "was killed by SIGKILL");
        assert_eq!(ending(Ending::Signal(40)), "was killed by signal 40");
        let limit_bytes = 64 << 20;
        assert_eq!(
            ending(Ending::OutOfMemory { limit_bytes }),
            "was killed for its memory: it used more than resources.memory = 64MiB"
        );
    }

    #[test]
    fn wrong_places_are_named() {
        let expected = tcp("127.0.0.1:20001");
        assert_eq!(
            elsewhere(&tcp("0.0.0.0:9000"), &expected),
            "listened on port 9000 instead of $PORT 20001"
        );
        assert_eq!(
            elsewhere(&tcp("10.0.0.5:20001"), &expected),
            "listened on 10.0.0.5:20001, which is not the loopback, at $PORT 20001"
        );
    }
}
