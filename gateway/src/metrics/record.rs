//! What is counted and told of every request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use stoker_meter::{Counter, Meter};
use stoker_scaler::Lease;

use super::Account;
use super::Series;
use super::series::Warmth;
use crate::Connection;
use crate::phases::Phases;
use crate::problem::ProblemKind;
use crate::telemetry::{Journal, Outcome};

/// One request from its arrival to its end, counted and told when this is dropped.
///
/// It goes with the request through the phases, then with the body of the answer, so that every
/// way out is seen: an answer, a problem, or a caller that left.
pub(crate) struct Record {
    pub(crate) phases: Phases,
    account: Option<Arc<Account>>,
    /// For the access log and traces; none if neither wants this request.
    journal: Option<Box<Journal>>,
    /// It is the copy of another request.
    mirrored: bool,
    /// It was sent to an instance.
    reached: bool,
    /// It is counted as an invocation.
    invoked: bool,
    stage: Stage,
    cold: bool,
    request_bytes: u64,
    response_bytes: u64,
}

/// How far it came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its function is not known, or another record has taken over.
    Silent,
    /// It waits for a slot, a connection or an answer.
    Waiting,
    /// The gateway answered.
    Problem,
    /// The gateway answered, with nothing wrong.
    Own(StatusCode),
    /// The function's answer is on its way.
    Answered(StatusCode),
    /// It was cut short on the function's side.
    CutShort(StatusCode),
    /// The whole answer was handed over.
    Complete(StatusCode),
}

