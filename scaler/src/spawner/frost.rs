//! Freezing workers: the spawner hands out what it takes, and thaws those that are to hear a signal
//! or have nobody who would.

use std::os::fd::OwnedFd;

use super::cgroup::{Freezer, Version};
use super::protocol::{Event, FreezerKind, MemoryKind};
use super::worker::Workers;

impl Workers {
    /// The event that tells how a worker is frozen, with the file to write to and one for its
    /// memory beside it, or why it cannot be. Nothing for one that is gone, of which there are
    /// other news.
    pub(super) fn freezer(&mut self, id: u64) -> Option<(Event, Vec<OwnedFd>)> {
        let worker = self.table.get_mut(&id)?;
        let Some(cgroup) = &mut worker.cgroup else {
            let why = format!("it has no control group: {}", self.cgroups.lack());
            return Some((Event::NoFreezer { id, why }, Vec::new()));
        };
        let files = cgroup.freezer().and_then(|freezer| {
            let (memory, kind) = cgroup.memory_file()?;
            Ok((freezer, memory, kind))
        });
        Some(match files {
            Ok((Freezer { file, version }, memory, in_group)) => {
                let event = Event::Freezer {
                    id,
                    kind: match version {
                        Version::Unified => FreezerKind::Unified,
                        Version::Legacy => FreezerKind::Legacy,
                    },
                    memory: match in_group {
                        true => MemoryKind::Group,
                        false => MemoryKind::Processes,
                    },
                };
                (event, vec![file, memory])
            }
            Err(error) => {
                let why = format!("its control group cannot be frozen: {error}");
                (Event::NoFreezer { id, why }, Vec::new())
            }
        })
    }

    /// Lets a worker run, if somebody may have frozen it.
    pub(super) fn thaw(&self, id: u64) {
        let cgroup = self.table.get(&id).and_then(|it| it.cgroup.as_ref());
        if let Some(cgroup) = cgroup.filter(|cgroup| cgroup.is_shared()) {
            // Fails only if nothing is left of it.
            cgroup.thaw().ok();
        }
    }
}
