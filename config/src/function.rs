//! From a manifest to a [`FunctionSpec`].

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use stoker_core::{Policy, ScaleSpec};

use crate::access;
use crate::build;
use crate::draft::{FunctionDraft, RouteDraft};
use crate::error::ConfigError;
use crate::isolation;
use crate::page::{Page, Rules, locate};
use crate::runtime;
use crate::schedule;
use crate::schema::{self, manifest, rules};
use crate::spec::{AccessSpec, BudgetSpec, BuildSpec, FunctionSpec, RouteSpec, ScheduleSpec};
use crate::units::format_duration;

/// A function and where its manifest says what other manifests may contradict.
pub(crate) struct Function {
    pub(crate) spec: FunctionSpec,
    /// As found: relative if the gateway file is.
    pub(crate) file: PathBuf,
    /// 0 if the name is the directory's.
    pub(crate) name_line: usize,
    /// One for each route.
    pub(crate) route_lines: Vec<usize>,
    /// 0 if it names no issuers.
    pub(crate) issuers_line: usize,
}

/// A manifest's place.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// As found: for messages.
    pub(crate) file: &'a Path,
    /// The same, absolute.
    pub(crate) absolute: &'a Path,
    /// What the function is called; otherwise the manifest or the directory says so.
    pub(crate) name: Option<&'a str>,
}

/// Every default in place: made once, as most functions change little.
static TEMPLATE: LazyLock<FunctionDraft> =
    LazyLock::new(|| schema::with_presets(manifest::SECTIONS, FunctionDraft::blank()));

/// Reads a manifest. Something comes back in spite of errors, to be held against other functions,
/// unless its name is wrong or it is not even TOML.
pub(crate) fn read(place: Place<'_>, text: &str) -> (Option<Function>, Vec<ConfigError>) {
    let room = OnceCell::new();
    let (mut page, table) = Page::parse(place.file, (text, &room), manifest::names);
    let mut draft = TEMPLATE.clone();
    page.read(&table, manifest::SECTIONS, &mut draft);
    let mut rules = Rules {
        page: &mut page,
        table: &table,
    };
    let name = name(&mut rules, &mut draft, place);
    scaling(&mut rules, &mut draft);
    shadow(&mut rules, &mut draft);
    let schedule = schedule::function(&mut rules, &mut draft);
    deadlines(&mut rules, &mut draft);
    runtime::function(&mut rules, &mut draft);
    program(&mut rules, &mut draft, place.absolute);
    isolation::function(&mut rules, &mut draft);
    let build = build::function(&mut rules, &mut draft, directory(place.absolute));
    access::function(&mut rules, &mut draft);
    let line_of = |key| locate(&table, key).map_or(0, |value| page.line(value.span().start));
    let (name_line, issuers_line) = (line_of("name"), line_of("access.jwt.issuers"));
    let function = name.filter(|_| page.is_whole()).map(|name| {
        let (routes, route_lines) = routes(std::mem::take(&mut draft.routes));
        let spec = finish(draft, (name, routes, schedule, build), place.absolute);
        Function {
            spec,
            file: place.file.to_owned(),
            name_line,
            route_lines,
            issuers_line,
        }
    });
    (function, page.into_errors())
}

fn name(
    rules: &mut Rules<'_, '_>,
    draft: &mut FunctionDraft,
    place: Place<'_>,
) -> Option<Arc<str>> {
    if let Some(given) = place.name {
        let named = draft.name.take();
        let same = named.is_none_or(|named| named == given);
        rules.require(same, "name", &[], || {
            format!("{given:?}, the name under which it is published, or no name")
        });
        return Some(given.into());
    }
    if let Some(name) = draft.name.take() {
        return Some(name.into());
    }
    let own = directory(place.absolute)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let allowed = rules::is_function_name(&own);
    if !allowed && !rules.has("name") {
        let expected = format!(
            "{}; without the key the directory's name counts",
            rules::FUNCTION_NAME
        );
        rules.page.derived("name", format!("{own:?}"), expected);
    }
    // A written name that is not allowed is not replaced by the directory's.
    (allowed && !rules.has("name")).then(|| own.into())
}