impl Record {
    /// Of a request that has just arrived.
    pub(crate) fn new(arrived: Instant) -> Self {
        Record {
            phases: Phases::new(arrived),
            account: None,
            journal: None,
            mirrored: false,
            reached: false,
            invoked: false,
            stage: Stage::Silent,
            cold: false,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    /// Its function is known: from now on its end is counted.
    pub(crate) fn routed(&mut self, account: Arc<Account>) {
        self.account = Some(account);
        self.stage = Stage::Waiting;
    }

    /// It is the copy of a request that its caller sent to another revision.
    pub(crate) fn set_mirrored(&mut self) {
        self.mirrored = true;
    }

    /// It will be told.
    pub(crate) fn set_journal(&mut self, journal: Option<Box<Journal>>) {
        self.journal = journal;
    }

    /// Its caller presented the key of this id.
    pub(crate) fn set_key(&mut self, id: Option<&Arc<str>>) {
        if let (Some(journal), Some(id)) = (&mut self.journal, id) {
            journal.key_id = Some(Arc::clone(id));
        }
    }

    /// It has a slot.
    pub(crate) fn leased(&mut self, lease: &Lease<Connection>) {
        self.phases.queue = self.phases.arrived.elapsed();
        self.take_lease(lease);
    }

    /// It has a connection, perhaps not its first one. Answers what time it is.
    pub(crate) fn connected(&mut self) -> Instant {
        let now = Instant::now();
        self.phases.connect = (now - self.phases.arrived).saturating_sub(self.phases.queue);
        self.reached = true;
        if let Some(journal) = &mut self.journal {
            journal.connected = true;
        }
        now
    }

    /// The head of the answer is there. What becomes of its body, the record that is returned sees;
    /// this one sees nothing any more.
    pub(crate) fn answered(&mut self, lease: &Lease<Connection>, status: StatusCode) -> Record {
        let phases = &mut self.phases;
        let before = phases.queue + phases.connect;
        phases.first_byte = phases.arrived.elapsed().saturating_sub(before);
        self.take_lease(lease);
        if self.cold {
            self.phases.set_start(lease.instance().timings());
            let Phases {
                connect,
                first_byte,
                ..
            } = self.phases;
            lease.instance().note_first_answer(connect, first_byte);
            if let Some(journal) = &mut self.journal {
                journal.start = self.phases.start;
            }
            if let Some(account) = &self.account {
                account.series().first_answered(connect, first_byte);
            }
        }
        let phases = &self.phases;
        if let Some(account) = &self.account {
            let first_byte = phases.queue + phases.connect + phases.first_byte;
            let series = account.series();
            series.answered(self.warmth(), phases.queue, first_byte);
            if !self.mirrored {
                // Before any of it is passed on: who has an answer is counted, come what may.
                account.meter().invoked(self.cold);
                self.invoked = true;
            }
        }
        self.stage = Stage::Answered(status);
        let arrived = self.phases.arrived;
        std::mem::replace(self, Record::new(arrived))
    }

    /// The gateway answers in the function's place.
    pub(crate) fn problem(&mut self, kind: ProblemKind) {
        self.stage = Stage::Problem;
        if let Some(account) = &self.account {
            account.series().problem(kind.status(), kind.name());
        }
        if let Some(journal) = &mut self.journal {
            journal.problem = Some(kind);
        }
    }

    /// The gateway answers, with nothing wrong.
    pub(crate) fn own(&mut self, status: StatusCode) {
        self.stage = Stage::Own(status);
    }

    /// So many bytes of the answer's body were handed over.
    pub(crate) fn add_bytes(&mut self, count: usize) {
        self.response_bytes += count as u64;
    }

    /// So many bytes of the request's body came in so far.
    pub(crate) fn set_request_bytes(&mut self, count: u64) {
        self.request_bytes = count;
    }

    /// The whole answer was handed over.
    pub(crate) fn complete(&mut self) {
        if let Stage::Answered(status) = self.stage {
            self.stage = Stage::Complete(status);
        }
    }

    /// The answer broke off, not by the caller's doing.
    pub(crate) fn cut_short(&mut self) {
        if let Stage::Answered(status) = self.stage {
            self.stage = Stage::CutShort(status);
        }
    }

    pub(crate) fn function(&self) -> &str {
        let account = self.account.as_ref();
        account.map_or("", |account| account.series().function())
    }

    fn warmth(&self) -> Warmth {
        match (self.cold, self.phases.thaw) {
            (true, _) => Warmth::Cold,
            (false, Some(_)) => Warmth::Thawed,
            (false, None) => Warmth::Warm,
        }
    }

    fn take_lease(&mut self, lease: &Lease<Connection>) {
        self.cold = lease.is_cold();
        self.phases.thaw = lease.thaw_time();
        if let Some(journal) = &mut self.journal {
            journal.instance = Some(lease.instance().id());
            journal.start = lease
                .is_cold()
                .then(|| lease.instance().timings())
                .flatten();
        }
    }

    fn count(&self, series: &Series, total: Duration) {
        match self.stage {
            Stage::Silent | Stage::Problem | Stage::Own(_) => {}
            Stage::Waiting | Stage::Answered(_) | Stage::CutShort(_) => series.interrupted(),
            Stage::Complete(status) => series.completed(status, self.warmth(), total),
        }
        series.moved(self.request_bytes, self.response_bytes);
    }
}

impl Record {
    /// What it used is the revision's. See [`Counter`] for what counts as what.
    fn charge(&self, meter: &Meter, total: Duration) {
        if self.mirrored {
            return meter.add(Counter::Mirrored, 1);
        }
        if !self.invoked {
            meter.invoked(self.cold);
        }
        let failed = match self.stage {
            Stage::Problem | Stage::CutShort(_) => true,
            Stage::Complete(status) => status.is_server_error(),
            Stage::Waiting | Stage::Answered(_) | Stage::Silent | Stage::Own(_) => false,
        };
        meter.add(Counter::Failures, failed.into());
        let wall = total.saturating_sub(self.phases.queue);
        let micros = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
        meter.add(Counter::WallMicros, micros);
        meter.add(Counter::RequestBytes, self.request_bytes);
        meter.add(Counter::ResponseBytes, self.response_bytes);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.account.is_none() && self.journal.is_none() {
            return;
        }
        let total = self.phases.arrived.elapsed();
        if let Some(account) = &self.account {
            self.count(account.series(), total);
            if self.reached {
                self.charge(account.meter(), total);
            }
        }
        let Some(mut journal) = self.journal.take() else {
            return;
        };
        (journal.status, journal.outcome) = match self.stage {
            Stage::Silent | Stage::Waiting => (None, Outcome::ClientLeft),
            Stage::Problem => (journal.problem.map(ProblemKind::status), Outcome::Complete),
            Stage::Answered(status) => (Some(status), Outcome::ClientLeft),
            Stage::CutShort(status) => (Some(status), Outcome::CutShort),
            Stage::Own(status) => (Some(status), Outcome::Complete),
            Stage::Complete(status) => (Some(status), Outcome::Complete),
        };
        journal.phases = self.phases;
        journal.cold = self.cold;
        journal.total = total;
        journal.request_bytes = self.request_bytes;
        journal.response_bytes = self.response_bytes;
        journal.finish();
    }
}
