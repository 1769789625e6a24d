//! Control groups for instances: limits, an account of their memory, a way to stop and continue
//! them, and a certain end for all that they started.
//!
//! Each instance that can have one gets a group of its own, in cgroup v2 if it is mounted and in
//! the hierarchies of v1 for what v2 does not have. Groups are made ahead and used again, so that
//! a start need not wait for them.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::protocol::Fault;
use crate::driver::Resources;

#[cfg(test)]
mod freezing;
mod group;
mod hierarchy;
mod home;
mod leftovers;
mod limits;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(super) use group::{Cgroup, Entry, Freezer};
use hierarchy::{Controller, Hierarchies};
use home::Home;
pub(super) use limits::Version;

/// Names that are tried for a group: others may be left of a former spawner.
const NAMES: usize = 1000;

/// Whether instances get control groups, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupSettings {
    /// Whether at all.
    pub enabled: CgroupUse,
    /// The group below which they are, as a path below each hierarchy's mount; the gateway's own
    /// one if none is given.
    pub parent: Option<PathBuf>,
    /// How many empty ones are kept at most; half of them are made ahead.
    pub pool: usize,
}

/// Whether instances get control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupUse {
    /// If it can be done, or a function demands limits.
    Auto,
    /// In any case: without, the gateway does not start.
    Always,
    /// None; functions that demand limits do not start.
    Never,
}

impl Default for CgroupSettings {
    /// If it can be done, below the gateway's own group, with 16 kept.
    fn default() -> CgroupSettings {
        CgroupSettings {
            enabled: CgroupUse::Auto,
            parent: None,
            pool: 16,
        }
    }
}

/// The groups of this spawner that no instance has, and how more are made.
#[derive(Debug)]
pub(super) struct Cgroups {
    state_dir: PathBuf,
    /// None before the first gateway has said what it wants.
    settings: Option<CgroupSettings>,
    home: Home,
    /// Why there are none.
    lack: String,
    pool: VecDeque<(Cgroup, Entry)>,
    /// The controllers of v1 that instances have needed so far.
    needed: Vec<Controller>,
    /// The last attempt to make one failed.
    failed: bool,
    next: u64,
}

impl Cgroups {
    /// None until [`Cgroups::configure`] is called.
    pub(super) fn new(state_dir: &Path) -> Cgroups {
        Cgroups {
            state_dir: state_dir.to_owned(),
            settings: None,
            home: Home::default(),
            lack: "no gateway has asked for control groups yet".to_owned(),
            pool: VecDeque::new(),
            needed: Vec::new(),
            failed: false,
            next: 0,
        }
    }

    /// Makes groups as this gateway wants them from now on. Those in use stay as they are.
    ///
    /// # Errors
    /// If it wants them in any case and there can be none: why, a sentence.
    pub(super) fn configure(
        &mut self,
        settings: &CgroupSettings,
        gateway: i32,
    ) -> Result<(), String> {
        if self.settings.as_ref() == Some(settings) {
            return Ok(());
        }
        let is_first = self.settings.is_none();
        self.empty_pool();
        self.settings = Some(settings.clone());
        if settings.enabled == CgroupUse::Never {
            self.home = Home::default();
            "cgroups.enabled is false".clone_into(&mut self.lack);
            return Ok(());
        }
        let name = leftovers::name(&self.state_dir);
        if is_first {
            leftovers::collect(&self.state_dir, &name);
        }
        let parent = settings.parent.as_deref();
        match Hierarchies::discover() {
            Ok(found) => self.home = Home::make(&found, (parent, &name), gateway),
            Err(error) => self.lack = format!("cannot read about control groups: {error}"),
        }
        if self.home.is_usable() {
            leftovers::note(&self.state_dir, self.home.directories());
            return Ok(());
        }
        if let Some(why) = self.home.lack(Controller::Freezer) {
            why.clone_into(&mut self.lack);
        }
        if settings.enabled == CgroupUse::Always {
            self.settings = None;
            return Err(format!(
                "instances cannot have control groups: {}",
                self.lack
            ));
        }
        self.complain();
        Ok(())
    }

    /// A group with these limits, which is the caller's until it gives it back; none if there are
    /// no groups and it needs no limits.
    pub(super) fn take(&mut self, wanted: &Resources) -> Result<Option<(Cgroup, Entry)>, Fault> {
        let usable = self.home.is_usable();
        for controller in limits::needed(wanted) {
            let lack = match usable {
                true => self.home.lack(controller),
                false => Some(self.lack.as_str()),
            };
            if let Some(why) = lack {
                let what = key(controller);
                return Err(Fault::lasting(format!("cannot limit {what}: {why}")));
            }
        }
        if !usable {
            return Ok(None);
        }
        // One that another instance had may still hold more than the new limits allow.
        if let Some(found) = self.take_kept(wanted)
            && let Ok(ready) = self.ready(found, wanted)
        {
            return Ok(Some(ready));
        }
        let made = self.make();
        match made {
            Ok(made) => self.ready(made, wanted).map(Some),
            Err(_) if *wanted == Resources::default() => Ok(None),
            Err(error) => Err(Fault::transient(format!(
                "cannot make a control group: {error}"
            ))),
        }
    }

