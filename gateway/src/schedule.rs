//! Minimum numbers of instances by the time of day: from the wall clock to the pools' own.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use stoker_config::ScheduleSpec;

use crate::{Function, Gateway};

/// Changes that a pool is told ahead. They come at whole minutes, so that they last for several
/// looks.
const CHANGES: usize = 4;
/// Between two looks at the wall clock, which may have been set. A pool takes each change at its
/// time without one.
const INTERVAL: Duration = Duration::from_secs(60);

/// Tells the function's pool what its schedule asks for now and next.
pub(crate) fn tell(schedule: &ScheduleSpec, function: &Function) {
    let now = SystemTime::now();
    let changes = schedule.changes(now, CHANGES).into_iter();
    function.schedule(now, changes.map(|change| (change.at, change.min_scale)));
}

impl Gateway {
    /// Looks at the wall clock from time to time for the functions with a schedule, for as long as
    /// there is the gateway. To be called within a runtime.
    pub fn keep_schedules(self: &Arc<Self>) {
        tokio::spawn(keep(Arc::downgrade(self)));
    }
}

async fn keep(gateway: Weak<Gateway>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        for entry in gateway.snapshot().revisions() {
            if !entry.spec.schedule.is_empty() {
                tell(&entry.spec.schedule, &entry.function);
                // There may be many, and requests come first.
                tokio::task::yield_now().await;
            }
        }
    }
}
