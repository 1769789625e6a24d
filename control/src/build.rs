//! Builds packages, before anything of them is launched.
//!
//! A build is started as an instance is: by a spawner, in a control group and in namespaces, with
//! limits. The spawner is one of its own, below the state directory, which lives as long as the build
//! and ends with the gateway, and the build with it. So nothing of a build is adopted, survives, or
//! is seen by the pools.

mod builder;
mod disk;
mod output;
mod settle;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stoker_config::{BuildSpec, FunctionSpec, GatewaySpec};
use stoker_core::InstanceId;
use stoker_scaler::driver::{
    Driver as _, Isolation, LaunchSpec, Namespace, Resources, Rlimit, SocketKind, Stop,
};
use stoker_scaler::process::{ProcessDriver, ProcessSettings};
use stoker_scaler::spawner::{self, CgroupSettings, CgroupUse, SpawnerSettings};
use tokio::sync::Mutex;
use tokio::time::{sleep_until, timeout_at};

use builder::Builder;
use disk::Usage;
use output::Tail;
use settle::{Manifest, settle};

/// Builds take turns: one has the state directory of its spawner.
static TURN: Mutex<()> = Mutex::const_new(());

/// Between two looks at what a build has written.
const LOOK: Duration = Duration::from_millis(500);
/// How long a build that was killed may take to go, and its last output to come.
const END: Duration = Duration::from_secs(5);
/// How the spawner begins to say that it cannot enforce [`Resources`].
const UNBOUNDED: &str = "cannot limit ";
/// The build's only instance.
const ID: InstanceId = InstanceId::from_raw(1);

/// What came of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildReport {
    /// From its start to its end.
    pub took: Duration,
    /// What it printed to both streams, as far as it is kept.
    pub output: String,
    /// Bytes of the code after it.
    pub bytes: u64,
    /// Files, directories and links after it.
    pub entries: u64,
}

/// Why there is no code to launch.
#[derive(Debug)]
pub enum BuildError {
    /// The gateway builds nothing.
    Disabled,
    /// It was not started.
    NotStarted(String),
    /// It ended otherwise than with status 0, or was ended: how, and what it had printed.
    Failed {
        /// How it ended, such as `exited with status 1`.
        how: String,
        /// As far as it is kept.
        output: String,
    },
}

/// Builds the code in `directory`, which is absolute and holds the manifest that `function` is read
/// from; None if that asks for no build. What the build leaves there has the modes of unpacked code
/// and is not synced. Blocks nothing.
///
/// If it is dropped, the build is killed.
///
/// # Errors
/// If it fails, takes too long or too much, or cannot be started. What is in the directory is of no
/// use then.
pub async fn build(
    gateway: &GatewaySpec,
    function: &FunctionSpec,
    directory: &Path,
) -> Result<Option<BuildReport>, BuildError> {
    build_by(None, gateway, function, directory).await
}

/// The same by the spawner `program`, for tests: they are not that program themselves.
#[doc(hidden)]
pub async fn build_by(
    program: Option<PathBuf>,
    gateway: &GatewaySpec,
    function: &FunctionSpec,
    directory: &Path,
) -> Result<Option<BuildReport>, BuildError> {
    let Some(spec) = &function.build else {
        return Ok(None);
    };
    if !gateway.build.enabled {
        return Err(BuildError::Disabled);
    }
    has_what_it_needs(spec, directory).map_err(BuildError::NotStarted)?;
    let _turn = TURN.lock().await;
    let site = Site {
        program,
        gateway,
        function,
        directory: directory.to_owned(),
        scratch: gateway.build_dir().join("tmp"),
        builder: Builder::of(&gateway.build).map_err(not_started)?,
    };
    let manifest = Manifest::read(directory).map_err(not_started)?;
    let report = match site.prepare() {
        Ok(()) => site.run(spec).await,
        Err(error) => Err(not_started(error)),
    };
    // What is left is removed before the next build.
    fs::remove_dir_all(&site.scratch).ok();
    let report = report?;
    let (directory, builder) = (directory.to_owned(), site.builder);
    let settled = tokio::task::spawn_blocking(move || {
        manifest.check()?;
        settle(&directory, builder.as_ref())
    });
    match settled
        .await
        .map_err(|error| error.to_string())
        .and_then(|settled| settled)
    {
        Ok(()) => Ok(Some(report)),
        Err(how) => Err(BuildError::Failed {
            how,
            output: report.output,
        }),
    }
}

