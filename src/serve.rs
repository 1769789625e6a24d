//! `stoker serve`: from the configuration to the running gateway and back to nothing.

mod announce;
mod settings;
mod successor;
mod told;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use stoker_config::{Config, GatewaySpec, ListenerSpec};
use stoker_control::admin::{AdminListeners, AdminState, Readiness};
use stoker_control::canary::Canaries;
use stoker_control::cli::advertise;
use stoker_control::deployments::Deployments;
use stoker_control::publish::Publisher;
use stoker_control::reload::Reloader;
use stoker_control::takeover::{Holdings, Takeover};
use stoker_gateway::{Gateway, Listeners, Metrics, Server, Telemetry};
use stoker_meter::Ledger;
use stoker_scaler::driver::Driver;
use stoker_scaler::logs::Logs;
use stoker_scaler::process::{ProcessDriver, ProcessSettings};
use stoker_scaler::spawner;
use stoker_scaler::{Scaler, ScalerSettings};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use announce::announce;
use settings::{STOP_GRACE, log_settings, pressure_settings, spawner_settings};
use told::{capture, notices};

/// Serves until SIGTERM or SIGINT, or until another gateway has taken over. With `takeover` it is
/// that other gateway, started by the former one.
pub(crate) fn serve(file: &Path, takeover: bool) -> ExitCode {
    stoker_scaler::pages::keep_small();
    let result = match takeover {
        false => run(file),
        true => successor::run(file),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &Path) -> Result<(), Box<dyn Error>> {
    let mut config = stoker_config::load(file)?;
    let deployments = Deployments::open(&mut config);
    deployments.apply(&mut config);
    let named = |error: Box<dyn Error>| Box::from(format!("stoker: {error}"));
    run_with(file, config, deployments).map_err(named)
}

fn run_with(
    file: &Path,
    config: Config,
    deployments: Arc<Deployments>,
) -> Result<(), Box<dyn Error>> {
    warn(&config);
    let program = program();
    let listeners = Listeners::bind(&config.gateway.addresses())?;
    // Before any thread: the spawner is launched from this process.
    let spawner = spawner::launch_or_join(&spawner_settings(&config.gateway))?;
    // With the lock of the state directory, nobody else publishes.
    deployments.clean_up();
    let admin = AdminListeners::bind(&config.gateway.admin)?;
    runtime()?.block_on(async {
        let base = Base::new(&config.gateway, spawner)?;
        let scaler = Scaler::new(base.scaler_settings()).await;
        let origin = Origin {
            file,
            program,
            deployments,
        };
        let parts = Parts::start(&origin, config, (listeners, admin), base, scaler)?;
        load_record(&parts);
        parts.server.accept();
        ready(&parts, file);
        parts.run().await
    })
}

/// Takes in what an earlier gateway recorded in files.
fn load_record(parts: &Parts) {
    let snapshot = parts.gateway.snapshot();
    if snapshot.gateway.record.file {
        parts.scaler.load_record(&snapshot.gateway.record_dir());
    }
}

/// Says what is no error and should be known.
fn warn(config: &Config) {
    for warning in &config.warnings {
        eprintln!("stoker: {warning}");
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("stoker")
        .enable_all()
        .build()
}

/// What this process was started from: the path, whatever is there when it is executed again.
fn program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    std::fs::read_link(&link).unwrap_or(link)
}

/// Where this process came from.
struct Origin<'a> {
    file: &'a Path,
    program: PathBuf,
    deployments: Arc<Deployments>,
}

/// What stands before there are functions.
struct Base {
    driver: Arc<ProcessDriver>,
    logs: Arc<Logs>,
    metrics: Arc<Metrics>,
    ledger: Arc<Ledger>,
}

impl Base {
    fn new(spec: &GatewaySpec, spawner: spawner::Connection) -> Result<Base, Box<dyn Error>> {
        let logs = Logs::new(log_settings(spec))?;
        let settings = ProcessSettings {
            ports: spec.ports.0..=spec.ports.1,
            spare_sockets: spec.limits.spare_sockets,
            ..ProcessSettings::default()
        };
        let driver = ProcessDriver::new(settings, spawner, capture(&logs))?;
        Ok(Base {
            driver: Arc::new(driver),
            logs,
            metrics: Arc::new(Metrics::new()?),
            ledger: stoker_control::metering::ledger(&spec.state_dir),
        })
    }

