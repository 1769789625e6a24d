//! A gateway that takes over from one that lives, which has started it.

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stoker_config::Config;
use stoker_control::admin::AdminListeners;
use stoker_control::deployments::Deployments;
use stoker_control::takeover::Claim;
use stoker_gateway::Listeners;
use stoker_scaler::handover::{Message, Session};
use stoker_scaler::{Scaler, spawner};

use super::settings::spawner_settings;
use super::{Base, Origin, Parts, program, ready, runtime, warn};

type Connections = stoker_gateway::Connection;

/// Takes over and serves.
pub(super) fn run(file: &Path) -> Result<(), Box<dyn Error>> {
    let program = program();
    runtime()?.block_on(async {
        let mut claim = Claim::receive().await?;
        let succeeded = match prepare(&mut claim, file) {
            Ok((prepared, deployments)) => {
                let origin = Origin {
                    file,
                    program,
                    deployments,
                };
                succeed(&mut claim, &origin, prepared).await
            }
            Err(error) => Err(error),
        };
        let (mut parts, session) = match succeeded {
            Ok(succeeded) => succeeded,
            Err(error) => {
                claim.fail(&error.to_string()).await;
                return Err(format!("stoker: cannot take over: {error}").into());
            }
        };
        let (claimed, sender) = (session.functions(), claim.sender());
        let served = Arc::clone(&session);
        let scaler = Arc::clone(&parts.scaler);
        let former = claim
            .serve(&claimed, move |message| match message {
                Message::Ask { function, ask } => served.serve(function, ask),
                Message::Recorded { file } => inherit_record(&scaler, file),
                Message::Start(start) => scaler.inherit_start(start),
                _ => {}
            })
            .await?;
        parts.driver.lead();
        // Not before: had this one failed, whoever had been accepted here would have been lost.
        parts.server.accept();
        parts.former = Some(tokio::spawn(async move {
            former.await;
            session.end().await;
        }));
        ready(&parts, file);
        // It is short. From now on the former gateway's end is nobody's concern.
        sender.send(&Message::Leading, None).ok();
        parts.run().await
    })
}

/// What can be had while the former gateway serves.
struct Prepared {
    config: Config,
    sockets: (Listeners, AdminListeners),
    base: Base,
}

/// Everything that may fail for a reason of its own. It may block for a moment: nobody is served.
fn prepare(claim: &mut Claim, file: &Path) -> Result<(Prepared, Arc<Deployments>), Box<dyn Error>> {
    let mut config = stoker_config::load(file)?;
    // Before anything is made in it.
    claim.check_state_dir(&config.gateway.state_dir)?;
    let deployments = Deployments::open(&mut config);
    deployments.apply(&mut config);
    warn(&config);
    let spec = &config.gateway;
    let lock = claim
        .lock
        .take()
        .ok_or("the state directory's lock is not offered")?;
    let listeners = Listeners::inherit(&spec.addresses(), std::mem::take(&mut claim.listeners))?;
    let admin = AdminListeners::inherit(&spec.admin, std::mem::take(&mut claim.admin))?;
    let spawner = spawner::join_as_heir(&spawner_settings(spec), lock)?;
    let base = Base::new(spec, spawner)?;
    let prepared = Prepared {
        config,
        sockets: (listeners, admin),
        base,
    };
    Ok((prepared, deployments))
}

/// Goes on with what the former gateway has, which is frozen meanwhile.
async fn succeed(
    claim: &mut Claim,
    origin: &Origin<'_>,
    prepared: Prepared,
) -> Result<(Parts, Arc<Session<Connections>>), Box<dyn Error>> {
    let Prepared {
        config,
        sockets,
        base,
    } = prepared;
    let mut estate = claim.estate().await?;
    // Others are the former gateway's to finish.
    let deployed = config.deployments.iter();
    let deployed = deployed.flat_map(|it| it.revisions.iter().map(|revision| &revision.spec));
    let functions = config.functions.iter().chain(deployed);
    let revisions: HashSet<(Arc<str>, Arc<str>)> = functions
        .map(|spec| (Arc::clone(&spec.name), spec.revision().into()))
        .collect();
    estate.functions.retain(|function| {
        revisions.contains(&(Arc::clone(&function.name), Arc::clone(&function.revision)))
    });
    base.logs.continue_lines(std::mem::take(&mut estate.lines));
    let living = base.driver.take(&estate).await?;
    let (scaler, session) = Scaler::succeed(
        base.scaler_settings(),
        claim.clock(),
        (estate, living),
        claim.sender(),
    );
    let parts = Parts::start(origin, config, sockets, base, scaler)?;
    Ok((parts, session))
}

/// Takes in what the former gateway had recorded, aside.
fn inherit_record(scaler: &Arc<Scaler<Connections>>, file: PathBuf) {
    let scaler = Arc::clone(scaler);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = scaler.inherit_record(&file) {
            let file = file.display();
            eprintln!("stoker: the former gateway's record cannot be read from {file}: {error}");
        }
    });
}
