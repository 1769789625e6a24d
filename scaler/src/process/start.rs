//! The start of one instance, from nothing to taking requests.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::{FailureKind, InstanceId, StartFailure};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::environment::environment;
use super::frost::Frost;
use super::place::Place;
use super::probe::{self, Pace};
use super::table::{Entry, Phase, Report};
use super::words::{self, failure};
use super::{Shared, accept};
use crate::clock::instant_at;
use crate::driver::{Endpoint, LaunchSpec, SocketKind, StartKind, StartTimings, Started};
use crate::spawner::protocol::{
    self, Ending, Program, Readiness, Request, StartRequest, StartTimes,
};

/// How long a failed start waits for the end of what it killed.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// The detail of a start that somebody put an end to.
const STOPPED: &str = "was stopped while it started";

/// Starts an instance; see [`crate::driver::Driver::start`].
pub(super) async fn start(
    shared: Arc<Shared>,
    id: InstanceId,
    spec: &LaunchSpec,
) -> Result<Started, StartFailure> {
    let called = Instant::now();
    let mut attempt = Attempt::begin(shared, id, spec, called)?;
    let sent = attempt.sent;
    let (pid, observed, (times, kind)) = attempt.executed().await?;
    let endpoint = attempt.ready(observed).await?;
    if let (SocketKind::Inherit, Endpoint::Unix(path)) = (spec.socket, &endpoint) {
        accept::watch(&attempt.shared, id, path.clone(), spec.start_timeout);
    }
    let mut timings = timings((called.into_std(), sent.into_std()), times);
    let done = timings.total() - timings.decide;
    timings.listen = called.elapsed().saturating_sub(done);
    Ok(Started {
        endpoint,
        pid: Some(pid),
        timings,
        kind: Some(kind),
    })
}

/// The phases up to the execution.
pub(super) fn timings(
    (called, sent): (std::time::Instant, std::time::Instant),
    times: StartTimes,
) -> StartTimings {
    let StartTimes {
        received,
        cloned,
        executed,
    } = times;
    let between = |from: u64, to: u64| Duration::from_nanos(to.saturating_sub(from));
    StartTimings {
        called: Some(called),
        decide: Duration::ZERO,
        gate: Duration::ZERO,
        prepare: sent - called,
        spawn: instant_at(received).saturating_duration_since(sent),
        clone: between(received, cloned),
        exec: between(cloned, executed),
        listen: Duration::ZERO,
    }
}

/// What the spawner is asked to start.
pub(super) fn request(
    shared: &Shared,
    id: InstanceId,
    spec: &LaunchSpec,
    endpoint: &Endpoint,
) -> Request {
    let readiness = match spec.socket {
        SocketKind::Inherit => Readiness::Inherited,
        _ if shared.settings.observe => Readiness::Observed,
        _ => Readiness::Probed,
    };
    let program = Program {
        command: spec.command.clone(),
        environment: environment(spec, id, endpoint, &shared.state_dir),
        directory: spec.working_directory.clone(),
        user: spec.user.clone(),
        rlimits: spec.rlimits.clone(),
        resources: spec.resources.clone(),
        isolation: spec.isolation.clone(),
    };
    Request::Start(Box::new(StartRequest {
        id: id.as_raw(),
        name: id.to_string(),
        function: spec.function.clone(),
        revision: spec.revision.clone(),
        endpoint: endpoint.clone(),
        readiness,
        program,
        runtime: spec.runtime.clone(),
        received: 0,
    }))
}

pub(super) fn not_executed_within(timeout: Duration) -> String {
    format!("the spawner did not execute it within {timeout:?}")
}

/// A start under way. Dropped before its end, it kills what it started.
struct Attempt<'a> {
    shared: Arc<Shared>,
    id: InstanceId,
    spec: &'a LaunchSpec,
    endpoint: Endpoint,
    reports: mpsc::UnboundedReceiver<Report>,
    deadline: Instant,
    /// When the spawner was asked.
    sent: Instant,
    /// The instance runs, or nothing is left of it.
    settled: bool,
}

