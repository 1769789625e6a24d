//! From a gateway file to a [`GatewaySpec`].

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::draft::{GatewayDraft, StartsDraft};
use crate::error::ConfigError;
use crate::function::absolute;
use crate::page::{Page, Rules, locate};
use crate::schema::{self, gateway};
use crate::spec::{
    AccessLogTarget, Address, AdminSpec, GatewaySpec, IssuerSpec, ListenerSpec, StartsSpec,
    TakeoverSpec,
};
use crate::{SOCKET_NAME_MAX, SOCKET_PATH_MAX, access, admin, tls};

/// What a gateway file says.
pub(crate) struct Gateway {
    pub(crate) spec: GatewaySpec,
    /// Directories of functions as written, each with its line; 0 for that of the default.
    pub(crate) functions: Vec<(String, usize)>,
    /// Other files that were read: the token's, those of keys and of certificates.
    pub(crate) files: Vec<PathBuf>,
    /// What is no error and should be known.
    pub(crate) warnings: Vec<String>,
}

/// Reads a gateway file whose directory has the absolute path `home`.
pub(crate) fn read(file: &Path, home: &Path, text: &str) -> (Gateway, Vec<ConfigError>) {
    let room = OnceCell::new();
    let (mut page, table) = Page::parse(file, (text, &room), gateway::names);
    let mut draft = schema::with_presets(gateway::SECTIONS, GatewayDraft::blank());
    page.read(&table, gateway::SECTIONS, &mut draft);
    let functions = std::mem::take(&mut draft.functions);
    // Indices are those of the file only if every element of it was taken.
    let whole = page.sound(&["functions"]);
    let located = |(index, directory)| {
        let element = format!("functions[{index}]");
        let value = locate(&table, if whole { &element } else { "functions" });
        (
            directory,
            value.map_or(0, |value| page.line(value.span().start)),
        )
    };
    let functions = functions.into_iter().enumerate().map(located).collect();
    let mut rules = Rules {
        page: &mut page,
        table: &table,
    };
    let (jwt, mut files) = access::issuers(&mut rules, std::mem::take(&mut draft.jwt), home);
    files.extend(draft.admin.files(home));
    let (spec, certificates, warnings) = finish(&mut rules, (draft, jwt), home);
    files.extend(certificates);
    (
        Gateway {
            spec,
            functions,
            files,
            warnings,
        },
        page.into_errors(),
    )
}

fn finish(
    rules: &mut Rules<'_, '_>,
    (mut draft, jwt): (GatewayDraft, Vec<IssuerSpec>),
    home: &Path,
) -> (GatewaySpec, Vec<PathBuf>, Vec<String>) {
    let state_dir = absolute(home, &draft.state_dir);
    check_state_dir(rules, &state_dir);
    let admin = admin::finish(rules, draft.admin, (home, &state_dir));
    let listeners = tls::listeners(rules, (draft.listen, draft.listeners), home);
    check_listeners(rules, &listeners, &admin);
    let threads = draft.threads.unwrap_or_else(|| cores() as usize);
    let certificates = (draft.tls, draft.certificates);
    let tls = tls::finish(rules, certificates, (home, threads));
    if let Some(AccessLogTarget::File(path)) = &mut draft.access_log.target {
        *path = absolute(home, path);
    }
    let mut line = draft.logs.line_bytes as u64;
    rules.at_most(
        ("logs.line-bytes", &mut line),
        ("logs.file-bytes", draft.logs.file_bytes),
    );
    draft.logs.line_bytes = crate::units::wide(line);
    let mut registry = draft.registry;
    registry.key_file = registry.key_file.map(|file| absolute(home, &file));
    let header = draft.timeouts.header;
    let spec = GatewaySpec {
        listeners: listeners
            .into_iter()
            .map(|(_, listener)| listener)
            .collect(),
        tls: tls.spec,
        threads,
        function_prefix: draft.function_prefix,
        state_dir,
        limits: draft.limits,
        timeouts: draft.timeouts,
        http2: draft.http2,
        trusted_proxies: draft.trusted_proxies,
        admin,
        adoption: draft.adoption,
        takeover: TakeoverSpec {
            timeout: draft.takeover.timeout,
            idle_grace: draft.takeover.idle_grace.unwrap_or(header),
        },
        cgroups: draft.cgroups,
        freeze: draft.freeze,
        starts: starts(draft.starts, cores()),
        stubs: draft.stubs,
        spare_networks: draft.spare_networks,
        logs: draft.logs,
        ports: draft.ports,
        access: draft.access,
        jwt,
        access_log: draft.access_log,
        traces: draft.traces,
        metrics: draft.metrics,
        record: draft.record,
        history: draft.history,
        packages: draft.packages,
        build: draft.build,
        mirror: draft.mirror,
        registry,
        metering: draft.metering,
        prices: draft.prices,
    };
    (spec, tls.files, tls.warnings)
}

