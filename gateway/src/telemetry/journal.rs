//! All that is told of one request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use http::header::HOST;
use http::request::Parts;
use stoker_core::InstanceId;
use stoker_scaler::driver::{LaunchSpec, StartTimings};

use super::Telemetry;
use crate::identity::RequestId;
use crate::phases::Phases;
use crate::problem::ProblemKind;

/// All that is told of one request, once it has ended.
pub(crate) struct Journal {
    /// Whom to tell; taken when it is told.
    telemetry: Option<Arc<Telemetry>>,
    pub(super) arrived: SystemTime,
    /// As the caller sent it.
    pub(super) parts: Parts,
    pub(super) id: RequestId,
    /// The address of the caller.
    pub(super) client: Arc<str>,
    /// It came over TLS.
    pub(super) tls: bool,
    /// The function and the revision, once they are known.
    pub(super) launch: Option<Arc<LaunchSpec>>,
    /// The id of the valid key that the caller presented.
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) instance: Option<InstanceId>,
    /// Of the instance; cold requests only.
    pub(crate) start: Option<StartTimings>,
    /// There was a connection to the instance.
    pub(crate) connected: bool,
    /// Why the gateway answered itself.
    pub(crate) problem: Option<ProblemKind>,
    /// None if the caller left before there was an answer.
    pub(crate) status: Option<StatusCode>,
    pub(crate) outcome: Outcome,
    pub(crate) cold: bool,
    pub(crate) phases: Phases,
    /// From the arrival to the end.
    pub(crate) total: Duration,
    /// Of the body, as far as a function was sent it.
    pub(crate) request_bytes: u64,
    /// Of the body of a function's answer.
    pub(crate) response_bytes: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The whole answer was handed over.
    Complete,
    /// The answer broke off on the function's side, or by a timeout.
    CutShort,
    /// The caller did not wait for the end.
    ClientLeft,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Complete => "complete",
            Outcome::CutShort => "cut-short",
            Outcome::ClientLeft => "client-left",
        }
    }
}

impl Journal {
    pub(super) fn new(
        telemetry: Arc<Telemetry>,
        client: Arc<str>,
        parts: Parts,
        (id, phases): (&RequestId, Phases),
    ) -> Self {
        Journal {
            telemetry: Some(telemetry),
            arrived: SystemTime::now(),
            parts,
            id: id.clone(),
            client,
            tls: false,
            launch: None,
            key_id: None,
            instance: None,
            start: None,
            connected: false,
            problem: None,
            status: None,
            outcome: Outcome::ClientLeft,
            cold: false,
            phases,
            total: Duration::ZERO,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    /// The request has ended.
    pub(crate) fn finish(mut self: Box<Self>) {
        if let Some(telemetry) = self.telemetry.take() {
            telemetry.tell(self);
        }
    }

    /// The status that was sent, or 499 if none was: what nginx writes for a caller that left.
    pub(super) fn shown_status(&self) -> u16 {
        self.status.map_or(499, |status| status.as_u16())
    }

    /// `function` or `gateway`; none if there was no answer.
    pub(super) fn origin(&self) -> Option<&'static str> {
        match (self.problem, self.status) {
            (Some(_), _) => Some("gateway"),
            (None, Some(_)) => Some("function"),
            (None, None) => None,
        }
    }

    /// How it came to the gateway.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// Whom the caller asked for: HTTP/2 has it in the request's line only.
    pub(super) fn host(&self) -> Option<&[u8]> {
        match self.parts.uri.authority() {
            Some(authority) => Some(authority.as_str().as_bytes()),
            None => self.parts.headers.get(HOST).map(|host| host.as_bytes()),
        }
    }

    /// The wait for a slot: all of the time if there was none.
    pub(super) fn queue(&self) -> Duration {
        match self.instance {
            Some(_) => self.phases.queue,
            None => self.total,
        }
    }

    /// It failed, or did not come to its end.
    pub(super) fn is_error(&self) -> bool {
        self.outcome != Outcome::Complete
            || self.status.is_none_or(|status| status.is_server_error())
    }
}
