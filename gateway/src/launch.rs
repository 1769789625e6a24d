//! From a function's manifest to what the scaler starts, and how much of it.

use stoker_config::{
    FunctionSpec, GatewaySpec, IsolationSpec, Listen, Namespace as Own, StartsSpec,
};
use stoker_scaler::StartSettings;
use stoker_scaler::driver::{
    Isolation, Language, LaunchSpec, Namespace, Resources, Rlimit, RuntimeLaunch, SocketKind,
};
use stoker_scaler::record::{FileSettings, RecordSettings};

/// How much the scaler may start.
pub(crate) fn start_settings(spec: &StartsSpec) -> StartSettings {
    StartSettings {
        at_once: spec.at_once,
        per_second: spec.per_second,
        burst: spec.burst,
        memory_reserve_bytes: spec.memory_reserve_bytes,
        evict_idle: spec.evict_idle,
        yield_after: spec.yield_after,
    }
}

/// What is recorded, and how much of it is kept.
pub(crate) fn record_settings(spec: &GatewaySpec) -> RecordSettings {
    let record = &spec.record;
    RecordSettings {
        enabled: record.enabled,
        memory_bytes: record.memory_bytes,
        keep: record.keep,
        files: record.file.then(|| FileSettings {
            directory: spec.record_dir(),
            file_bytes: record.file_bytes,
            files: record.files,
        }),
    }
}

/// How instances of `spec` are started.
pub(crate) fn launch_spec(spec: &FunctionSpec) -> LaunchSpec {
    let limits = &spec.limits;
    let rlimits = [
        (Rlimit::OpenFiles, limits.open_files),
        (Rlimit::AddressSpace, limits.address_space_bytes),
        (
            Rlimit::CpuSeconds,
            limits.cpu_time.map(|time| time.as_secs()),
        ),
        (Rlimit::Processes, limits.processes),
        (Rlimit::FileSize, limits.file_bytes),
        (Rlimit::Core, Some(limits.core_bytes)),
    ];
    let secrets = spec.secrets.iter();
    let secrets = secrets.map(|it| (it.variable.clone(), it.value.as_str().to_owned()));
    LaunchSpec {
        function: spec.name.clone(),
        revision: spec.revision().into(),
        number: spec.number,
        command: spec.command.clone(),
        runtime: spec.runtime.as_ref().map(|runtime| RuntimeLaunch {
            language: match runtime.language {
                stoker_config::Language::Python => Language::Python,
                stoker_config::Language::Node => Language::Node,
            },
            handler: runtime.handler.clone(),
            interface: runtime.interface.name().to_owned(),
            concurrency: spec.scaling.concurrency,
            preload: runtime.preload,
            fallback: runtime.fallback,
            websocket_bytes: runtime.websocket_bytes,
        }),
        environment: spec
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .chain(secrets)
            .collect(),
        working_directory: spec.working_directory.clone(),
        socket: match spec.listen {
            Listen::Port => SocketKind::Port,
            Listen::Unix => SocketKind::Unix,
            Listen::Inherit => SocketKind::Inherit,
        },
        user: spec.user.clone(),
        rlimits: rlimits
            .into_iter()
            .filter_map(|(kind, value)| Some((kind, value?)))
            .collect(),
        resources: Resources {
            memory_bytes: spec.resources.memory_bytes,
            cpu_millis: spec.resources.cpu_millis,
            processes: spec.resources.processes,
        },
        isolation: isolation(&spec.isolation),
        start_timeout: spec.timeouts.start,
    }
}

fn isolation(spec: &IsolationSpec) -> Isolation {
    let namespaces = spec.namespaces.iter().map(|namespace| match namespace {
        Own::Mount => Namespace::Mount,
        Own::Pid => Namespace::Pid,
        Own::Ipc => Namespace::Ipc,
        Own::Uts => Namespace::Uts,
        Own::Net => Namespace::Net,
        Own::User => Namespace::User,
    });
    Isolation {
        namespaces: namespaces.collect(),
        seccomp: spec.seccomp,
        read_only: spec.read_only,
        writable: spec.writable.clone(),
        tmp_bytes: spec.tmp_bytes,
    }
}