    fn scaler_settings(&self) -> ScalerSettings {
        ScalerSettings {
            driver: Arc::clone(&self.driver) as Arc<dyn Driver>,
            runtime: tokio::runtime::Handle::current(),
            notices: notices(&self.logs, &self.metrics),
            stop_grace: STOP_GRACE,
            ledger: Some(Arc::clone(&self.ledger)),
        }
    }
}

/// What runs.
struct Parts {
    gateway: Arc<Gateway>,
    scaler: Arc<stoker_gateway::Scaler>,
    server: Arc<Server>,
    driver: Arc<ProcessDriver>,
    takeover: Takeover,
    admin: AdminState,
    admin_listeners: AdminListeners,
    /// SIGTERM and SIGINT, which end the process at once until they are taken.
    signals: (Signal, Signal),
    /// Finishes what the former gateway, if there is one, still has.
    former: Option<tokio::task::JoinHandle<()>>,
}

impl Parts {
    fn start(
        origin: &Origin<'_>,
        config: Config,
        (listeners, admin_listeners): (Listeners, AdminListeners),
        base: Base,
        scaler: Arc<stoker_gateway::Scaler>,
    ) -> Result<Parts, Box<dyn Error>> {
        let Base {
            driver,
            logs,
            metrics,
            ..
        } = base;
        let runtime = tokio::runtime::Handle::current();
        let telemetry = Telemetry::start(&config.gateway, &metrics, &runtime)?;
        let listen = bound(&listeners, &config.gateway);
        let (watched, read_at) = (config.watched.clone(), config.read_at);
        let state_dir = config.gateway.state_dir.clone();
        scaler.watch_memory(pressure_settings(&config.gateway));
        let gateway = Gateway::with_telemetry(config, Arc::clone(&scaler), metrics, telemetry);
        let gateway = Arc::new(gateway);
        gateway.keys().load()?;
        gateway.keep_schedules();
        let file = origin.file.to_owned();
        let reloader = Reloader::spawn(
            file.clone(),
            watched,
            read_at,
            (Arc::clone(&gateway), Arc::clone(&origin.deployments)),
        );
        let server = Arc::new(Server::prepare(listeners, &listen, Arc::clone(&gateway))?);
        let takeover = Takeover::spawn(Holdings {
            gateway: Arc::clone(&gateway),
            scaler: Arc::clone(&scaler),
            server: Arc::clone(&server),
            driver: Arc::clone(&driver),
            logs: Arc::clone(&logs),
            reloader: reloader.clone(),
            admin: admin_listeners.share()?,
            file,
            state_dir,
            program: origin.program.clone(),
        });
        let (publisher, canaries) = publishing(origin, &gateway, &reloader, &logs);
        let readiness = Readiness::new();
        readiness.set_ready();
        let admin = AdminState {
            gateway: Arc::clone(&gateway),
            logs,
            reloader,
            readiness,
            listen,
            takeover: Some(takeover.clone()),
            publisher,
            canaries,
        };
        Ok(Parts {
            gateway,
            scaler,
            server,
            driver,
            takeover,
            admin,
            admin_listeners,
            signals: (
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
            ),
            former: None,
        })
    }

