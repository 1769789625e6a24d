//! The copy of a request, for a revision whose answer nobody gets.
//!
//! The caller's own request does not wait for it: the body is copied as it goes by, and the copy is
//! sent by another task once it is whole.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::UnboundedSender;

use super::encode::{HeadParts, encode_head};
use super::{Limits, Ready, forward};
use crate::body::RequestBody;
use crate::gateway::{Entry, Gateway, Snapshot};
use crate::metrics::Record;
use crate::mirror::Permit;
use crate::router::Routed;
use crate::split::{Counting, MirrorResult, Split};
use crate::upstream::{Framing, Head};
use crate::watchdog::Watchdog;

/// Has the request copied if it is this one's turn and there is room for that; counts if there is
/// none.
pub(super) fn copy(
    (gateway, snapshot): (&Gateway, &Snapshot),
    split: &Split,
    (from, routed): (&HeadParts<'_>, &Routed<'_, Entry>),
    (body, limits): (&mut RequestBody, Limits),
) {
    let Some(entry) = split.mirror(routed.target) else {
        return;
    };
    let counting = split.counting();
    let spec = &snapshot.gateway.mirror;
    if matches!(from.framing, Framing::Length(length) if length > spec.body_bytes as u64) {
        return counting.count(MirrorResult::TooLarge);
    }
    let Some(permit) = gateway.mirrors().permit(spec.requests) else {
        return counting.count(MirrorResult::Busy);
    };
    let from = HeadParts {
        mirrored: true,
        ..*from
    };
    let to = Routed {
        target: entry,
        path: routed.path,
        parameters: routed.parameters.clone(),
    };
    // What cannot be said to this revision was said to the other one, whose caller hears of it.
    let Ok(head) = encode_head(&from, &to) else {
        return counting.count(MirrorResult::Incomplete);
    };
    let order = Order {
        entry: Arc::clone(entry),
        method: from.parts.method.clone(),
        head,
        framing: from.framing,
        limits,
        permit,
        counting,
        queue: gateway.mirrors().queue(),
    };
    body.copy_to(Copying {
        order: Some(order),
        held: BytesMut::new(),
        most: spec.body_bytes,
    });
}

/// A copy whose body is not there yet.
struct Order {
    entry: Arc<Entry>,
    method: http::Method,
    head: Head,
    framing: Framing,
    limits: Limits,
    permit: Permit,
    counting: Counting,
    queue: UnboundedSender<Copied>,
}

/// The body of a request on its way to one revision, copied for another one.
pub(crate) struct Copying {
    order: Option<Order>,
    held: BytesMut,
    most: usize,
}

/// The copy of a request.
pub(crate) struct Copied {
    ready: Ready,
    _permit: Permit,
}

impl Order {
    fn send(self, body: Bytes) {
        let copied = Copied {
            ready: Ready {
                entry: self.entry,
                cookie: None,
                method: self.method,
                head: self.head,
                body: RequestBody::whole(body),
                framing: self.framing,
                limits: self.limits,
                stream: false,
                admission: None,
                patience: None,
                deadline: None,
            },
            _permit: self.permit,
        };
        self.counting.count(MirrorResult::Sent);
        // If nobody sends it, the gateway ends.
        self.queue.send(copied).ok();
    }
}

impl Copying {
    /// The next piece.
    pub(crate) fn note(&mut self, piece: &[u8]) {
        if self.order.is_some() && self.held.len() + piece.len() > self.most {
            self.held = BytesMut::new();
            self.give_up(MirrorResult::TooLarge);
        }
        if self.order.is_some() {
            self.held.extend_from_slice(piece);
        }
    }

    /// That was all.
    pub(crate) fn finish(&mut self) {
        if let Some(order) = self.order.take() {
            order.send(std::mem::take(&mut self.held).freeze());
        }
    }

    fn give_up(&mut self, result: MirrorResult) {
        if let Some(order) = self.order.take() {
            order.counting.count(result);
        }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.give_up(MirrorResult::Incomplete);
    }
}

impl Copied {
    /// Sends it and reads the answer to its end, like a caller's own. One that has no end of its own
    /// is not read.
    pub(crate) async fn send(self, gateway: &Gateway) {
        let mut record = Record::new(Instant::now());
        record.set_mirrored();
        record.routed(Arc::clone(gateway.account(&self.ready.entry)));
        let mut watchdog = Watchdog::default();
        let answer = forward::forward(gateway, self.ready, &mut record, &mut watchdog).await;
        match answer {
            Ok(answer) if answer.streams => {}
            Ok(answer) => answer.transfer.read_out(&mut watchdog).await,
            Err(problem) => record.problem(problem.kind),
        }
    }
}
