//! From the gateway's file to what its parts are told.

use std::time::Duration;

use stoker_config::{GatewaySpec, ReclaimSpec};
use stoker_scaler::logs::LogSettings;
use stoker_scaler::spawner::{CgroupSettings, CgroupUse, SpawnerSettings};
use stoker_scaler::{PressureSettings, Reclaim};

/// SIGTERM to SIGKILL for instances that no function has settings for.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(10);

/// How instances are started and kept.
pub(super) fn spawner_settings(spec: &GatewaySpec) -> SpawnerSettings {
    let mut settings = SpawnerSettings::new(&spec.state_dir);
    settings.adoption = spec.adoption.enabled.then_some(spec.adoption.timeout);
    settings.grace = STOP_GRACE;
    settings.cgroups = CgroupSettings {
        enabled: match spec.cgroups.enabled {
            stoker_config::CgroupUse::Auto => CgroupUse::Auto,
            stoker_config::CgroupUse::Always => CgroupUse::Always,
            stoker_config::CgroupUse::Never => CgroupUse::Never,
        },
        parent: spec.cgroups.parent.clone(),
        pool: spec.cgroups.pool,
    };
    settings.spare_networks = spec.spare_networks;
    settings.stubs = spec.stubs;
    settings
}

/// What is done about memory while instances are frozen.
pub(super) fn pressure_settings(spec: &GatewaySpec) -> PressureSettings {
    PressureSettings {
        reclaim: match spec.freeze.reclaim {
            ReclaimSpec::Always => Reclaim::Always,
            ReclaimSpec::Pressure => Reclaim::Pressure,
            ReclaimSpec::Off => Reclaim::Off,
        },
        interval: spec.freeze.interval,
        below_percentage: spec.freeze.available_percentage,
        stalled_percentage: spec.freeze.stalled_percentage,
    }
}

/// Where their output goes.
pub(super) fn log_settings(spec: &GatewaySpec) -> LogSettings {
    LogSettings {
        file_bytes: spec.logs.file_bytes,
        files: spec.logs.files,
        line_bytes: spec.logs.line_bytes,
        ..LogSettings::new(spec.state_dir.join("logs"))
    }
}
