//! The functions of a configuration, made from those before it: what stays the same keeps its
//! instances.

use std::sync::{Arc, OnceLock};

use stoker_config::{DeployedRevision, Deployment, FunctionSpec, ScheduleSpec};
use stoker_core::ScaleSpec;
use stoker_scaler::driver::LaunchSpec;

use super::changes::Applied;
use super::{Entry, Snapshot};
use crate::launch::launch_spec;
use crate::load::Commons;
use crate::split::Split;
use crate::{Function, Scaler};

/// Makes the functions of a configuration.
pub(super) struct Succession<'a> {
    pub(super) scaler: &'a Arc<Scaler>,
    pub(super) commons: &'a Commons,
    /// What holds so far.
    pub(super) old: Option<&'a Snapshot>,
    /// What changed.
    pub(super) applied: Applied,
    /// Whose time is over.
    pub(super) retired: Vec<Arc<Function>>,
}

impl Succession<'_> {
    /// The entries of these functions, of which `deployments` says what else is live.
    pub(super) fn entries(
        &mut self,
        functions: Vec<Arc<FunctionSpec>>,
        deployments: &[Deployment],
    ) -> Vec<Arc<Entry>> {
        let entry = |spec: Arc<FunctionSpec>| {
            let before = self.old.and_then(|old| old.functions.get(&spec.name));
            match sound(deployments, &spec) {
                Some(deployment) => self.deployed(before, &spec, deployment),
                None => self.plain(before, spec),
            }
        };
        functions.into_iter().map(entry).collect()
    }

    /// A function with one revision.
    fn plain(&mut self, before: Option<&Arc<Entry>>, spec: Arc<FunctionSpec>) -> Arc<Entry> {
        let Some(before) = before else {
            self.applied.added.push(Arc::clone(&spec.name));
            let function = self.register(launch_spec(&spec), &spec);
            return Arc::new(Entry::new(spec, function, None));
        };
        if before.split.is_none() && before.spec == spec {
            return Arc::clone(before);
        }
        let launch = launch_spec(&spec);
        if before.split.is_none() && launch == **before.function.launch() {
            self.applied.changed.push(Arc::clone(&spec.name));
            return kept(before, spec);
        }
        self.applied.replaced.push(Arc::clone(&spec.name));
        let old = before.revisions().iter();
        self.retired.extend(old.map(|it| Arc::clone(&it.function)));
        let function = self.register(launch, &spec);
        Arc::new(Entry::new(spec, function, Some(before)))
    }

    /// A function with all revisions of `deployment`, of which `primary` is one. Each has a pool and
    /// instances of its own, and the revisions that stay keep them.
    fn deployed(
        &mut self,
        before: Option<&Arc<Entry>>,
        primary: &Arc<FunctionSpec>,
        deployment: &Deployment,
    ) -> Arc<Entry> {
        let old = before.map_or(&[][..], |before| before.revisions());
        let load = old.iter().find_map(|entry| entry.load.get());
        let load = load.map_or_else(|| self.commons.function(), |load| load.sibling());
        let mut entries = Vec::with_capacity(deployment.revisions.len());
        let (mut new, mut changed) = (0, false);
        for revision in &deployment.revisions {
            let spec = effective(deployment, revision, primary);
            let launch = launch_spec(&spec);
            let same = |entry: &&Arc<Entry>| **entry.function.launch() == launch;
            entries.push(match old.iter().find(same) {
                Some(entry) if entry.spec == spec => Arc::clone(entry),
                Some(entry) => {
                    changed = true;
                    kept(entry, spec)
                }
                None => {
                    new += 1;
                    let function = self.register(launch, &spec);
                    let load = OnceLock::from(Box::new(load.sibling()));
                    // Whoever is there already counts the requests under way of all.
                    let sibling = old.first().or_else(|| entries.first());
                    Arc::new(Entry {
                        load: Arc::new(load),
                        ..Entry::new(spec, function, sibling)
                    })
                }
            });
        }
        let stays = |entry: &&Arc<Entry>| {
            let same = |it: &Arc<Entry>| Arc::ptr_eq(&it.function, &entry.function);
            entries.iter().any(same)
        };
        let gone: Vec<_> = old.iter().filter(|entry| !stays(entry)).collect();
        let split = before.and_then(|before| before.split.as_deref());
        changed |= split.is_none_or(|split| split.deployment() != deployment);
        match before {
            Some(before) if new == 0 && gone.is_empty() && !changed => return Arc::clone(before),
            None => &mut self.applied.added,
            Some(_) if new > 0 || !gone.is_empty() => &mut self.applied.replaced,
            Some(_) => &mut self.applied.changed,
        }
        .push(Arc::clone(&deployment.function));
        let gone = gone.into_iter().map(|entry| Arc::clone(&entry.function));
        self.retired.extend(gone);
        front(primary, Split::new(deployment, entries, split))
    }

    fn register(&self, launch: LaunchSpec, spec: &FunctionSpec) -> Arc<Function> {
        self.scaler.register(launch, Arc::clone(&spec.scaling))
    }
}

