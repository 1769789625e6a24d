//! The freezer of a group.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::{Cgroup, open_to_read, open_to_write};
use crate::spawner::cgroup::hierarchy::Controller;
use crate::spawner::cgroup::limits::{self, Version};

/// The file that stops and continues all processes of a group, to be handed to whoever decides
/// about it. Once the group is gone, writing fails.
#[derive(Debug)]
pub(in crate::spawner) struct Freezer {
    pub(in crate::spawner) file: OwnedFd,
    pub(in crate::spawner) version: Version,
}

impl Cgroup {
    /// Stops every process in it. Returns before the last one has stopped.
    pub(in crate::spawner) fn freeze(&self) -> io::Result<()> {
        self.set_frozen(true)
    }

    /// Continues every process in it.
    pub(in crate::spawner) fn thaw(&self) -> io::Result<()> {
        self.set_frozen(false)
    }

    /// Whether every process in it has stopped.
    pub(in crate::spawner) fn is_frozen(&self) -> bool {
        let Some((directory, version)) = self.freezing() else {
            return false;
        };
        let words = match version {
            Version::Unified => "frozen 1",
            Version::Legacy => "FROZEN",
        };
        let state = fs::read_to_string(directory.join(state_file(version))).unwrap_or_default();
        state.lines().any(|line| line == words)
    }

    /// To read from whether every process in it has stopped.
    pub(in crate::spawner) fn state_file(&self) -> io::Result<OwnedFd> {
        let (directory, version) = self.freezing().ok_or(io::ErrorKind::Unsupported)?;
        open_to_read(directory, state_file(version))
    }

    /// The file behind [`Cgroup::freeze`]. Such a group is not used for another instance later, so
    /// that a late write reaches none.
    pub(in crate::spawner) fn freezer(&mut self) -> io::Result<Freezer> {
        let (directory, version) = self.freezing().ok_or(io::ErrorKind::Unsupported)?;
        let file = open_to_write(directory, freezer_file(version))?;
        self.shared = true;
        Ok(Freezer { file, version })
    }

    /// Whether [`Cgroup::freezer`] was handed out.
    pub(in crate::spawner) fn is_shared(&self) -> bool {
        self.shared
    }

    fn set_frozen(&self, frozen: bool) -> io::Result<()> {
        let (directory, version) = self.freezing().ok_or(io::ErrorKind::Unsupported)?;
        limits::write(directory, freezer_file(version), command(version, frozen))
    }

    /// Where it is frozen.
    pub(super) fn freezing(&self) -> Option<(&Path, Version)> {
        if let Some(directory) = &self.unified {
            return Some((directory, Version::Unified));
        }
        self.place(Controller::Freezer)
    }
}

/// What is written to a freezer's file.
pub(in crate::spawner) fn command(version: Version, frozen: bool) -> &'static str {
    match (version, frozen) {
        (Version::Unified, true) => "1",
        (Version::Unified, false) => "0",
        (Version::Legacy, true) => "FROZEN",
        (Version::Legacy, false) => "THAWED",
    }
}

fn freezer_file(version: Version) -> &'static str {
    match version {
        Version::Unified => "cgroup.freeze",
        Version::Legacy => "freezer.state",
    }
}

/// The file that says whether a group has stopped.
fn state_file(version: Version) -> &'static str {
    match version {
        Version::Unified => "cgroup.events",
        Version::Legacy => "freezer.state",
    }
}