/// What is missing is said in fewer words here than by what would miss it.
fn has_what_it_needs(spec: &BuildSpec, directory: &Path) -> Result<(), String> {
    let needs = spec.needs;
    if needs.is_empty() || needs.iter().any(|name| directory.join(name).is_file()) {
        return Ok(());
    }
    let advice = match needs.contains(&"package-lock.json") {
        true => "; \"npm install --package-lock-only\" makes one",
        false => "",
    };
    let names = needs.join(" or ");
    Err(format!(
        "there is no {names} beside function.toml, as build.kind wants{advice}"
    ))
}

/// Where something is built.
struct Site<'a> {
    /// The spawner's, if it is not this one.
    program: Option<PathBuf>,
    gateway: &'a GatewaySpec,
    function: &'a FunctionSpec,
    directory: PathBuf,
    /// For temporary files, and the home of whoever builds.
    scratch: PathBuf,
    /// Whom it runs as, if that is not the gateway's user.
    builder: Option<Builder>,
}

impl Site<'_> {
    fn prepare(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&self.scratch)?,
        }
        let most_bytes = self.gateway.build.disk_reserve_bytes;
        disk::check_reserve(&self.scratch, most_bytes).map_err(io::Error::other)?;
        let Some(builder) = &self.builder else {
            return Ok(());
        };
        builder.take(&self.scratch)?;
        builder.take(&self.directory)
    }

    async fn run(&self, spec: &BuildSpec) -> Result<BuildReport, BuildError> {
        let tail = Tail::new(self.gateway.build.output_bytes);
        let settings = self.spawner_settings();
        let connection = tokio::task::spawn_blocking(move || spawner::launch_or_join(&settings));
        let connection = connection
            .await
            .map_err(io::Error::other)
            .and_then(|connection| connection)
            .map_err(not_started)?;
        let hook = tail.hook();
        let settings = ProcessSettings {
            spare_sockets: 0,
            ..ProcessSettings::default()
        };
        let driver = ProcessDriver::new(settings, connection, hook).map_err(not_started)?;
        let began = Instant::now();
        let result = self.execute(&driver, spec, &tail).await;
        let took = began.elapsed();
        // Its spawner goes with it: an error leaves one that ends by itself.
        driver.shutdown().await.ok();
        let output = tail.text(END).await;
        match result {
            Ok(usage) => Ok(BuildReport {
                took,
                output,
                bytes: usage.bytes,
                entries: usage.entries,
            }),
            Err(Fault::NotStarted(why)) => Err(BuildError::NotStarted(why)),
            Err(Fault::Ended(how)) => Err(BuildError::Failed { how, output }),
        }
    }

    async fn execute(
        &self,
        driver: &ProcessDriver,
        spec: &BuildSpec,
        tail: &Tail,
    ) -> Result<Usage, Fault> {
        let deadline = tokio::time::Instant::now() + self.gateway.build.timeout;
        let mut launch = self.launch(spec);
        let mut started = driver.start(ID, &Arc::new(launch.clone())).await;
        if let Err(why) = &started
            && why.detail.starts_with(UNBOUNDED)
        {
            // Where there are no control groups there is still a build.
            tail.note(&format!("stoker: [build]: {}\n", why.detail));
            launch.resources = Resources::default();
            if self.builder.is_some() {
                // Of a user that nothing else runs as this is nearly the same; root has no such limit.
                let most = self.gateway.build.processes;
                launch.rlimits.push((Rlimit::Processes, most));
            }
            started = driver.start(ID, &Arc::new(launch)).await;
        }
        started.map_err(|why| Fault::NotStarted(why.detail.to_string()))?;
        let exit = loop {
            let look = tokio::time::Instant::now() + LOOK;
            tokio::select! {
                exit = driver.exited() => break exit,
                () = sleep_until(deadline) => {
                    kill(driver).await;
                    let most = stoker_config::format_duration(self.gateway.build.timeout);
                    return Err(Fault::Ended(format!("took longer than build.timeout = {most}")));
                }
                () = sleep_until(look) => {
                    if let Err(fault) = self.measure().await {
                        kill(driver).await;
                        return Err(fault);
                    }
                }
            }
        };
        match exit.is_done() {
            true => self.measure().await,
            false => Err(Fault::Ended(exit.failure.detail.to_string())),
        }
    }

    /// How much there is, unless it is too much.
    async fn measure(&self) -> Result<Usage, Fault> {
        let spec = &self.gateway.build;
        let (directory, scratch) = (self.directory.clone(), self.scratch.clone());
        let most = Usage {
            bytes: spec.disk_bytes,
            entries: spec.entries,
        };
        let reserve_bytes = spec.disk_reserve_bytes;
        let measured = tokio::task::spawn_blocking(move || {
            disk::check_reserve(&scratch, reserve_bytes)?;
            disk::usage(&directory, &scratch, most)
        });
        match measured.await {
            Ok(Ok(usage)) => Ok(usage),
            Ok(Err(why)) => Err(Fault::Ended(why)),
            Err(error) => Err(Fault::Ended(error.to_string())),
        }
    }

    fn launch(&self, build: &BuildSpec) -> LaunchSpec {
        let spec = &self.gateway.build;
        let home = self.scratch.to_string_lossy().into_owned();
        let mut environment: Vec<(String, String)> = spec
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for (name, value) in [
            ("PATH", self.function.environment.get("PATH")),
            ("HOME", Some(&home)),
            ("TMPDIR", Some(&home)),
        ] {
            let absent = environment.iter().all(|(own, _)| own != name);
            if let Some(value) = value.filter(|_| absent) {
                environment.push((name.to_owned(), value.clone()));
            }
        }
        LaunchSpec {
            function: Arc::clone(&self.function.name),
            revision: "build".into(),
            number: None,
            command: build.command.clone(),
            runtime: None,
            environment,
            working_directory: self.directory.clone(),
            // It has nothing to do with requests; this is the kind that need not be waited for.
            socket: SocketKind::Inherit,
            user: self.builder.as_ref().map(|it| it.name.clone()),
            rlimits: vec![(Rlimit::FileSize, spec.disk_bytes), (Rlimit::Core, 0)],
            resources: Resources {
                memory_bytes: Some(spec.memory_bytes),
                cpu_millis: None,
                processes: Some(spec.processes),
            },
            isolation: self.isolation(),
            start_timeout: spec.timeout,
        }
    }

    fn spawner_settings(&self) -> SpawnerSettings {
        let gateway = self.gateway;
        let mut settings = SpawnerSettings::new(gateway.build_dir());
        if let Some(program) = &self.program {
            settings.executable.clone_from(program);
        }
        settings.adoption = None;
        settings.grace = Duration::ZERO;
        settings.cgroups = CgroupSettings {
            enabled: match gateway.cgroups.enabled {
                stoker_config::CgroupUse::Never => CgroupUse::Never,
                // What cannot be had is told in the build's output.
                _ => CgroupUse::Auto,
            },
            parent: gateway.cgroups.parent.clone(),
            pool: 0,
        };
        settings.spare_networks = 0;
        settings.stubs = 0;
        settings
    }

    fn isolation(&self) -> Isolation {
        if !self.gateway.build.isolated {
            return Isolation::default();
        }
        // With the network, which is what most builds are there for.
        let mut namespaces = vec![
            Namespace::Mount,
            Namespace::Pid,
            Namespace::Ipc,
            Namespace::Uts,
        ];
        if self.builder.is_none() {
            // Another user has no privileges as it is, and does not exist in one.
            namespaces.push(Namespace::User);
        }
        Isolation {
            namespaces,
            seccomp: true,
            read_only: true,
            writable: vec![self.directory.clone(), self.scratch.clone()],
            tmp_bytes: None,
        }
    }
}

/// Why there was no good end.
enum Fault {
    NotStarted(String),
    Ended(String),
}

async fn kill(driver: &ProcessDriver) {
    driver.stop(ID, Stop::Kill);
    let until = tokio::time::Instant::now() + END;
    // If it is stuck in the kernel, its spawner is killed next.
    timeout_at(until, driver.exited()).await.ok();
}

fn not_started(error: io::Error) -> BuildError {
    BuildError::NotStarted(error.to_string())
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BuildError::Disabled => f.write_str(
                "the manifest has a [build], and this gateway builds nothing: pack what the build \
                 makes, or set build.enabled in the gateway file",
            ),
            BuildError::NotStarted(why) => write!(f, "the build cannot be started: {why}"),
            BuildError::Failed { how, output } if output.is_empty() => {
                write!(f, "the build {how} and printed nothing")
            }
            BuildError::Failed { how, output } => write!(f, "the build {how}:\n{output}"),
        }
    }
}

impl std::error::Error for BuildError {}