    /// A group whose instance is gone, or never was.
    pub(super) fn give_back(&mut self, mut group: Cgroup) {
        let most = self.settings.as_ref().map_or(0, |settings| settings.pool);
        if self.pool.len() < most
            && self.home.is_usable()
            && group.is_reusable()
            && let Ok(entry) = group.entry()
        {
            group.close_account();
            return self.pool.push_back((group, entry));
        }
        // What cannot be emptied stays; the next spawner tries again.
        group.remove();
    }

    /// Whose groups they are.
    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Why there are none.
    pub(super) fn lack(&self) -> &str {
        &self.lack
    }

    /// The kernel does not let instances into their groups: there are none from now on.
    pub(super) fn give_up(&mut self, why: String) {
        self.close();
        self.lack = why;
        self.complain();
    }

    /// Whether fewer are kept than are made ahead. The other half is for those that come back.
    pub(super) fn is_short(&self) -> bool {
        let most = self.settings.as_ref().map_or(0, |settings| settings.pool);
        self.pool.len() < most.div_ceil(2) && self.home.is_usable() && !self.failed
    }

    /// Makes one more to be kept.
    pub(super) fn fill(&mut self) {
        if let Ok(made) = self.make() {
            self.pool.push_back(made);
        }
    }

    /// Removes all that is empty; there will be no more.
    pub(super) fn close(&mut self) {
        self.empty_pool();
        for directory in self.home.directories() {
            std::fs::remove_dir(directory).ok();
        }
        self.home = Home::default();
    }

    fn empty_pool(&mut self) {
        for (group, _) in self.pool.drain(..) {
            group.remove();
        }
    }

    /// The one that needs the least to be done about it.
    fn take_kept(&mut self, wanted: &Resources) -> Option<(Cgroup, Entry)> {
        let same = |(group, _): &(Cgroup, _)| group.limits() == wanted;
        let fitting = self.pool.iter().position(same).unwrap_or(0);
        self.pool.remove(fitting)
    }

    /// Gives a group what an instance with these limits needs.
    fn ready(
        &mut self,
        (mut group, entry): (Cgroup, Entry),
        wanted: &Resources,
    ) -> Result<(Cgroup, Entry), Fault> {
        let mut entry = Some(entry);
        for controller in limits::needed(wanted) {
            let legacy = self.home.legacy.iter().find(|(own, _)| *own == controller);
            let Some(home) = legacy
                .filter(|_| !group.has(controller))
                .map(|(_, home)| home.clone())
            else {
                continue;
            };
            if !self.needed.contains(&controller) {
                self.needed.push(controller);
            }
            let made = self.name().and_then(|name| {
                let directory = home.join(name);
                std::fs::create_dir(&directory).map(|()| directory)
            });
            match made {
                Ok(directory) => group.add(controller, directory),
                Err(error) => return Err(self.discard(&group, controller, &error)),
            }
            entry = None;
        }
        if let Err((controller, error)) = group.assign(wanted) {
            return Err(self.discard(&group, controller, &error));
        }
        let entry = match entry {
            Some(entry) => Ok(entry),
            None => group.entry(),
        };
        match entry {
            Ok(entry) => {
                let entry = group.trim(entry);
                Ok((group, entry))
            }
            Err(error) => {
                group.remove();
                Err(Fault::transient(format!(
                    "cannot open a control group: {error}"
                )))
            }
        }
    }

    /// A group that does not take its limits.
    fn discard(&self, group: &Cgroup, controller: Controller, error: &io::Error) -> Fault {
        group.remove();
        Fault::transient(format!("cannot limit {}: {error}", key(controller)))
    }

    /// A new one, with the directories that instances have needed so far.
    fn make(&mut self) -> io::Result<(Cgroup, Entry)> {
        let made = self.try_make();
        self.failed = made.is_err();
        made
    }

    fn try_make(&mut self) -> io::Result<(Cgroup, Entry)> {
        let name = self.name()?;
        let unified = self.home.unified.as_ref().map(|home| home.join(&name));
        if let Some(directory) = &unified {
            std::fs::create_dir(directory)?;
        }
        let mut group = Cgroup::new(unified, Vec::new());
        for (controller, home) in &self.home.legacy {
            if *controller == Controller::Freezer || self.needed.contains(controller) {
                let directory = home.join(&name);
                if let Err(error) = std::fs::create_dir(&directory) {
                    group.remove();
                    return Err(error);
                }
                group.add(*controller, directory);
            }
        }
        let entry = group.entry().inspect_err(|_| group.remove())?;
        Ok((group, entry))
    }

    /// A name that no group has.
    fn name(&mut self) -> io::Result<String> {
        for _ in 0..NAMES {
            let name = self.next.to_string();
            self.next += 1;
            let taken = |home: &Path| home.join(&name).exists();
            if !self.home.directories().any(taken) {
                return Ok(name);
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Says once that there are none. Nobody hears it if standard error is gone.
    fn complain(&self) {
        use std::io::Write;
        writeln!(
            io::stderr(),
            "stoker: instances run without control groups: {}",
            self.lack
        )
        .ok();
    }
}

/// How the limit is called in a manifest.
fn key(controller: Controller) -> &'static str {
    match controller {
        Controller::Memory => "memory",
        Controller::Cpu => "cpu",
        Controller::Pids => "processes",
        Controller::Freezer => "the instance",
    }
}