fn check_state_dir(rules: &mut Rules<'_, '_>, path: &Path) {
    let most = SOCKET_PATH_MAX - SOCKET_NAME_MAX - 1;
    let length = path.as_os_str().len();
    let shown = path.display().to_string();
    rules.require_of(length <= most, ("state-dir", &shown), || {
        format!(
            "a path of at most {most} bytes, as the Unix sockets in it are limited to \
             {SOCKET_PATH_MAX}; {shown} has {length}"
        )
    });
}

fn check_listeners(
    rules: &mut Rules<'_, '_>,
    listeners: &[(String, ListenerSpec)],
    admin: &AdminSpec,
) {
    // Indices are those of the file only if every element of it was taken.
    if !rules.page.sound(&["listen"]) {
        return;
    }
    for (index, (key, listener)) in listeners.iter().enumerate() {
        let address = &listener.address;
        if let Address::Unix(path) = address {
            check_socket(rules, key, path);
        }
        let twice = listeners[..index]
            .iter()
            .any(|(_, earlier)| earlier.address.clashes(address));
        rules.require(!twice, key, &[], || {
            "an address that no other listener has".to_owned()
        });
    }
    let clashes = |address: &Address| {
        listeners
            .iter()
            .any(|(_, other)| other.address.clashes(address))
    };
    let tcp = admin.listen.map(Address::Tcp);
    rules.require(
        !tcp.as_ref().is_some_and(clashes),
        "admin.listen",
        &[],
        || "an address that is not in listen".to_owned(),
    );
    let socket = Address::Unix(admin.socket.clone());
    let shown = admin.socket.display().to_string();
    rules.require_of(!clashes(&socket), ("admin.socket", &shown), || {
        "a path that is not in listen".to_owned()
    });
}

pub(crate) fn check_socket(rules: &mut Rules<'_, '_>, key: &str, path: &Path) {
    let length = path.as_os_str().len();
    rules.require(length <= SOCKET_PATH_MAX, key, &[], || {
        format!(
            "a path of at most {SOCKET_PATH_MAX} bytes, the limit of a Unix socket; {} has {length}",
            path.display()
        )
    });
}

/// How much is started at the same time on a machine with so many processors, where the gateway
/// file does not tell.
pub(crate) fn default_starts(cores: u32) -> StartsSpec {
    let draft = schema::with_presets(gateway::SECTIONS, GatewayDraft::blank());
    starts(draft.starts, cores)
}

fn starts(draft: StartsDraft, cores: u32) -> StartsSpec {
    StartsSpec {
        at_once: draft
            .at_once
            .unwrap_or_else(|| cores.saturating_mul(4).max(1)),
        yield_after: draft.yield_after,
        per_second: draft.per_second,
        burst: draft.burst,
        memory_reserve_bytes: draft.memory_reserve_bytes,
        evict_idle: draft.evict_idle,
    }
}

/// Processors; 1 if the system does not tell.
pub(crate) fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(u32::MAX)
}
