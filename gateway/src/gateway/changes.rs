//! What a new configuration changes.

use std::sync::Arc;

use stoker_config::GatewaySpec;

/// What a new configuration changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Functions that are new.
    pub added: Vec<Arc<str>>,
    /// Functions whose new revision takes over.
    pub replaced: Vec<Arc<str>>,
    /// Functions whose instances stay and whose settings changed.
    pub changed: Vec<Arc<str>>,
    /// Functions that are gone.
    pub removed: Vec<Arc<str>>,
    /// Files of certificates that are new, or whose certificate, key or demands are.
    pub certificates: Vec<Arc<str>>,
    /// Settings of the gateway that take effect with the next start only.
    pub needs_restart: Vec<&'static str>,
}

/// Their files.
pub(super) fn new_certificates(old: &GatewaySpec, new: &GatewaySpec) -> Vec<Arc<str>> {
    let all = new.tls.certificates.iter();
    all.filter(|certificate| !old.tls.certificates.contains(certificate))
        .map(|certificate| certificate.certificate.to_string_lossy().into())
        .collect()
}

/// The settings that are read once, when the process starts.
pub(super) fn needs_restart(old: &GatewaySpec, new: &GatewaySpec) -> Vec<&'static str> {
    let fixed = [
        ("listen", old.listeners != new.listeners),
        (
            "tls.concurrent-handshakes",
            old.tls.concurrent_handshakes != new.tls.concurrent_handshakes,
        ),
        ("threads", old.threads != new.threads),
        ("state-dir", old.state_dir != new.state_dir),
        ("ports", old.ports != new.ports),
        ("admin", old.admin.listens_elsewhere(&new.admin)),
        ("adoption", old.adoption != new.adoption),
        ("freeze", old.freeze != new.freeze),
        ("cgroups", old.cgroups != new.cgroups),
        ("starts.stubs", old.stubs != new.stubs),
        (
            "isolation.spare-networks",
            old.spare_networks != new.spare_networks,
        ),
        ("logs", old.logs != new.logs),
        (
            "registry.key-file",
            old.registry.key_file != new.registry.key_file,
        ),
        (
            "registry.audit-entries",
            old.registry.audit_entries != new.registry.audit_entries,
        ),
        (
            "metering.enabled",
            old.metering.enabled != new.metering.enabled,
        ),
        ("access-log", old.access_log != new.access_log),
        ("traces", old.traces != new.traces),
        (
            "limits.connections",
            old.limits.connections != new.limits.connections,
        ),
        (
            "limits.spare-sockets",
            old.limits.spare_sockets != new.limits.spare_sockets,
        ),
        (
            "access.rate-entries",
            old.access.rate_entries != new.access.rate_entries,
        ),
        (
            "access.jwt-cache",
            old.access.jwt_cache != new.access.jwt_cache,
        ),
    ];
    fixed
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}
