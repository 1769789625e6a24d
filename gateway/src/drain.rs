//! Streams that must come to an end.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;

use crate::tunnel::Drain;

/// Ready when the gateway begins to end.
pub(crate) fn begun(mut shutdown: watch::Receiver<bool>) -> Drain {
    Box::pin(async move { drop(shutdown.wait_for(|down| *down).await) })
}

/// Ready `grace` after `begun` is.
pub(crate) fn over(
    begun: Drain,
    grace: Duration,
) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
    Box::pin(async move {
        begun.await;
        tokio::time::sleep(grace).await;
    })
}
