//! Policies that are tried beside those in force.
//!
//! Each has a pool of its own in the lab's virtual time, which gets the requests that the record
//! tells of, with the service and start times that were measured. So the real pools cannot notice
//! it. The trial is a few seconds behind, since a request is recorded at its end; one that takes
//! longer than that comes late to it.

mod trial;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::StartLimits;
use stoker_gateway::{Entry, Gateway, Shadows};
use stoker_lab::Setup;
use tokio::sync::watch;

use crate::counterfactual::setup;
use trial::Trial;

/// Between two looks at the record.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tries what the manifests say until `ending` says true, or its sender is gone.
pub(crate) async fn watch(gateway: Arc<Gateway>, mut ending: watch::Receiver<bool>) {
    let mut trials = Trials::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = ending.wait_for(|ending| *ending) => return,
        }
        let wanted = gateway.snapshot();
        if trials.0.is_empty() && wanted.functions.values().all(|it| it.spec.shadow.is_none()) {
            continue;
        }
        let gateway = Arc::clone(&gateway);
        let step = tokio::task::spawn_blocking(move || {
            let entries: Vec<_> = wanted.functions.values().cloned().collect();
            let starts = wanted.gateway.starts.limits();
            let shadows = trials.step(&gateway, (&entries, &starts));
            gateway.set_shadows(shadows);
            trials
        });
        trials = step.await.unwrap_or_default();
    }
}

/// By the function's name.
#[derive(Default)]
struct Trials(HashMap<Arc<str>, Trial>);

impl Trials {
    /// Takes in what was recorded since the last step.
    fn step(
        &mut self,
        gateway: &Gateway,
        (entries, starts): (&[Arc<Entry>], &StartLimits),
    ) -> Shadows {
        let scaler = gateway.scaler();
        let now = scaler.record().unix_micros(scaler.clock().now());
        self.0.retain(|name, trial| {
            let entry = entries.iter().find(|it| it.spec.name == *name);
            entry.is_some_and(|entry| trial.is_of(entry, starts))
        });
        let mut shadows = Shadows::new();
        for entry in entries {
            let Some(spec) = &entry.spec.shadow else {
                continue;
            };
            let name = &entry.spec.name;
            let trial = self.0.entry(Arc::clone(name));
            let trial = trial.or_insert_with(|| {
                let setup = Setup {
                    spec: Arc::clone(spec),
                    ..setup(&entry.spec)
                };
                Trial::new((setup, starts), &entry.spec.scaling, now)
            });
            let chunks = scaler.recorded(Some(name), trial.seen());
            let revisions = entry.revisions().iter();
            let instances = revisions.map(|it| it.function.view().pool.instances.len());
            trial.step(&chunks, instances.sum::<usize>() as u32, now);
            shadows.insert(Arc::clone(name), trial.status(now));
        }
        shadows
    }
}