impl<'a> Attempt<'a> {
    /// Makes what the program needs and asks the spawner to execute it.
    fn begin(
        shared: Arc<Shared>,
        id: InstanceId,
        spec: &'a LaunchSpec,
        called: Instant,
    ) -> Result<Attempt<'a>, StartFailure> {
        let (place, endpoint, listener) = Place::make(&shared, id, spec.socket)?;
        let (start, reports) = mpsc::unbounded_channel();
        let entry = Entry {
            function: spec.function.clone(),
            inherited: (spec.socket == SocketKind::Inherit).then(|| endpoint.clone()),
            phase: Phase::Starting(start),
            stopping: false,
            verdict: None,
            watch: None,
            place,
            read: false,
            frost: Frost::default(),
        };
        if !shared.table.insert(id, entry) {
            let detail = format!("instance {id} was started already");
            return Err(failure(FailureKind::Resources, detail));
        }
        let deadline = called + spec.start_timeout;
        let attempt = Attempt {
            shared,
            id,
            spec,
            endpoint,
            reports,
            deadline,
            // Before it is, for the spawner may be quicker than this thread.
            sent: Instant::now(),
            settled: false,
        };
        match attempt.request(listener) {
            Ok(()) => {
                if attempt.shared.table.is_stopping(id) {
                    // The signal may have been sent before there was anything to signal.
                    attempt.shared.signal(id, true);
                }
                Ok(attempt)
            }
            Err(why) => {
                let detail = format!("cannot ask the spawner for it: {why}");
                // Too large now is too large the next time.
                let kind = match why.kind() {
                    std::io::ErrorKind::InvalidInput => FailureKind::NotExecutable,
                    _ => FailureKind::Resources,
                };
                Err(attempt.forget(failure(kind, detail)))
            }
        }
    }

    /// Sends the request, with the listener beside it.
    fn request(&self, listener: Option<OwnedFd>) -> std::io::Result<()> {
        let request = request(&self.shared, self.id, self.spec, &self.endpoint);
        self.shared
            .client
            .send(&request, listener.into_iter().collect())
    }

    /// The program's process, whether it is observed, and when what happened and how it came to be,
    /// as soon as it is executed.
    async fn executed(&mut self) -> Result<(u32, bool, (StartTimes, StartKind)), StartFailure> {
        match tokio::time::timeout_at(self.deadline, self.reports.recv()).await {
            Ok(Some(Report::Started {
                pid,
                observed,
                times,
                kind,
            })) => Ok((pid, observed, (times, kind))),
            Ok(Some(Report::Failed(why))) => Err(self.settle(why)),
            Ok(_) => Err(self.settle(failure(FailureKind::Resources, "the spawner died"))),
            Err(_) => {
                let detail = not_executed_within(self.spec.start_timeout);
                Err(self.kill(failure(FailureKind::Resources, detail)).await)
            }
        }
    }

    /// Where the executed program takes requests, as soon as it does.
    async fn ready(&mut self, observed: bool) -> Result<Endpoint, StartFailure> {
        let pace = if observed { Pace::SLOW } else { Pace::FAST };
        let mut probe = pin!(probe::reachable(self.endpoint.clone(), pace));
        let mut probing = self.spec.socket != SocketKind::Inherit;
        let mut elsewhere = None;
        loop {
            let report = tokio::select! {
                biased;
                report = self.reports.recv() => report,
                endpoint = &mut probe, if probing => {
                    // Answered by a report, unless it is about to end anyway.
                    probing = false;
                    if self.shared.table.promote(self.id, endpoint.clone()) {
                        self.tell_ready(&endpoint);
                    }
                    continue;
                }
                () = tokio::time::sleep_until(self.deadline) => {
                    return Err(self.kill(self.never_listened(elsewhere)).await);
                }
            };
            match report {
                Some(Report::Ready(endpoint)) => {
                    self.settled = true;
                    return Ok(endpoint);
                }
                Some(Report::Elsewhere(protocol::Place::Known(place))) => elsewhere = Some(place),
                Some(Report::Elsewhere(protocol::Place::Hidden)) => {
                    probe.set(probe::reachable(self.endpoint.clone(), Pace::FAST));
                }
                Some(Report::Elsewhere(protocol::Place::Foreign) | Report::Started { .. }) => {}
                Some(Report::Exited { ending, stopped }) => {
                    let why = self.exited(ending, stopped);
                    return Err(self.settle(why));
                }
                Some(Report::Failed(why)) => return Err(self.settle(why)),
                None => {
                    let why = failure(FailureKind::Resources, "the spawner died");
                    return Err(self.settle(why));
                }
            }
        }
    }

    /// Tells the spawner what only we know, so that the next gateway can adopt the instance.
    fn tell_ready(&self, endpoint: &Endpoint) {
        let request = Request::Ready {
            id: self.id.as_raw(),
            endpoint: endpoint.clone(),
        };
        // Fails only if the spawner is gone.
        self.shared.client.send(&request, Vec::new()).ok();
    }

    /// Kills the instance and waits for its end. It ends for `why`.
    async fn kill(&mut self, why: StartFailure) -> StartFailure {
        self.shared.signal(self.id, true);
        let gone = async {
            loop {
                match self.reports.recv().await {
                    Some(Report::Exited { .. } | Report::Failed(_)) | None => return,
                    Some(_) => {}
                }
            }
        };
        // After that it is stuck in the kernel, and reaped when it comes out.
        self.settled = tokio::time::timeout(KILL_WAIT, gone).await.is_ok();
        why
    }

    /// Nothing is left of it.
    fn settle(&mut self, why: StartFailure) -> StartFailure {
        self.settled = true;
        why
    }

    /// Nothing ever was of it.
    fn forget(mut self, why: StartFailure) -> StartFailure {
        if let Some(entry) = self.shared.table.remove(self.id) {
            entry.finish();
        }
        self.settle(why)
    }

    /// It ended before it was ready.
    fn exited(&self, ending: Ending, stopped: bool) -> StartFailure {
        let how = words::ending(ending);
        let detail = match (stopped, self.spec.socket) {
            (true, _) => STOPPED.to_owned(),
            (false, SocketKind::Inherit) => format!("{how} while it started"),
            (false, _) => {
                format!(
                    "{how} before it listened on {}",
                    words::place(&self.endpoint)
                )
            }
        };
        failure(FailureKind::Exited, detail)
    }

    /// Its time is up.
    fn never_listened(&self, elsewhere: Option<Endpoint>) -> StartFailure {
        if self.shared.table.is_stopping(self.id) {
            return failure(FailureKind::Exited, STOPPED);
        }
        let expected = words::place(&self.endpoint);
        let detail = match elsewhere {
            Some(place) => words::elsewhere(&place, &self.endpoint),
            None => format!(
                "did not listen on {expected} within {:?}",
                self.spec.start_timeout
            ),
        };
        failure(FailureKind::NeverListened, detail)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.settled && self.shared.table.abandon(self.id) {
            self.shared.signal(self.id, true);
        }
    }
}
