//! Streams that must come to an end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use stoker_scaler::Instance;
use tokio::sync::watch;

use crate::Connection;
use crate::tunnel::Drain;

/// Ready when the gateway begins to end, or the instance does.
pub(crate) fn begun(
    mut shutdown: watch::Receiver<bool>,
    instance: Arc<Instance<Connection>>,
) -> Drain {
    Box::pin(async move {
        tokio::select! {
            down = shutdown.wait_for(|down| *down) => drop(down),
            () = instance.draining() => {}
        }
    })
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
