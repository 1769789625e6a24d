//! `stoker serve`: from the configuration to the running gateway and back to nothing.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use stoker_config::{Address, Config, GatewaySpec, ListenerSpec};
use stoker_control::admin::{AdminListeners, AdminState, Readiness};
use stoker_control::cli::advertise;
use stoker_control::reload::Reloader;
use stoker_gateway::{Gateway, Listeners, Metrics, Server, Telemetry};
use stoker_scaler::driver::{Driver, LaunchSpec};
use stoker_scaler::logs::{LogSettings, Logs, Stream};
use stoker_scaler::process::{Output, OutputStream, ProcessDriver, ProcessSettings};
use stoker_scaler::spawner::{self, SpawnerSettings};
use stoker_scaler::{Notice, Notices, Scaler, ScalerSettings};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Serves until SIGTERM or SIGINT.
pub(crate) fn serve(file: &Path) -> ExitCode {
    let config = match stoker_config::load(file) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::FAILURE;
        }
    };
    match run(file, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stoker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &Path, config: Config) -> Result<(), Box<dyn Error>> {
    for warning in &config.warnings {
        eprintln!("stoker: {warning}");
    }
    let listeners = Listeners::bind(&config.gateway.addresses())?;
    // Before any thread: the spawner is launched from this process.
    let spawner = spawner::launch_or_join(&spawner_settings(&config.gateway))?;
    let admin = AdminListeners::bind(&config.gateway.admin)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("stoker")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let logs = Logs::new(log_settings(&config.gateway))?;
        let process_settings = ProcessSettings {
            ports: config.gateway.ports.0..=config.gateway.ports.1,
            ..ProcessSettings::default()
        };
        let driver = Arc::new(ProcessDriver::new(
            process_settings,
            spawner,
            capture(&logs),
        )?);
        let parts = Parts::start(file, config, listeners, &driver, logs).await?;
        parts.run(file, admin).await?;
        driver.shutdown().await?;
        Ok(())
    })
}

/// What runs.
struct Parts {
    gateway: Arc<Gateway>,
    scaler: Arc<stoker_gateway::Scaler>,
    server: Server,
    admin: AdminState,
}

impl Parts {
    async fn start(
        file: &Path,
        config: Config,
        listeners: Listeners,
        driver: &Arc<ProcessDriver>,
        logs: Arc<Logs>,
    ) -> Result<Parts, Box<dyn Error>> {
        let metrics = Arc::new(Metrics::new()?);
        let runtime = tokio::runtime::Handle::current();
        let telemetry = Telemetry::start(&config.gateway, &metrics, &runtime)?;
        let scaler = Scaler::new(ScalerSettings {
            driver: Arc::clone(driver) as Arc<dyn Driver>,
            runtime: tokio::runtime::Handle::current(),
            notices: notices(&logs, &metrics),
            stop_grace: STOP_GRACE,
        })
        .await;
        let listen = bound(&listeners, &config.gateway);
        let (watched, read_at) = (config.watched.clone(), config.read_at);
        let gateway = Gateway::with_telemetry(config, Arc::clone(&scaler), metrics, telemetry);
        let gateway = Arc::new(gateway);
        gateway.keys().load()?;
        let reloader = Reloader::spawn(file.to_owned(), watched, read_at, Arc::clone(&gateway));
        let server = Server::start(listeners, &listen, Arc::clone(&gateway));
        let readiness = Readiness::new();
        readiness.set_ready();
        let admin = AdminState {
            gateway: Arc::clone(&gateway),
            logs,
            reloader,
            readiness,
            listen,
        };
        Ok(Parts {
            gateway,
            scaler,
            server,
            admin,
        })
    }

    /// Serves until a signal comes, then finishes what was begun.
    async fn run(self, file: &Path, listeners: AdminListeners) -> Result<(), Box<dyn Error>> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let Parts {
            gateway,
            scaler,
            server,
            admin,
        } = self;
        let readiness = admin.readiness.clone();
        let (end, ended) = oneshot::channel::<()>();
        announce(file, &gateway, &admin.listen);
        let _advertisement = advertise(&gateway.snapshot().gateway.admin.socket);
        let administration = tokio::spawn(stoker_control::admin::serve(admin, listeners, async {
            // Dropping the sender is the signal too.
            drop(ended.await);
        }));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        eprintln!("stoker: finishing the requests in flight");
        readiness.set_shutting_down();
        let patience = gateway.snapshot().gateway.timeouts.shutdown;
        server.shut_down(patience).await;
        if tokio::time::timeout(patience, scaler.shut_down())
            .await
            .is_err()
        {
            eprintln!("stoker: some instances did not end in time and are killed");
        }
        gateway.telemetry().shut_down(TELEMETRY_PATIENCE).await;
        drop(end);
        administration.await??;
        Ok(())
    }
}

