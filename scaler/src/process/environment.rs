//! The environment of a program: the operator's variables, the contract's, and nothing else.

use std::path::Path;

use stoker_core::InstanceId;

use crate::driver::{Endpoint, LaunchSpec, SocketKind};
use crate::spawner::prepare::DEFAULT_PATH;
use crate::spawner::proc::{INSTANCE, SCOPE};

/// All of it but `LISTEN_PID`, which only the child knows. The contract's variables win.
pub(super) fn environment(
    spec: &LaunchSpec,
    id: InstanceId,
    endpoint: &Endpoint,
    state_dir: &Path,
) -> Vec<(String, String)> {
    let mut own = vec![(INSTANCE, id.to_string())];
    match (spec.socket, endpoint) {
        (SocketKind::Inherit, _) => {
            own.push(("LISTEN_FDS", "1".to_owned()));
            own.push(("LISTEN_FDNAMES", "http".to_owned()));
        }
        (_, Endpoint::Tcp(address)) => own.push(("PORT", address.port().to_string())),
        (_, Endpoint::Unix(path)) => {
            own.push(("STOKER_SOCKET", path.to_string_lossy().into_owned()));
        }
    }
    with(common(spec, state_dir), own)
}

/// What all instances of a revision have.
pub(super) fn common(spec: &LaunchSpec, state_dir: &Path) -> Vec<(String, String)> {
    let mut all = spec.environment.clone();
    if !all.iter().any(|(key, _)| key == "PATH") {
        all.push(("PATH".to_owned(), DEFAULT_PATH.to_owned()));
    }
    let contract = vec![
        ("K_SERVICE", spec.function.to_string()),
        ("K_REVISION", spec.label().to_string()),
        ("K_CONFIGURATION", spec.function.to_string()),
        ("STOKER_FUNCTION", spec.function.to_string()),
        ("STOKER_REVISION", spec.label().to_string()),
        (SCOPE, state_dir.to_string_lossy().into_owned()),
    ];
    with(all, contract)
}

/// With the contract's variables in place of others of their names.
fn with(mut all: Vec<(String, String)>, contract: Vec<(&str, String)>) -> Vec<(String, String)> {
    all.retain(|(key, _)| key != "LISTEN_PID" && !contract.iter().any(|(k, _)| k == key));
    all.extend(
        contract
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value)),
    );
    all
}
