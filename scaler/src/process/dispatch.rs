//! From what the spawner says to whoever waits for it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::{FailureKind, InstanceId, StartFailure};

use super::frost::{Freezer, Frost};
use super::place::Place;
use super::table::{Entry, Phase, Report};
use super::words::{ending, failure, fault};
use super::{Output, OutputStream, Shared, begin};
use crate::driver::{Exit, FailedStart, Observed, Spent, StartKind};
use crate::spawner::protocol::{Ending, Event, StartTimes};

/// From a start to the making of sockets for later ones.
const REFILL_PAUSE: Duration = Duration::from_millis(2);

/// Handles one event.
pub(super) fn dispatch(shared: &Arc<Shared>, event: Event, descriptors: Vec<OwnedFd>) {
    match event {
        Event::Started {
            id,
            pid,
            observed,
            times,
            kind,
        } => {
            let report = Report::Started {
                pid,
                observed,
                times,
                kind,
            };
            let how = (pid, times, kind);
            executed(shared, InstanceId::from_raw(id), how, report, descriptors);
        }
        Event::StartFailed { id, fault: why } => {
            let id = InstanceId::from_raw(id);
            if let Some(entry) = shared.table.remove(id) {
                never_ran(shared, id, entry, &fault(why));
            }
        }
        Event::Listening { id, at, reach } => {
            let id = InstanceId::from_raw(id);
            match reach {
                Some(endpoint) => drop(shared.table.promote(id, endpoint)),
                None => shared.table.report(id, Report::Elsewhere(at)),
            }
        }
        Event::Exited { id, ending, spent } => exited(shared, id, (ending, spent)),
        Event::Account { id, account } => shared.accounts.settle(id, account),
        Event::Listed {
            id,
            pid,
            function,
            revision,
            endpoint,
            ready,
        } => {
            let id = InstanceId::from_raw(id);
            let observed = Observed {
                id,
                function,
                revision,
                endpoint,
                pid: Some(pid),
            };
            adopt(shared, observed, ready, descriptors);
        }
        Event::Output { id, function } => {
            let id = InstanceId::from_raw(id);
            if shared.table.begin_reading(id) {
                hand_out(shared, &function, id, descriptors);
            }
        }
        Event::Freezer { id, kind, memory } => {
            let missing = || Arc::from("there are no descriptors left for its control group");
            let freezer = Freezer::new((kind, memory), descriptors).ok_or_else(missing);
            let id = InstanceId::from_raw(id);
            shared.table.with_frost(id, |frost| frost.settle(freezer));
        }
        Event::NoFreezer { id, why } => {
            let table = &shared.table;
            table.with_frost(InstanceId::from_raw(id), |it| it.settle(Err(why.into())));
        }
        Event::ListEnd => shared.table.end_list(),
        Event::Prepared(prepared) => shared.preparations.note(*prepared),
        // Said once, before the driver listens.
        Event::Welcome { .. } | Event::Refused { .. } => {}
    }
}

/// The program of an instance was executed, or a process that was prepared is it now.
fn executed(
    shared: &Arc<Shared>,
    id: InstanceId,
    (pid, times, kind): (u32, StartTimes, StartKind),
    report: Report,
    descriptors: Vec<OwnedFd>,
) {
    shared.accounts.add(id, pid);
    let Some((function, inherited)) = shared.table.describe(id) else {
        // Asked for before a former spawner died, and given up then.
        shared.signal(id, true);
        return;
    };
    if let Some(begun) = shared.table.end_begun(id) {
        // First, for an answer of the program may wait for it to be told.
        begin::end(shared, id, *begun, (pid, times, kind));
    }
    if !descriptors.is_empty() && shared.table.begin_reading(id) {
        hand_out(shared, &function, id, descriptors);
    }
    shared.table.report(id, report);
    if let Some(endpoint) = inherited {
        shared.table.promote(id, endpoint);
        refill_sockets(shared);
    }
}

/// Makes sockets ahead, out of the way of the program that is just starting.
fn refill_sockets(shared: &Arc<Shared>) {
    if shared.sockets.begin_refill() {
        let shared = shared.clone();
        tokio::spawn(async move {
            tokio::time::sleep(REFILL_PAUSE).await;
            shared.sockets.refill();
        });
    }
}