/// For the last lines of the access log, and for the last spans.
const TELEMETRY_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// SIGTERM to SIGKILL for instances that no function has settings for.
const STOP_GRACE: std::time::Duration = std::time::Duration::from_secs(10);

fn spawner_settings(spec: &GatewaySpec) -> SpawnerSettings {
    let mut settings = SpawnerSettings::new(&spec.state_dir);
    settings.adoption = spec.adoption.enabled.then_some(spec.adoption.timeout);
    settings.grace = STOP_GRACE;
    settings
}

fn log_settings(spec: &GatewaySpec) -> LogSettings {
    LogSettings {
        file_bytes: spec.logs.file_bytes,
        files: spec.logs.files,
        line_bytes: spec.logs.line_bytes,
        ..LogSettings::new(spec.state_dir.join("logs"))
    }
}

/// Hands the output of instances to the logs.
fn capture(logs: &Arc<Logs>) -> Arc<dyn Fn(Output) + Send + Sync> {
    let logs = Arc::clone(logs);
    Arc::new(move |output| {
        let Output {
            function,
            instance,
            stream,
            pipe,
        } = output;
        let stream = match stream {
            OutputStream::Stdout => Stream::Stdout,
            OutputStream::Stderr => Stream::Stderr,
        };
        if let Err(error) = logs.capture(Arc::clone(&function), instance, stream, pipe) {
            eprintln!("stoker: {function} {instance}: its output is lost: {error}");
        }
    })
}

/// Counts what the scaler tells and writes it to the function's log.
fn notices(logs: &Arc<Logs>, metrics: &Arc<Metrics>) -> Notices {
    let (logs, metrics) = (Arc::clone(logs), Arc::clone(metrics));
    Arc::new(move |launch: &LaunchSpec, notice| {
        metrics.note(launch, &notice);
        let function = &*launch.function;
        match notice {
            Notice::Started { id, pid, timings } => {
                let took = timings.prepare + timings.spawn + timings.listen;
                logs.note(
                    function,
                    id,
                    format!("started in {took:?} as process {}", pid.unwrap_or(0)),
                );
            }
            Notice::Adopted { id, pid } => {
                logs.note(
                    function,
                    id,
                    format!("adopted as process {}", pid.unwrap_or(0)),
                );
            }
            Notice::StartFailed { id, failure } => {
                logs.note(function, id, format!("did not start: {}", failure.detail));
                eprintln!("stoker: {function} {id} did not start: {}", failure.detail);
            }
            Notice::Exited {
                id,
                failure,
                wanted,
                lifetime,
            } => {
                let wish = if wanted { "as told" } else { "unasked" };
                logs.note(
                    function,
                    id,
                    format!("ended {wish} after {lifetime:?}: {}", failure.detail),
                );
                if !wanted {
                    eprintln!("stoker: {function} {id} ended unasked: {}", failure.detail);
                }
            }
            Notice::Decided(_) => {}
        }
    })
}

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

/// Says where each function answers; the first ones if there are very many.
fn announce(file: &Path, gateway: &Gateway, listeners: &[ListenerSpec]) {
    const SHOWN: usize = 20;
    let snapshot = gateway.snapshot();
    let mut out = std::io::stdout().lock();
    let prefix = &snapshot.gateway.function_prefix;
    let mut lines = String::new();
    for (name, _) in snapshot.functions.iter().take(SHOWN) {
        let first = listeners.first();
        let scheme = match first {
            Some(listener) if listener.tls => "https",
            _ => "http",
        };
        match first.map(|listener| &listener.address) {
            Some(Address::Tcp(address)) => {
                lines.push_str(&format!(
                    "  {name:<20} {scheme}://{address}{prefix}/{name}\n"
                ));
            }
            Some(Address::Unix(path)) => {
                lines.push_str(&format!(
                    "  {name:<20} unix:{} {prefix}/{name}\n",
                    path.display()
                ));
            }
            None => {}
        }
    }
    let count = snapshot.functions.len();
    if count > SHOWN {
        lines.push_str(&format!("  and {} more\n", count - SHOWN));
    }
    let listening: Vec<String> = listeners.iter().map(ToString::to_string).collect();
    // A closed standard output is no reason to stop serving.
    drop(write!(
        out,
        "stoker serves {count} functions of {} on {}\n{lines}",
        file.display(),
        listening.join(", ")
    ));
    drop(out.flush());
}
