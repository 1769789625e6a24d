//! `stoker simulate`.

mod arguments;
mod calls;
mod search;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use stoker_config::{Changes, Config, StartsSpec, format_duration};
use stoker_core::StartLimits;
use stoker_show::progress::Progress;
use stoker_show::text;
use stoker_traces::{TraceOptions, azure2019_durations, azure2019_memory};

use crate::calls::{Input, Origin};
use crate::candidate::{Base, Candidate, Common};
use crate::make::{Kind, MakeOptions};
use crate::metric::Metric;
use crate::output::{Outcome, page, table};
use crate::run::Runner;
use crate::{Times, World};
pub use arguments::Arguments;
use arguments::{OutputArgs, PolicyArgs};

/// Of the JSON document.
const FORMAT: u32 = 1;

/// Of what a gateway does.
const NOT_SIMULATED: &str = "not simulated: memory (its reserve, eviction, pressure), freezing, spares of \
     handlers, failures (of starts, of instances, retries), callers that leave, access, limits of the \
     gateway, operators, deploys";

/// Without a manifest no policy should be held back by its default, which suits 2 cores.
const MAX_SCALE: &str = "1000";

/// Does what the command line says. Exit codes: 0, 1 if a goal is met by nothing, 2 if nothing could
/// be replayed.
pub fn run(arguments: Arguments) -> ExitCode {
    match simulate(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// False if a goal is met by nothing.
fn simulate(arguments: &Arguments) -> Result<bool, String> {
    let input = arguments.input()?;
    if let Some(path) = &arguments.write {
        return calls::write(&input, path).map(|()| true);
    }
    let cost = Metric::find(&arguments.policies.cost)?;
    let common = arguments.common()?;
    let starts = arguments.start_limits()?;
    let runner = Runner {
        input,
        world: World {
            seed: arguments.world.seed,
            stop_time: arguments.world.stop_time,
            tail: arguments.world.tail,
            millicpus: arguments.world.cpus.map(|cpus| (cpus * 1e3).round() as u32),
            service_cpu: arguments.world.service_cpu,
            starts: Some(starts.clone()),
            ..World::default()
        },
        jobs: arguments.output.jobs(),
    };
    let mut progress = Progress::new(arguments.output.quiet);
    let plan = search::Plan {
        common: &common,
        policies: arguments.policies.candidates(&common)?,
        sweep: arguments.policies.sweep.as_ref(),
        goal: arguments.policies.goal.as_ref(),
        cost,
    };
    let found = search::run(&plan, &runner, &mut progress)?;
    let mut conditions = found.notes;
    conditions.extend(arguments.conditions(&plan.policies, &common, &starts));
    let outcome = Outcome {
        format: FORMAT,
        conditions,
        cost: cost.name,
        named: plan.policies.len(),
        policies: found.entries,
        goal: found.answer,
    };
    arguments.output.write(&outcome)?;
    Ok(outcome
        .goal
        .as_ref()
        .is_none_or(|answer| answer.policy.is_some()))
}

impl Arguments {
    fn input(&self) -> Result<Input, String> {
        let origin = match (&self.trace, self.make) {
            (Some(path), _) => Origin::Trace(
                path.clone(),
                TraceOptions {
                    from: self.from,
                    length: self.length,
                    within_minute: self.within_minute.rule(),
                    seed: self.world.seed,
                    model_base: self.model_base,
                    model_per_token: self.model_per_token,
                    ..TraceOptions::default()
                },
            ),
            (None, kind) => Origin::Made(MakeOptions {
                kind: kind.unwrap_or(Kind::Steady),
                length: self.length.unwrap_or(Duration::from_secs(86_400)),
                functions: self.functions,
                rate: self.rate,
            }),
        };
        let services = match &self.durations {
            None => HashMap::new(),
            Some(path) => {
                let found = azure2019_durations(path).map_err(|error| error.to_string())?;
                let times = found.into_iter();
                times
                    .map(|(name, quantiles)| (name, Times::Quantiles(quantiles)))
                    .collect()
            }
        };
        Ok(Input {
            origin,
            services: Arc::new(services),
            service: self.service_time.clone(),
            seed: self.world.seed,
        })
    }

    fn common(&self) -> Result<Common, String> {
        let base = self.policies.base()?;
        let mut settings = Changes::default();
        if matches!(base, Base::Blank) {
            settings.set("scaling.max-scale", MAX_SCALE)?;
        }
        if let Some(set) = &self.policies.set {
            settings = settings.and(set);
        }
        Ok(Common {
            base,
            settings,
            start: Arc::new(self.world.start_time.clone()),
            start_cpu: self.world.start_cpu,
            memory_bytes: self.world.memory,
            memories: match &self.world.memory_file {
                None => HashMap::new(),
                Some(path) => azure2019_memory(path).map_err(|error| error.to_string())?,
            },
        })
    }

    /// How much is started at the same time: what is said here, else in the gateway's file, else
    /// what holds for a gateway whose file says nothing.
    fn start_limits(&self) -> Result<StartLimits, String> {
        let world = &self.world;
        let starts = match &self.policies.gateway {
            Some(path) => load(path)?.gateway.starts,
            None => StartsSpec::preset(world.cpus.map(|cpus| cpus.ceil() as u32)),
        };
        let limits = starts.limits();
        Ok(StartLimits {
            at_once: world.starts_at_once.unwrap_or(limits.at_once),
            per_second: world.starts_per_second.unwrap_or(limits.per_second),
            ..limits
        })
    }

    /// What was settled, in words.
    fn conditions(
        &self,
        policies: &[Candidate],
        common: &Common,
        starts: &StartLimits,
    ) -> Vec<String> {
        let world = &self.world;
        let mut conditions = vec![format!(
            "starts take {} where the trace does not tell, and {} of processor time; stops {}; seed {}; the \
             replay goes on for {} after the last call",
            world.start_time,
            format_duration(world.start_cpu),
            format_duration(world.stop_time),
            world.seed,
            format_duration(world.tail)
        )];
        conditions.push(match world.cpus {
            None => "there are processors for all that computes".to_owned(),
            Some(cpus) => format!(
                "{cpus} processors are shared evenly by starts and by calls, which compute for {} of \
                 their time",
                text::percent(world.service_cpu)
            ),
        });
        conditions.push(format!(
            "{} starts at once, {} per second and {} more after a pause; one that takes longer than \
             {} leaves its place to another one",
            starts.at_once,
            starts.per_second,
            starts.burst,
            format_duration(starts.yield_after)
        ));
        if let Some(first) = policies.first() {
            let spec = &first.default_setup().spec;
            let scope = match common.base {
                Base::Gateway(_) => "functions that the gateway does not have: ",
                Base::Blank | Base::Manifest(_) => "",
            };
            conditions.push(format!(
                "{scope}concurrency {} (Knative's container-concurrency), max-scale {}, unless a policy \
                 says otherwise; calls wait for {} at most",
                spec.concurrency,
                spec.max_scale,
                format_duration(first.default_setup().patience)
            ));
        }
        conditions.push(NOT_SIMULATED.to_owned());
        conditions
    }
}

impl PolicyArgs {
    fn base(&self) -> Result<Base, String> {
        if let Some(path) = &self.manifest {
            return Ok(Base::Manifest(path.clone()));
        }
        let Some(path) = &self.gateway else {
            return Ok(Base::Blank);
        };
        let config = load(path)?;
        let functions = config.functions.iter();
        let functions =
            functions.map(|function| (function.name.to_string(), function.manifest.clone()));
        Ok(Base::Gateway(functions.collect()))
    }

    fn candidates(&self, common: &Common) -> Result<Vec<Candidate>, String> {
        if self.policy.is_empty() {
            let label = match common.base {
                Base::Blank => "defaults",
                Base::Manifest(_) => "manifest",
                Base::Gateway(_) => "manifests",
            };
            return Ok(vec![Candidate::new(label, &Changes::default(), common)?]);
        }
        let policies = self.policy.iter();
        policies
            .map(|text| Candidate::new(text.trim(), &text.parse()?, common))
            .collect()
    }
}

impl OutputArgs {
    fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(processors, usize::from)
    }

    fn write(&self, outcome: &Outcome) -> Result<(), String> {
        if let Some(path) = &self.html {
            write(path, &page::render(outcome))?;
        }
        let to_stdout = self.json.as_deref() == Some(Path::new("-"));
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(outcome).map_err(|error| error.to_string())?;
            match to_stdout {
                true => println!("{json}"),
                false => write(path, &format!("{json}\n"))?,
            }
        }
        if !to_stdout {
            print!("{}", table::render(outcome));
        }
        Ok(())
    }
}

fn load(gateway: &Path) -> Result<Config, String> {
    stoker_config::load(gateway).map_err(|errors| errors.to_string())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
