//! Where the groups of this spawner are: one directory of its own in each hierarchy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::group;
use super::hierarchy::{Controller, Hierarchies, Hierarchy};
use super::limits;

/// The group of gateway and spawner, beside those of the instances: in v2 no group may hand its
/// controllers on and have processes itself (the kernel's cgroup-v2.rst, "No Internal Process
/// Constraint"). systemd puts the gateway there if told so by `DelegateSubgroup=`.
pub(super) const OWN_GROUP: &str = "stoker-gateway";

/// What v2 hands on, as it is written to `cgroup.subtree_control`.
const WANTED: [&str; 3] = ["memory", "cpu", "pids"];

/// Where groups are made, and what they can do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Home {
    /// In v2.
    pub(super) unified: Option<PathBuf>,
    /// The controllers there.
    pub(super) controllers: Vec<Controller>,
    /// In v1, each with its controller.
    pub(super) legacy: Vec<(Controller, PathBuf)>,
    /// What is not to be had, and why.
    pub(super) lacking: Vec<(Controller, String)>,
}

impl Home {
    /// Makes the directory `name` below `parent`, or below this process's own group, in every
    /// hierarchy where that is allowed. `gateway` moves out of the way together with this process
    /// if v2 wants that.
    pub(super) fn make(
        hierarchies: &Hierarchies,
        (parent, name): (Option<&Path>, &str),
        gateway: i32,
    ) -> Home {
        let mut home = Home::default();
        let mut unified_lack = None;
        if let Some(hierarchy) = &hierarchies.unified {
            let base = base(hierarchy, parent);
            match make_directory(&base.join(name)) {
                Ok(directory) => {
                    let handed_on = hand_on(hierarchy, &base, gateway);
                    unified_lack = handed_on
                        .and_then(|()| enable(&directory))
                        .err()
                        .map(|error| error.to_string());
                    home.controllers = enabled(&directory);
                    home.unified = Some(directory);
                }
                Err(error) => unified_lack = Some(refusal(&base.join(name), &error)),
            }
        }
        for controller in Controller::ALL {
            let legacy = hierarchies
                .legacy
                .iter()
                .find(|(own, _)| *own == controller);
            let is_unified = controller == Controller::Freezer && home.unified.is_some();
            if is_unified || home.controllers.contains(&controller) {
                continue;
            }
            let lack = match legacy {
                Some((_, hierarchy)) => {
                    let path = base(hierarchy, parent).join(name);
                    match make_directory(&path) {
                        Ok(path) => {
                            home.legacy.push((controller, path));
                            continue;
                        }
                        Err(error) => refusal(&path, &error),
                    }
                }
                None => unified_lack.clone().unwrap_or_else(|| {
                    let name = controller.name();
                    format!("the kernel offers no controller \"{name}\" here")
                }),
            };
            home.lacking.push((controller, lack));
        }
        home
    }

    /// Whether processes can be kept together at all.
    pub(super) fn is_usable(&self) -> bool {
        let frozen = |(controller, _): &(Controller, _)| *controller == Controller::Freezer;
        self.unified.is_some() || self.legacy.iter().any(frozen)
    }

    /// Why this controller is not to be had, if so.
    pub(super) fn lack(&self, controller: Controller) -> Option<&str> {
        let mut lacking = self.lacking.iter();
        lacking
            .find(|(own, _)| *own == controller)
            .map(|(_, why)| why.as_str())
    }

    /// All directories.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        let legacy = self.legacy.iter().map(|(_, directory)| directory);
        legacy.chain(&self.unified).map(PathBuf::as_path)
    }
}

/// The group below which ours is made.
fn base(hierarchy: &Hierarchy, parent: Option<&Path>) -> PathBuf {
    match parent {
        Some(parent) => hierarchy.mount.join(parent),
        None if hierarchy.own.ends_with(OWN_GROUP) => match hierarchy.own.parent() {
            Some(above) => above.to_owned(),
            None => hierarchy.own.clone(),
        },
        None => hierarchy.own.clone(),
    }
}

fn make_directory(path: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(path)?;
    // One that was there already may be another user's.
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?;
    Ok(path.to_owned())
}

fn refusal(path: &Path, error: &io::Error) -> String {
    format!("cannot make the group {}: {error}", path.display())
}

/// Has `base`, and if it is not our own group whatever lies above it, hand its controllers on.
fn hand_on(hierarchy: &Hierarchy, base: &Path, gateway: i32) -> io::Result<()> {
    let below = base
        .strip_prefix(&hierarchy.mount)
        .unwrap_or_else(|_| Path::new(""));
    let is_own = hierarchy.own.starts_with(base);
    if !is_own {
        let mut directory = hierarchy.mount.clone();
        for part in below {
            // Those above may have handed on all that is needed, and need not be ours.
            enable(&directory).ok();
            directory.push(part);
        }
    }
    match enable(base) {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy && is_own => {
            let own = make_directory(&base.join(OWN_GROUP))?;
            for pid in [gateway, std::process::id().cast_signed()] {
                limits::write(&own, "cgroup.procs", &pid.to_string())?;
            }
            enable(base).map_err(|error| {
                let others = group::processes(base).len();
                let detail = format!(
                    "cannot hand on the controllers of {}, in which {others} other processes are: \
                     {error}; let cgroups.parent name a group without processes",
                    base.display()
                );
                io::Error::new(error.kind(), detail)
            })
        }
        result => result,
    }
}

/// Hands on what is there and wanted.
fn enable(directory: &Path) -> io::Result<()> {
    let file = "cgroup.subtree_control";
    let words = |file: &str| -> io::Result<Vec<String>> {
        let text = fs::read_to_string(directory.join(file))?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    };
    let (there, on) = (words("cgroup.controllers")?, words(file)?);
    let missing: Vec<String> = WANTED
        .into_iter()
        .filter(|name| there.iter().any(|t| t == name) && !on.iter().any(|o| o == name))
        .map(|name| format!("+{name}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    limits::write(directory, file, &missing.join(" "))
}

/// What groups below `directory` have.
fn enabled(directory: &Path) -> Vec<Controller> {
    let file = directory.join("cgroup.subtree_control");
    let text = fs::read_to_string(file).unwrap_or_default();
    Controller::ALL
        .into_iter()
        .filter(|controller| text.split_whitespace().any(|n| n == controller.name()))
        .collect()
}
