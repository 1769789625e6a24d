//! Deadlines that move, with a timer that is made only when something has to be waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

/// Watches over a deadline that may be another one at each look.
#[derive(Default)]
pub(crate) struct Watchdog {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    /// Ready once `due` has passed; otherwise the task is woken then at the latest.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        loop {
            if timer.deadline().into_std() > due {
                timer.as_mut().reset(due.into());
            }
            // A timer that is too early costs one look and is set anew; one deadline after another
            // costs nothing.
            ready!(timer.as_mut().poll(cx));
            if timer.deadline().into_std() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due.into());
        }
    }
}