/// What the function of this name is reached by: its primary revision, and how to choose among all.
fn front(primary: &FunctionSpec, split: Split) -> Arc<Entry> {
    let mut revisions = split.revisions().iter();
    let entry = revisions
        .find(|entry| entry.spec.number == primary.number)
        .expect("the primary revision is one of its deployment");
    Arc::new(Entry {
        spec: Arc::clone(&entry.spec),
        function: Arc::clone(&entry.function),
        account: Arc::clone(&entry.account),
        access: entry.access.clone(),
        load: Arc::clone(&entry.load),
        told: entry.told.clone(),
        split: Some(Arc::new(split)),
    })
}

/// The same instances under other settings.
fn kept(before: &Arc<Entry>, spec: Arc<FunctionSpec>) -> Arc<Entry> {
    if before.spec.scaling != spec.scaling {
        before.function.reconfigure((*spec.scaling).clone());
    }
    let function = Arc::clone(&before.function);
    Arc::new(Entry::new(spec, function, Some(before)))
}

/// What is live of the function beside `spec`; what makes no sense is said and left out.
fn sound<'d>(deployments: &'d [Deployment], spec: &FunctionSpec) -> Option<&'d Deployment> {
    let deployment = deployments.iter().find(|it| it.function == spec.name)?;
    let number = spec.number.filter(|it| deployment.revision(*it).is_some());
    let problem = match (number, deployment.check()) {
        (Some(_), Ok(())) => return Some(deployment),
        (None, Ok(())) => "its primary revision is none of it".to_owned(),
        (_, Err(problem)) => problem,
    };
    let name = &spec.name;
    eprintln!("stoker: only one revision of {name} is served: {problem}");
    None
}

/// The revision as it is run: one that gets no requests but by its own name keeps no instances
/// ready for them.
fn effective(
    deployment: &Deployment,
    revision: &DeployedRevision,
    primary: &Arc<FunctionSpec>,
) -> Arc<FunctionSpec> {
    let DeployedRevision { number, spec } = revision;
    // Policies are put over this one.
    let spec = if primary.number == Some(*number) {
        primary
    } else {
        spec
    };
    let traffic = &deployment.traffic;
    let mirrored = |mirror: &(u32, f64)| mirror.0 == *number && mirror.1 > 0.0;
    let used = traffic.share(*number) > 0.0 || traffic.mirror.as_ref().is_some_and(mirrored);
    let scaling = &spec.scaling;
    if used || scaling.min_scale + scaling.initial_scale == 0 && spec.schedule.is_empty() {
        return Arc::clone(spec);
    }
    Arc::new(FunctionSpec {
        scaling: Arc::new(ScaleSpec {
            min_scale: 0,
            initial_scale: 0,
            ..(**scaling).clone()
        }),
        schedule: ScheduleSpec::default(),
        ..(**spec).clone()
    })
}
