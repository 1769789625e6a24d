//! From the rows of the registry to deployments.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stoker_config::{
    Config, DeployedRevision, Deployment, FunctionSpec, MANIFEST, SecretSpec, Sticky, TrafficSpec,
    conflicts, parse_function,
};
use stoker_package::{Limits, check_and_unpack};
use stoker_registry::{Package, Place, Registry, Revision, Secret, StoreError, Traffic};

use zeroize::Zeroizing;

use super::chain;
use super::secret_files::SecretFiles;

/// Puts every published function that can be served into the configuration.
pub(super) fn apply(config: &mut Config, registry: &Registry) {
    let functions = match registry.store().functions() {
        Ok(functions) => functions,
        Err(error) => {
            let why = chain(&error);
            let warning = format!("nothing that was published is served: {why}");
            return config.warnings.push(warning);
        }
    };
    for function in functions.iter().filter(|it| it.latest > 0) {
        let name = &function.name;
        if let Err(why) = add(config, registry, name) {
            let warning = format!("the published function {name} is not served: {why}");
            config.warnings.push(warning);
        }
    }
    config.functions.sort_by(|a, b| a.name.cmp(&b.name));
    let revisions = config.deployments.iter().flat_map(|it| &it.revisions);
    let secrets = revisions.flat_map(|it| &it.spec.secrets);
    let named: HashSet<PathBuf> = secrets.map(|it| PathBuf::from(it.value.as_str())).collect();
    SecretFiles::new(registry.files().root()).sweep(&named);
}

fn add(config: &mut Config, registry: &Registry, name: &str) -> Result<(), String> {
    if let Some(other) = config.functions.iter().find(|it| &*it.name == name) {
        let file = other.manifest.display();
        return Err(format!("the function of {file} has its name"));
    }
    let rows = Rows::read(registry, name, config.gateway.registry.addressable);
    let rows = rows.map_err(|error| chain(&error))?;
    let mut revisions = Vec::new();
    for row in &rows.revisions {
        match rows.spec(registry, row) {
            Ok(spec) => revisions.push(DeployedRevision::new(row.number, spec)),
            Err(why) => {
                let number = row.number;
                let warning = format!("revision {number} of {name} is not served: {why}");
                config.warnings.push(warning);
            }
        }
    }
    let loaded = |number: u32| revisions.iter().any(|it| it.number == number);
    let traffic = rows.traffic(&loaded).ok_or("it has no revision to serve")?;
    let aliases = rows.aliases.iter().filter(|(_, number)| loaded(*number));
    let aliases = aliases.map(|(alias, number)| (alias.as_str().into(), *number));
    let deployment = Deployment {
        function: name.into(),
        aliases: aliases.collect(),
        traffic,
        revisions,
    };
    deployment.check()?;
    let primary = deployment.primary().ok_or("it has no traffic")?;
    let spec = Arc::clone(&primary.spec);
    let others = config.functions.iter().map(|it| &**it);
    if let Some(conflict) = conflicts(&spec, &config.gateway, others).into_iter().next() {
        return Err(conflict);
    }
    config.functions.push(spec);
    config.deployments.push(deployment);
    Ok(())
}

/// What is known of one function.
struct Rows {
    traffic: Traffic,
    aliases: Vec<(String, u32)>,
    secrets: Vec<Secret>,
    /// Those that can be called, ascending.
    revisions: Vec<Revision>,
}

impl Rows {
    fn read(registry: &Registry, name: &str, addressable: usize) -> Result<Rows, StoreError> {
        let store = registry.store();
        let (traffic, aliases) = (store.traffic(name)?, store.aliases(name)?);
        let mut revisions = store.revisions(name)?;
        revisions.retain(|it| it.collected_ms.is_none());
        let newest = revisions.iter().take(addressable).map(|it| it.number);
        let named = aliases.iter().map(|(_, number)| *number);
        let live: BTreeSet<u32> = traffic.revisions().chain(named).chain(newest).collect();
        revisions.retain(|it| live.contains(&it.number));
        revisions.reverse();
        Ok(Rows {
            traffic,
            aliases,
            secrets: store.reveal_secrets(name)?,
            revisions,
        })
    }

    /// The function as this revision has it.
    fn spec(&self, registry: &Registry, row: &Revision) -> Result<FunctionSpec, String> {
        let code = registry.files().code(row.digest());
        if !code.is_dir() {
            restore(registry, row)?;
        }
        let mut spec = parse(&code.join(MANIFEST), row)?;
        let files = SecretFiles::new(registry.files().root());
        for secret in &self.secrets {
            give(&mut spec, secret, &files)?;
        }
        Ok(spec)
    }

