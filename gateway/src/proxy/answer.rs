//! The function's answer on its way to the caller.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderValue;
use http::{HeaderName, Response};

use super::{SERVER_TIMING, forward};
use crate::caller::Caller;
use crate::drain;
use crate::identity::{REQUEST_ID, RequestId};
use crate::link::OurTurn;
use crate::problem::ORIGIN;
use crate::response::{ResponseBody, Transfer};
use crate::tunnel::{Drain, Tunnel};
use crate::upgrade::Upgrade;

/// Says what the request found: `cold` if it waited for an instance to start, `thawed` if its
/// instance was frozen, else `warm`.
const START: HeaderName = HeaderName::from_static("stoker-start");
impl forward::Answer {
    /// The answer to the caller, or the switch to another protocol.
    pub(super) fn complete(
        mut self,
        upgrade: Option<Upgrade>,
        (caller, grace): (&Caller, Duration),
        (id, turn): (&RequestId, OurTurn),
    ) -> Response<ResponseBody> {
        if !self.streams {
            return self.into_response(id, turn);
        }
        let instance = Arc::clone(self.transfer.lease.instance());
        let drain = drain::begun(caller.link().shutdown(), instance);
        if let Some(upgrade) = upgrade.zip(self.head.upgrade.take()) {
            return self.switch((drain, grace), upgrade, caller, (id, turn));
        }
        self.transfer.drained = Some(drain::over(drain, grace));
        self.into_response(id, turn)
    }

    /// Adds what the gateway tells the caller.
    fn sign(&mut self, id: &RequestId) {
        let lease = &self.transfer.lease;
        let start = match (lease.is_cold(), lease.thaw_time()) {
            (true, _) => "cold",
            (false, Some(_)) => "thawed",
            (false, None) => "warm",
        };
        let headers = &mut self.head.headers;
        headers.insert(REQUEST_ID, id.to_header());
        headers.insert(ORIGIN, HeaderValue::from_static("function"));
        headers.insert(START, HeaderValue::from_static(start));
        headers.append(SERVER_TIMING, self.phases.server_timing());
    }

    /// Switches protocols: what follows goes through a tunnel, which takes the slot with it.
    fn switch(
        mut self,
        (drain, grace): (Drain, Duration),
        (upgrade, chosen): (Upgrade, HeaderValue),
        caller: &Caller,
        (id, turn): (&RequestId, OurTurn),
    ) -> Response<ResponseBody> {
        self.sign(id);
        let Transfer {
            exchange,
            lease,
            record,
            idle,
            deadline,
            ..
        } = *self.transfer;
        let tunnel = Tunnel {
            lease,
            record,
            turn,
            open: caller.link().hold(),
            websocket: upgrade.is_websocket(),
            idle,
            deadline,
            drain,
            grace,
        };
        let mut response = Response::new(ResponseBody::switched());
        *response.status_mut() = upgrade.answer(&mut self.head.headers, chosen);
        *response.headers_mut() = self.head.headers;
        // Only HTTP/1.1 switches, which has a socket.
        if let Some(socket) = exchange.into_socket() {
            tokio::spawn(tunnel.run(upgrade.on, socket));
        }
        response
    }

    fn into_response(mut self, id: &RequestId, turn: OurTurn) -> Response<ResponseBody> {
        self.sign(id);
        let forward::Answer { head, transfer, .. } = self;
        let mut response = Response::new(ResponseBody::transfer(transfer, turn));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