fn scaling(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft) {
    let scaling = &mut draft.scaling;
    let max = ("scaling.max-scale", scaling.max_scale);
    rules.at_most(("scaling.min-scale", &mut scaling.min_scale), max);
    rules.at_most(("scaling.initial-scale", &mut scaling.initial_scale), max);
    rules.at_most(
        ("scaling.activation-scale", &mut scaling.activation_scale),
        max,
    );
    let concurrency = f64::from(scaling.concurrency);
    scaling.max_starting = draft.max_starting.unwrap_or(scaling.max_scale);
    scaling.target = draft.target.unwrap_or(concurrency);
    rules.at_most(
        ("scaling.target", &mut scaling.target),
        ("scaling.concurrency", concurrency),
    );
    freezing(rules, &draft.scaling);
    let scaling = &mut draft.scaling;
    let window = ("scaling.stable-window", scaling.stable_window);
    rules.at_most(
        ("scaling.tick-interval", &mut scaling.tick_interval),
        window,
    );
    let longest = ("backoff.max", scaling.backoff.max);
    rules.at_most(("backoff.initial", &mut scaling.backoff.initial), longest);
    let longest = ("health.max-ejection", scaling.health.max_ejection);
    rules.at_most(("health.ejection", &mut scaling.health.ejection), longest);
}

/// The shadow's settings, which follow the same rules. What is wrong without it is not said twice.
fn shadow(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft) {
    let Some(shadow) = &mut draft.shadow else {
        return;
    };
    if !rules.page.sound(&["scaling", "backoff", "health"]) {
        return;
    }
    // It was copied when `[scaling]` had been read, and these are of later tables.
    let live = &draft.scaling;
    shadow.scaling = ScaleSpec {
        max_waiters: live.max_waiters,
        admission: live.admission,
        health: live.health.clone(),
        backoff: live.backoff.clone(),
        drain_timeout: live.drain_timeout,
        stop_grace: live.stop_grace,
        ..shadow.scaling.clone()
    };
    let written = (shadow.scaling.clone(), shadow.target);
    scaling(rules, shadow);
    // The rules cut down what the manifest leaves out; what the shadow says is not left out.
    let (before, target) = written;
    let after = &shadow.scaling;
    for (key, cut) in [
        ("min-scale", before.min_scale > after.min_scale),
        ("initial-scale", before.initial_scale > after.initial_scale),
        (
            "activation-scale",
            before.activation_scale > after.activation_scale,
        ),
        ("target", target.is_some_and(|target| target > after.target)),
        ("tick-interval", before.tick_interval > after.tick_interval),
    ] {
        let key = format!("scaling.shadow.{key}");
        let said = rules.has(&key);
        rules.require(!(cut && said), &key, &[], || {
            "no more than its bound in [scaling], or in [scaling.shadow]".to_owned()
        });
    }
}

/// What is stopped first need not be frozen, and a mistake should be seen.
fn freezing(rules: &mut Rules<'_, '_>, scaling: &ScaleSpec) {
    let Some(after) = scaling.freeze.after else {
        let expected = || "scaling.freeze-after beside it".to_owned();
        let key = "scaling.keep-hot";
        return rules.require(scaling.freeze.keep_hot == 0, key, &[], expected);
    };
    let holds = scaling.policy != Policy::OnArrival || after < scaling.idle_timeout;
    let others = ["scaling.idle-timeout", "scaling.policy"];
    rules.require(holds, "scaling.freeze-after", &others, || {
        let timeout = format_duration(scaling.idle_timeout);
        format!("less than scaling.idle-timeout, which is {timeout}")
    });
}