    /// Serves until a signal comes or another gateway has taken over, then finishes what was begun.
    async fn run(self) -> Result<(), Box<dyn Error>> {
        let (mut terminate, mut interrupt) = self.signals;
        // Not before: until now another gateway may have led.
        if let Some(canaries) = &self.admin.canaries {
            canaries.watch(self.admin.reloader.clone());
        }
        let readiness = self.admin.readiness.clone();
        let (end, ended) = oneshot::channel::<()>();
        let advertisement = advertise(&self.gateway.snapshot().gateway.admin.socket);
        let administration = tokio::spawn(stoker_control::admin::serve(
            self.admin,
            self.admin_listeners,
            async {
                // Dropping the sender is the signal too.
                drop(ended.await);
            },
        ));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = self.takeover.departed() => {}
        }
        let telemetry = Arc::clone(self.gateway.telemetry());
        let rest = Rest {
            gateway: self.gateway,
            scaler: self.scaler,
            server: self.server,
        };
        if self.takeover.close().await {
            if let Some(advertisement) = advertisement {
                advertisement.leave();
            }
            drop(end);
            rest.finish(self.former, terminate).await;
            // A service manager must not see this one end before it knows the other.
            tokio::time::timeout(RELEASE, self.takeover.released())
                .await
                .ok();
            telemetry.shut_down(TELEMETRY_PATIENCE).await;
            administration.await??;
            return Ok(());
        }
        eprintln!("stoker: finishing the requests in flight");
        readiness.set_shutting_down();
        tell_manager("STOPPING=1");
        rest.shut_down().await;
        telemetry.shut_down(TELEMETRY_PATIENCE).await;
        drop(end);
        administration.await??;
        self.driver.shutdown().await?;
        Ok(())
    }
}

/// What publishes functions and tries their revisions; the latter not without a registry.
fn publishing(
    origin: &Origin<'_>,
    gateway: &Arc<Gateway>,
    reloader: &Reloader,
    logs: &Arc<Logs>,
) -> (Arc<Publisher>, Option<Canaries>) {
    let publisher = Publisher::spawn(
        Arc::clone(&origin.deployments),
        Arc::clone(gateway),
        reloader.clone(),
        Arc::clone(logs),
    );
    let registry = origin.deployments.registry().ok().map(Arc::clone);
    let canaries = registry.map(|registry| Canaries::new(registry, Arc::clone(gateway)));
    (publisher, canaries)
}

/// What is left at the end.
struct Rest {
    gateway: Arc<Gateway>,
    scaler: Arc<stoker_gateway::Scaler>,
    server: Arc<Server>,
}

impl Rest {
    /// Ends everything.
    async fn shut_down(&self) {
        let patience = self.gateway.snapshot().gateway.timeouts.shutdown;
        self.server.shut_down(patience).await;
        if tokio::time::timeout(patience, self.scaler.shut_down())
            .await
            .is_err()
        {
            eprintln!("stoker: some instances did not end in time and are killed");
        }
        self.scaler.flush_record();
    }

    /// Finishes what was begun here, while another gateway serves. A signal cuts the idle
    /// connections short.
    async fn finish(&self, former: Option<tokio::task::JoinHandle<()>>, mut terminate: Signal) {
        let snapshot = self.gateway.snapshot();
        let patience = snapshot.gateway.timeouts.shutdown;
        let idle = snapshot.gateway.takeover.idle_grace;
        let everything = async {
            tokio::select! {
                () = self.server.drain(idle, idle + patience) => {}
                _ = terminate.recv() => self.server.shut_down(patience).await,
            }
            tokio::join!(self.scaler.wait_departed(), async {
                if let Some(former) = former {
                    // An error is its end too.
                    former.await.ok();
                }
            });
        };
        // Connections have a time of their own within.
        if tokio::time::timeout(idle + patience * 2, everything)
            .await
            .is_err()
        {
            eprintln!("stoker: what was left to finish was not finished in time");
        }
    }
}

/// Says that this process serves, to people and to the service manager.
fn ready(parts: &Parts, file: &Path) {
    announce(file, &parts.gateway, &parts.admin.listen);
    tell_manager(&format!("MAINPID={}\nREADY=1", std::process::id()));
}

fn tell_manager(lines: &str) {
    if let Err(error) = stoker_control::notify_service_manager(lines) {
        eprintln!("stoker: the service manager cannot be told: {error}");
    }
}

/// For the last lines of the access log, and for the last spans.
const TELEMETRY_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// For the gateway that took over to make itself known.
const RELEASE: std::time::Duration = std::time::Duration::from_secs(10);

/// The listeners with the addresses that they got.
fn bound(listeners: &Listeners, spec: &GatewaySpec) -> Vec<ListenerSpec> {
    let addresses = listeners.addresses().cloned();
    let pairs = addresses.zip(&spec.listeners);
    pairs
        .map(|(address, listener)| ListenerSpec {
            address,
            ..listener.clone()
        })
        .collect()
}