/// Tells that no program was executed.
fn never_ran(shared: &Shared, id: InstanceId, entry: Entry, why: &StartFailure) {
    if !matches!(entry.phase, Phase::Begun(_)) {
        return lose(shared, id, entry, why);
    }
    if let Phase::Begun(begun) = entry.finish().0 {
        begun.end.tell(Err(FailedStart {
            failure: why.clone(),
            unread: true,
        }));
    }
}

/// Tells that an instance is lost for a reason that is not its own.
pub(super) fn lose(shared: &Shared, id: InstanceId, entry: Entry, why: &StartFailure) {
    match entry.finish().0 {
        // A receiver that is gone gave up.
        Phase::Starting(start) => drop(start.send(Report::Failed(why.clone()))),
        Phase::Begun(begun) => begun.end.tell(Err(FailedStart {
            failure: why.clone(),
            unread: false,
        })),
        Phase::Running | Phase::Expected => drop(shared.exits.send(Exit {
            id,
            failure: why.clone(),
            spent: None,
        })),
        Phase::Abandoned => {}
    }
}

/// An instance and its whole process group are gone.
fn exited(shared: &Shared, id: u64, (how, spent): (Ending, Option<Spent>)) {
    let id = InstanceId::from_raw(id);
    let Some(entry) = shared.table.remove(id) else {
        return;
    };
    let stopped = entry.stopping;
    let (phase, verdict) = entry.finish();
    match phase {
        Phase::Starting(start) => {
            shared.accounts.note_failed(id, spent);
            let report = Report::Exited {
                ending: how,
                stopped,
            };
            if start.send(report).is_err() {
                // The receiver gave up.
                shared.accounts.take_failed(id);
            }
        }
        Phase::Begun(begun) => {
            shared.accounts.note_failed(id, spent);
            begun.end.tell(Err(FailedStart {
                failure: failure(FailureKind::Exited, ending(how)),
                unread: false,
            }));
        }
        Phase::Running | Phase::Expected => {
            let failure = verdict.unwrap_or_else(|| failure(FailureKind::Exited, ending(how)));
            // The driver, which holds the receiver, may be about to go.
            shared.exits.send(Exit { id, failure, spent }).ok();
        }
        Phase::Abandoned => {}
    }
}

/// An instance of a former gateway. One whose start that gateway did not finish is ended.
fn adopt(shared: &Shared, observed: Observed, ready: bool, pipes: Vec<OwnedFd>) {
    let id = observed.id;
    let entry = Entry {
        function: observed.function.clone(),
        inherited: None,
        phase: if ready {
            Phase::Running
        } else {
            Phase::Abandoned
        },
        stopping: false,
        verdict: None,
        watch: None,
        place: Place::adopt(shared, &observed.endpoint),
        read: false,
        frost: Frost::default(),
    };
    let expected = shared.table.is_expected(id);
    if !shared.table.receive(id, entry) {
        // It was handed over when its gateway died, before it was asked for.
        if ready && shared.table.is_running(id) {
            shared.table.add_listed(observed);
        }
        return;
    }
    if let Some(pid) = observed.pid {
        shared.accounts.add(id, pid);
    }
    if shared.table.begin_reading(id) {
        hand_out(shared, &observed.function, id, pipes);
    }
    if ready {
        if let Some(late) = shared.table.add_listed(observed) {
            // The driver, which holds the receiver, may be about to go.
            shared.late.send(late).ok();
        }
        return;
    }
    shared.signal(id, true);
    if expected {
        let detail = "the gateway that started it is gone, and it was killed";
        let failure = failure(FailureKind::Resources, detail);
        let spent = None;
        shared.exits.send(Exit { id, failure, spent }).ok();
    }
}

/// Gives both pipes to the hook.
fn hand_out(shared: &Shared, function: &Arc<str>, instance: InstanceId, pipes: Vec<OwnedFd>) {
    for (stream, pipe) in [OutputStream::Stdout, OutputStream::Stderr]
        .into_iter()
        .zip(pipes)
    {
        (shared.output)(Output {
            function: function.clone(),
            instance,
            stream,
            pipe,
        });
    }
}
