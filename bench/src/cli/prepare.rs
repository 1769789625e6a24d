//! Everything that is ready before the first request.

use std::collections::BTreeMap;
use std::time::Instant;

use stoker_control::cli::Connection;

use super::Mode;
use super::arguments::{OutputArgs, ReplayArgs, Reuse, TargetArgs};
use super::behind::functions_behind;
use crate::admin::Admin;
use crate::client::Trust;
use crate::load::{Crew, Work};
use crate::mode::replay::{Mapping, Replay};
use crate::run::{Bench, Failure};
use crate::stop::Stop;
use crate::target::{Call, Targets, expand_all};
use crate::timeline::Timeline;
use stoker_show::progress::Progress;
use stoker_traces::TraceOptions;

/// Everything that is ready before the first request.
pub(super) struct Prepared {
    pub(super) bench: Bench,
    /// What is called, as it is shown.
    pub(super) shown: String,
    /// The calls of a trace, if that is what is measured.
    pub(super) replay: Option<Replay>,
}

/// Finds the targets and starts the generator.
pub(super) fn prepare(
    mode: &Mode,
    (target, output): (&TargetArgs, &OutputArgs),
    stop: &Stop,
) -> Result<Prepared, Failure> {
    let admin = admin(mode, target, stop)?;
    let call = call(target)?;
    let mut notes = Vec::new();
    let (targets, replay) = match mode {
        Mode::Replay(arguments) => {
            let (targets, replay) = replayed(arguments, &call, admin.as_ref(), &mut notes)?;
            (targets, Some(replay))
        }
        _ => (
            Targets::resolve(&target.targets, &call, admin.as_ref())?,
            None,
        ),
    };
    probe(&targets)?;
    let mut functions = targets.functions;
    functions.extend(target.functions.iter().cloned());
    if let Some(admin) = admin
        .as_ref()
        .filter(|_| functions.is_empty() && mode.needs_gateway())
    {
        functions = functions_behind(&target.targets, &call, admin)?;
    }
    functions.sort();
    functions.dedup();
    raise_open_files();
    let count = targets.requests.len();
    let work = Work {
        endpoints: targets.endpoints,
        requests: targets.requests,
        cold_header: target.cold_header.clone(),
        keeps_connections: target.connection == Reuse::Kept,
        streams: target.streams_at_once(),
        timeout: target.timeout,
        spin: target.spin,
    };
    let crew = Crew::start(work, target.threads, stop)?;
    let mut bench = Bench::new(crew, stop.clone(), Progress::new(output.quiet));
    bench.admin = admin;
    bench.functions = functions;
    bench.targets = count;
    bench.notes = notes;
    Ok(Prepared {
        bench,
        shown: targets.shown,
        replay,
    })
}

/// Reads the trace and finds out which requests its calls are.
fn replayed(
    arguments: &ReplayArgs,
    call: &Call,
    admin: Option<&Admin>,
    notes: &mut Vec<String>,
) -> Result<(Targets, Replay), Failure> {
    let options = TraceOptions {
        max_calls: arguments.max_calls,
        from: arguments.from,
        length: arguments.length,
        within_minute: arguments.within_minute.into(),
        seed: arguments.seed,
        ..TraceOptions::default()
    };
    let trace = stoker_traces::read_with(&arguments.trace, options)
        .map_err(|error| Failure(error.to_string()))?;
    if trace.calls.is_empty() {
        return Err(Failure(format!(
            "{} has no calls in the part that is asked for",
            arguments.trace.display()
        )));
    }
    let targets = expand_all(&arguments.target.targets)?;
    let named: BTreeMap<String, String> = arguments.map.iter().cloned().collect();
    let mapping = Mapping {
        targets: &targets,
        named: &named,
        speed: arguments.speed,
    };
    let arrivals = mapping.apply(&trace);
    notes.push(format!(
        "{} calls of {} functions are replayed at {} times the speed of the trace",
        arrivals.calls.len(),
        arrivals.functions,
        arguments.speed
    ));
    notes.extend(trace.notes);
    let targets = Targets::of_calls(&arrivals.requests, call, admin)?;
    let replay = Replay {
        calls: arrivals.calls.into(),
        in_flight: arguments.target.in_flight(arguments.connections)?,
    };
    Ok((targets, replay))
}

/// The gateway, if something is asked of one: a local one has nothing to do with a URL that nobody
/// said is its, unless instances are to go for it.
fn admin(mode: &Mode, target: &TargetArgs, stop: &Stop) -> Result<Option<Admin>, Failure> {
    let by_name = target.targets.iter().any(|word| !word.contains("://"));
    let named = by_name || !target.functions.is_empty() || target.admin.is_some();
    if !named && !mode.needs_gateway() {
        return Ok(None);
    }
    let connection = Connection {
        admin: target.admin.clone(),
        token_file: target.token_file.clone(),
        json: false,
    };
    match Admin::connect(&connection, stop) {
        Ok(admin) => Ok(Some(admin)),
        Err(error) if named => Err(error.into()),
        Err(error) => Err(Failure(format!(
            "the instances behind the URL are to go, for which their gateway is asked: {error}; \
             cold and burst can do without it by --cold-command or --cold-after"
        ))),
    }
}

fn call(target: &TargetArgs) -> Result<Call, Failure> {
    let body = match &target.data {
        None => None,
        Some(text) => Some(match text.strip_prefix('@') {
            Some(path) => std::fs::read(path)
                .map_err(|error| Failure(format!("{path} cannot be read: {error}")))?,
            None => text.clone().into_bytes(),
        }),
    };
    Ok(Call {
        method: target.method.clone(),
        headers: target.headers.clone(),
        body,
        path: target.path.clone(),
        unix_socket: target.unix_socket.clone(),
        http2: target.http2,
        trust: match (&target.ca, target.insecure) {
            (_, true) => Trust::Anybody,
            (Some(path), false) => Trust::File(path.clone()),
            (None, false) => Trust::System,
        },
    })
}

/// Connects to each endpoint once.
fn probe(targets: &Targets) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for endpoint in &targets.endpoints {
        let probed = runtime.block_on(endpoint.probe());
        probed.map_err(|error| Failure(format!("nobody accepts at {endpoint}: {error}")))?;
    }
    Ok(())
}

/// Looks at the gateway's instances from now on, if there is a gateway to ask.
pub(super) fn timeline(
    bench: &Bench,
    target: &TargetArgs,
    begun: Instant,
) -> Result<Option<Timeline>, Failure> {
    let Some(admin) = bench.admin.as_ref().filter(|_| !bench.functions.is_empty()) else {
        return Ok(None);
    };
    if target.timeline.is_zero() {
        return Ok(None);
    }
    let functions = bench.functions.clone();
    let timeline = Timeline::start(admin.client(), functions, target.timeline, begun)?;
    Ok(Some(timeline))
}

/// As many open files as the system allows: a burst needs one per request.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // If it stays, connecting says so.
    setrlimit(Resource::Nofile, raised).ok();
}
