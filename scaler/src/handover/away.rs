//! The former gateway's way to the pools of its heir.

use std::sync::Arc;

use stoker_core::{Event, WaiterId};

use super::channel::Sender;
use super::wire::{Answer, Ask, Message};
use crate::Scaler;
use crate::driver::Driver;

/// The gateway that decides since this one departed.
pub struct Heir {
    sender: Sender,
    driver: Arc<dyn Driver>,
}

impl Heir {
    /// Speaks to the heir over `sender`; instances whose start ends here are given up by `driver`.
    pub fn new(sender: Sender, driver: Arc<dyn Driver>) -> Arc<Heir> {
        Arc::new(Heir { sender, driver })
    }

    /// Tells it what it does not learn from the spawner.
    pub(crate) fn tell(&self, function: u32, event: Event) {
        let ask = match event {
            Event::Acquire { waiter, deadline } => Ask::Acquire {
                waiter: waiter.0,
                deadline: deadline.as_nanos(),
            },
            Event::Cancel { waiter } => Ask::Cancel { waiter: waiter.0 },
            Event::Release {
                instance,
                outcome,
                since,
            } => Ask::Release {
                instance: instance.as_raw(),
                outcome: outcome.into(),
                since: since.as_nanos(),
            },
            Event::Unhealthy { instance } => Ask::Unhealthy {
                instance: instance.as_raw(),
            },
            Event::StartFailed { instance, failure } => Ask::StartFailed {
                instance: instance.as_raw(),
                failure: (&failure).into(),
            },
            Event::Scale { desired } => Ask::Scale { desired },
            Event::Evict => Ask::Evict,
            // The spawner tells the heir of it.
            Event::Ready { instance } => return self.driver.give(instance),
            // The heir has ticks, exits and settings of its own.
            Event::Exited { .. }
            | Event::Adopted { .. }
            | Event::Inherited(_)
            | Event::Forgo { .. }
            | Event::Reclaim
            | Event::Schedule(_)
            | Event::Reconfigure(_)
            | Event::Retire
            | Event::ShutDown
            | Event::ForgoSpares
            | Event::Pressure { .. }
            | Event::FreezeRefused
            | Event::Tick => return,
        };
        // No such message is too large but for a failure's detail, which is a sentence.
        self.sender.send(&Message::Ask { function, ask }, None).ok();
    }
}

impl<C: Send + 'static> Scaler<C> {
    /// The heir answers a waiter of one of the functions that departed.
    pub fn answered(&self, function: u32, waiter: u64, answer: Answer) {
        let Some(function) = self.departed(function) else {
            return;
        };
        function.answered(WaiterId(waiter), answer.into_result());
    }
}
