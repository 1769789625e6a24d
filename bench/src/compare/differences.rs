//! What differs between two runs before anything was measured.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Report;

/// One thing that is not the same in both runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is: `stoker`, `machine.kernel`, `settings.rate`.
    pub what: String,
    /// In the first run, empty if it is not there.
    pub first: String,
    /// In the second run.
    pub second: String,
}

/// All but when they ran and what the machine's load was then.
pub(super) fn between(first: &Report, second: &Report) -> Vec<Difference> {
    let (a, b) = (described(first), described(second));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let value = |all: &BTreeMap<String, String>, name: &str| all.get(name).cloned();
    let differences = names.into_iter().filter_map(|name| {
        let (first, second) = (value(&a, name), value(&b, name));
        (first != second).then(|| Difference {
            what: name.clone(),
            first: first.unwrap_or_default(),
            second: second.unwrap_or_default(),
        })
    });
    differences.collect()
}

fn described(report: &Report) -> BTreeMap<String, String> {
    let machine = &report.machine;
    let gib = machine.memory_bytes as f64 / f64::from(1 << 30);
    let mut all: BTreeMap<String, String> = [
        ("stoker", report.stoker.clone()),
        ("mode", report.mode.clone()),
        ("url", report.url.clone()),
        ("command", report.command.join(" ")),
        ("machine.cpu", machine.cpu.clone()),
        ("machine.cpus", machine.cpus.to_string()),
        // Not to the byte: the kernel itself takes more or less of it.
        ("machine.memory", format!("{gib:.1} GiB")),
        ("machine.kernel", machine.kernel.clone()),
        ("machine.system", machine.system.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in machine.more.iter().filter(|(name, _)| *name != "load") {
        all.insert(format!("machine.{name}"), value.clone());
    }
    for (name, value) in &report.settings {
        all.insert(format!("settings.{name}"), value.clone());
    }
    all
}