fn deadlines(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft) {
    let timeouts = &mut draft.timeouts;
    let total = ("timeouts.total", timeouts.total);
    rules.at_most(("timeouts.queue", &mut timeouts.queue), total);
    rules.at_most(("timeouts.connect", &mut timeouts.connect), total);
    rules.at_most(("timeouts.first-byte", &mut timeouts.first_byte), total);
    rules.at_most(("timeouts.idle", &mut timeouts.idle), total);
}

/// The program and its directory, absolute.
fn program(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft, file: &Path) {
    let home = directory(file);
    if let Some(directory) = draft.working_directory.take() {
        let directory = absolute(home, &directory);
        rules.require(directory.is_dir(), "working-directory", &[], || {
            format!("a directory that exists; {} does not", directory.display())
        });
        draft.working_directory = Some(directory);
    }
    let key = match draft.runtime.language {
        Some(_) => "interpreter",
        None => "command[0]",
    };
    let Some(program) = draft.command.first_mut() else {
        return;
    };
    rules.require(!program.is_empty(), key, &["command"], || {
        "a program; its name is empty".to_owned()
    });
    if program.contains('/') {
        let path = absolute(home, Path::new(program.as_str()));
        rules.require(path.to_str().is_some(), key, &["command"], || {
            format!(
                "a program below a directory whose path is UTF-8; {} is not",
                path.display()
            )
        });
        *program = path.into_os_string().into_string().unwrap_or_default();
    }
}

fn routes(drafts: Vec<RouteDraft>) -> (Vec<RouteSpec>, Vec<usize>) {
    let whole = drafts.into_iter().filter_map(|draft| {
        let RouteDraft {
            host,
            path,
            methods,
            strip_prefix,
            line,
        } = draft;
        Some((
            RouteSpec {
                host,
                path: path?,
                methods,
                strip_prefix,
            },
            line,
        ))
    });
    whole.unzip()
}

fn finish(
    draft: FunctionDraft,
    (name, routes, schedule, build): (Arc<str>, Vec<RouteSpec>, ScheduleSpec, Option<BuildSpec>),
    manifest: &Path,
) -> FunctionSpec {
    let home = directory(manifest);
    let mut scaling = draft.scaling;
    scaling.spares = draft.runtime.spares();
    let shadow = draft.shadow.map(|shadow| {
        Arc::new(ScaleSpec {
            spares: scaling.spares,
            ..shadow.scaling
        })
    });
    FunctionSpec {
        name,
        number: None,
        manifest: manifest.to_owned(),
        command: draft.command,
        runtime: draft.runtime.spec(),
        build,
        contract: draft.contract,
        listen: draft.listen,
        routes,
        environment: draft.environment,
        secrets: Vec::new(),
        working_directory: draft.working_directory.unwrap_or_else(|| home.to_owned()),
        user: draft.user,
        scaling: Arc::new(scaling),
        shadow,
        schedule,
        limits: Arc::new(draft.limits),
        resources: draft.resources,
        isolation: Arc::new(draft.isolation),
        timeouts: Arc::new(draft.timeouts),
        access: shared(draft.access),
        server_errors_fail: draft.server_errors_fail,
        retry: draft.retry,
        budget: Some(draft.budget).filter(BudgetSpec::limits_anything),
    }
}

/// Most functions are open to all: they need one of these between them.
fn shared(access: AccessSpec) -> Arc<AccessSpec> {
    static OPEN: LazyLock<Arc<AccessSpec>> = LazyLock::new(|| Arc::new(TEMPLATE.access.clone()));
    if access == **OPEN {
        return Arc::clone(&OPEN);
    }
    Arc::new(access)
}

/// Without `.` parts; `..` stays, for what it leads to depends on symbolic links.
pub(crate) fn absolute(home: &Path, path: &Path) -> PathBuf {
    let joined = home.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}

/// Of a file whose path is absolute.
pub(crate) fn directory(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new("/"))
}