    /// What is divided among those that are there; `None` if there is none of them.
    fn traffic(&self, loaded: &dyn Fn(u32) -> bool) -> Option<TrafficSpec> {
        let weights = self.traffic.weights.iter().filter(|it| loaded(it.revision));
        let sum: f64 = weights.clone().map(|it| it.percent).sum();
        if sum <= 0.0 {
            return None;
        }
        let mirror = self.traffic.mirror.filter(|it| loaded(it.revision));
        Some(TrafficSpec {
            weights: weights
                .map(|it| (it.revision, it.percent * 100.0 / sum))
                .collect(),
            sticky: self.traffic.sticky.as_ref().map(|sticky| match sticky {
                stoker_registry::Sticky::Header(name) => Sticky::Header(name.to_ascii_lowercase()),
                stoker_registry::Sticky::Cookie(name) => Sticky::Cookie(name.clone()),
            }),
            mirror: mirror.map(|it| (it.revision, it.percent)),
        })
    }
}

/// The function with the settings and secrets that it has now.
pub(crate) fn dress(
    registry: &Registry,
    name: &str,
    mut spec: FunctionSpec,
) -> Result<FunctionSpec, StoreError> {
    spec.environment.extend(registry.store().settings(name)?);
    keep_code(&mut spec);
    let files = SecretFiles::new(registry.files().root());
    for secret in registry.store().reveal_secrets(name)? {
        give(&mut spec, &secret, &files).map_err(StoreError::Key)?;
    }
    Ok(spec)
}

fn parse(manifest: &Path, row: &Revision) -> Result<FunctionSpec, String> {
    let spec = parse_function(manifest, &row.manifest, &row.function);
    let mut spec = spec.map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    })?;
    let settings = row.settings.iter();
    let settings = settings.map(|(key, value)| (key.clone(), value.clone()));
    spec.environment.extend(settings);
    keep_code(&mut spec);
    Ok(spec)
}

/// Has Python not write what it compiles beside the code, which is what was published and nothing else.
fn keep_code(spec: &mut FunctionSpec) {
    let variable = spec.environment.entry("PYTHONDONTWRITEBYTECODE".to_owned());
    variable.or_insert_with(|| "1".to_owned());
}

/// Gives the function a secret, as the variable itself or as a file that a variable names.
fn give(spec: &mut FunctionSpec, secret: &Secret, files: &SecretFiles) -> Result<(), String> {
    let info = &secret.info;
    let (variable, value) = match info.place {
        Place::Environment => (info.key.clone(), secret.value.reveal().to_owned()),
        Place::File => {
            let file = files.write(&spec.name, secret, spec.user.as_deref());
            let file = file.map_err(|error| {
                let key = &info.key;
                format!("the secret {key} cannot be put into a file: {error}")
            })?;
            let file = file.into_os_string().into_string().unwrap_or_default();
            (format!("{}_FILE", info.key), file)
        }
    };
    // Whatever else has its name would come first in some programs, and last in others.
    spec.environment.remove(&variable);
    spec.secrets.push(SecretSpec {
        variable,
        version: format!("{}-{}", info.version, info.updated_ms),
        value: Arc::new(Zeroizing::new(value)),
    });
    Ok(())
}

/// Unpacks the code of a revision again.
fn restore(registry: &Registry, row: &Revision) -> Result<(), String> {
    let Package { digest, kind, .. } = row.package;
    let files = registry.files();
    let package = files.package(digest, kind);
    if !package.is_file() {
        return Err(format!(
            "neither its code nor {} is there",
            package.display()
        ));
    }
    let incoming = files.incoming().map_err(|error| error.to_string())?;
    // It was within the limits when it was published.
    let limits = Limits {
        archive_bytes: u64::MAX,
        total_bytes: u64::MAX / 4,
        entries: 1_000_000,
        file_bytes: u64::MAX / 4,
        ratio: u32::MAX,
        ..Limits::default()
    };
    let summary = check_and_unpack(&package, &incoming.tree(), &limits);
    let summary = summary.map_err(|error| chain(&error))?;
    if summary.digest != digest.to_string() {
        return Err(format!("{} is not what was published", package.display()));
    }
    // What there is to build could not be told without the code.
    if parse(&incoming.tree().join(MANIFEST), row)?.build.is_some() {
        return Err("its code is gone and must be built again: publish it once more".to_owned());
    }
    let kept = files.keep_code(&incoming, digest);
    kept.map_err(|error| error.to_string())
}
