//! What `stoker serve` says when it serves.

use std::io::Write;
use std::path::Path;

use stoker_config::{Address, ListenerSpec};
use stoker_gateway::Gateway;

/// Says where each function answers; the first ones if there are very many.
pub(super) fn announce(file: &Path, gateway: &Gateway, listeners: &[ListenerSpec]) {
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
