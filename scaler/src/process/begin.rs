//! The start of an instance that nobody waits for: requests go to it before its program runs.

use std::sync::Arc;
use std::time::Instant;

use stoker_core::{FailureKind, InstanceId};

use super::frost::Frost;
use super::place::Place;
use super::start::{not_executed_within, request, timings};
use super::table::{Begun, Entry, Phase};
use super::words::failure;
use super::{Shared, accept};
use crate::driver::{Endpoint, FailedStart, LaunchSpec, SocketKind, StartEnd, StartKind, Started};
use crate::spawner::protocol::StartTimes;

/// Begins the start of an instance that inherits its socket; see
/// [`crate::driver::Driver::begin`].
///
/// Requests may be sent as soon as the socket listens: they wait in it until the program accepts.
/// If none is executed the spawner closes the socket, which breaks these connections, and says so:
/// then nobody can have accepted one.
pub(super) fn begin(
    shared: &Arc<Shared>,
    id: InstanceId,
    spec: &LaunchSpec,
    end: StartEnd,
) -> Result<Endpoint, StartEnd> {
    let called = Instant::now();
    fail_overdue(shared, called);
    if spec.socket != SocketKind::Inherit {
        return Err(end);
    }
    let Ok((place, endpoint, listener)) = Place::make(shared, id, spec.socket) else {
        return Err(end);
    };
    let request = request(shared, id, spec, &endpoint);
    let begun = Begun {
        end,
        endpoint: endpoint.clone(),
        called,
        sent: Instant::now(),
        timeout: spec.start_timeout,
    };
    let entry = Entry {
        function: spec.function.clone(),
        inherited: Some(endpoint.clone()),
        phase: Phase::Begun(Box::new(begun)),
        stopping: false,
        verdict: None,
        watch: None,
        place,
        read: false,
        frost: Frost::default(),
    };
    if let Some(entry) = shared.table.insert_begun(id, entry) {
        return give_back(entry).map_or(Ok(endpoint), Err);
    }
    let sent = shared
        .client
        .send_now(&request, listener.into_iter().collect());
    if !sent.unwrap_or(false) {
        // Unless a spawner that dies this moment has ended it.
        let entry = shared.table.remove(id);
        return entry.and_then(give_back).map_or(Ok(endpoint), Err);
    }
    if shared.table.is_stopping(id) {
        // The signal may have been sent before there was anything to signal.
        shared.signal(id, true);
    }
    Ok(endpoint)
}

/// Clears the place of a start that could not be begun; whom it would have told.
fn give_back(entry: Entry) -> Option<StartEnd> {
    match entry.finish().0 {
        Phase::Begun(begun) => Some(begun.end),
        _ => None,
    }
}

/// A spawner that does not answer is noticed by the next start.
fn fail_overdue(shared: &Shared, now: Instant) {
    while let Some((id, entry)) = shared.table.remove_overdue(now) {
        shared.signal(id, true);
        if let Phase::Begun(begun) = entry.finish().0 {
            let detail = not_executed_within(begun.timeout);
            begun.end.tell(Err(FailedStart {
                failure: failure(FailureKind::Resources, detail),
                unread: false,
            }));
        }
    }
}

/// The program of a start that was begun is executed.
pub(super) fn end(
    shared: &Arc<Shared>,
    id: InstanceId,
    begun: Begun,
    (pid, times, kind): (u32, StartTimes, StartKind),
) {
    if let Endpoint::Unix(path) = &begun.endpoint {
        accept::watch(shared, id, path.clone(), begun.timeout);
    }
    begun.end.tell(Ok(Started {
        endpoint: begun.endpoint,
        pid: Some(pid),
        timings: timings((begun.called, begun.sent), times),
        kind: Some(kind),
    }));
}
