//! Giving up old revisions, now and then.

use std::sync::Arc;

use stoker_gateway::Gateway;
use stoker_registry::{Registry, Rule, StoreError};

use super::{Deployments, chain};
use crate::reload::{Reloader, note};

/// Gives up what the rule of the configuration in force does not keep, as long as the gateway runs.
pub(crate) async fn collect(
    deployments: Arc<Deployments>,
    gateway: Arc<Gateway>,
    reloader: Reloader,
) {
    let Ok(registry) = deployments.registry().cloned() else {
        return;
    };
    loop {
        let spec = gateway.snapshot().gateway.registry.clone();
        tokio::time::sleep(spec.collect_interval).await;
        let rule = Rule {
            revisions: spec.keep_revisions,
            age: spec.keep_for,
        };
        let _lead = reloader.lead().await;
        if let Err(error) = round(&registry, rule, &reloader).await {
            note(&format!(
                "old revisions are not all collected: {}",
                chain(&error)
            ));
        }
    }
}

async fn round(
    registry: &Arc<Registry>,
    rule: Rule,
    reloader: &Reloader,
) -> Result<(), StoreError> {
    // What was given up in the round before: whatever still ran there has had the time to end.
    let aside = Arc::clone(registry);
    let swept = tokio::task::spawn_blocking(move || aside.sweep()).await;
    swept.unwrap_or_else(|error| Err(StoreError::Failed(error.into())))?;
    let aside = Arc::clone(registry);
    let given_up = tokio::task::spawn_blocking(move || aside.collect(rule)).await;
    let given_up = given_up.unwrap_or_else(|error| Err(StoreError::Failed(error.into())))?;
    if !given_up.is_empty() {
        let count = given_up.len();
        note(&format!(
            "{count} old revisions of published functions are collected"
        ));
        // Nothing is sent to them any more; an error is in the log.
        reloader.reload().await.ok();
    }
    Ok(())
}
