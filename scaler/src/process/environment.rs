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
    let mut contract = vec![
        ("K_SERVICE", spec.function.to_string()),
        ("K_REVISION", spec.revision.to_string()),
        ("K_CONFIGURATION", spec.function.to_string()),
        ("STOKER_FUNCTION", spec.function.to_string()),
        ("STOKER_REVISION", spec.revision.to_string()),
        (INSTANCE, id.to_string()),
        (SCOPE, state_dir.to_string_lossy().into_owned()),
    ];
    match (spec.socket, endpoint) {
        (SocketKind::Inherit, _) => {
            contract.push(("LISTEN_FDS", "1".to_owned()));
            contract.push(("LISTEN_FDNAMES", "http".to_owned()));
        }
        (_, Endpoint::Tcp(address)) => contract.push(("PORT", address.port().to_string())),
        (_, Endpoint::Unix(path)) => {
            contract.push(("STOKER_SOCKET", path.to_string_lossy().into_owned()));
        }
    }
    let is_contract = |key: &str| key == "LISTEN_PID" || contract.iter().any(|(k, _)| *k == key);
    let mut all: Vec<(String, String)> = spec
        .environment
        .iter()
        .filter(|(key, _)| !is_contract(key))
        .cloned()
        .collect();
    if !all.iter().any(|(key, _)| key == "PATH") {
        all.push(("PATH".to_owned(), DEFAULT_PATH.to_owned()));
    }
    all.extend(
        contract
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value)),
    );
    all
}
