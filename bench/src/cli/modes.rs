//! From arguments to what is measured.

use std::collections::BTreeMap;

use super::arguments::{BurstArgs, ColdArgs, Deed, DrainArgs, ForceArgs, SoakArgs, StepArgs};
use crate::mode::burst::{self, Burst};
use crate::mode::cold::Cold;
use crate::mode::drain::{Action, Drain};
use crate::mode::soak::Soak;
use crate::mode::step::{self, Step};
use crate::mode::{Force, Way};
use crate::run::{Bench, Failure};

pub(super) fn cold(arguments: &ColdArgs, bench: &mut Bench) -> Result<(), Failure> {
    let force = force(&arguments.force, bench)?;
    let cold = Cold {
        name: arguments.name.clone(),
        // A gateway always says.
        trusting: bench.functions.is_empty(),
        force,
        count: arguments.count,
        repetitions: arguments.repetitions,
        warm_up: arguments.warm_up,
        concurrent: arguments.concurrent,
        rate: arguments.rate.and_then(|rate| rate.per_second()),
        warm: !arguments.no_warm,
    };
    cold.run(bench)?;
    let of_it = bench
        .series
        .iter()
        .filter(|series| series.name == cold.name);
    let mut all = of_it.flat_map(|series| &series.repetitions);
    if bench.stop.is_set() || all.clone().any(|one| one.answered > 0) {
        return Ok(());
    }
    let wrong = all.clone().flat_map(|one| &one.discarded);
    let failed = all.by_ref().flat_map(|one| &one.failed);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (what, count) in wrong.chain(failed) {
        *counts.entry(what).or_default() += count;
    }
    let told: Vec<String> = counts
        .into_iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    Err(Failure(format!(
        "no answer was cold: {}; --cold-command, --cold-after and --cold-header say how one comes about \
         and is known",
        told.join(", ")
    )))
}

pub(super) fn burst(arguments: &BurstArgs, bench: &mut Bench) -> Result<(), Failure> {
    let slots = arguments.instances.unwrap_or(1) * arguments.concurrency;
    let ideal = arguments
        .work
        .map(|work| burst::ideal(arguments.count, work, slots));
    let burst = Burst {
        count: arguments.count,
        force: force(&arguments.force, bench)?,
        repetitions: arguments.repetitions,
        warm_up: arguments.warm_up,
        ideal,
    };
    burst.run(bench)
}

pub(super) fn step(arguments: &StepArgs, bench: &mut Bench) -> Result<(), Failure> {
    if arguments.from >= arguments.to {
        return Err(Failure("--from must be less than --to".into()));
    }
    let mut load = arguments.shape.load(&arguments.target)?;
    load.duration = arguments.duration;
    load.repetitions = arguments.repetitions;
    let step = Step {
        load,
        rates: step::rates(arguments.from, arguments.to, arguments.steps),
        limit: arguments.limit,
        beyond: arguments.beyond,
    };
    step.run(bench)
}

pub(super) fn soak(arguments: &SoakArgs, bench: &mut Bench) -> Result<(), Failure> {
    let mut load = arguments.shape.load(&arguments.target)?;
    load.rate = arguments.rate.per_second();
    load.duration = arguments.duration;
    let windows = arguments.windows;
    Soak { load, windows }.run(bench)
}

pub(super) fn drain(arguments: &DrainArgs, bench: &mut Bench) -> Result<(), Failure> {
    let mut actions: Vec<Action> = arguments
        .actions
        .iter()
        .filter_map(|deed| match deed {
            Deed::Evict => Some(Action::Evict),
            Deed::Scale => Some(Action::Scale(arguments.most)),
            Deed::Upgrade => Some(Action::Upgrade),
            Deed::None => None,
        })
        .collect();
    let asks = !actions.is_empty();
    if let Some(command) = &arguments.command {
        actions.push(Action::Command(Force {
            way: Way::Command(command.clone()),
            settle: std::time::Duration::ZERO,
        }));
    }
    if actions.is_empty() {
        return Err(Failure("--action none needs --command".into()));
    }
    if asks {
        bench.admin()?;
        functions(bench)?;
    }
    let load = arguments.load.load(&arguments.target)?;
    let every = arguments.every;
    Drain {
        load,
        actions,
        every,
    }
    .run(bench)
}

fn force(arguments: &ForceArgs, bench: &Bench) -> Result<Force, Failure> {
    let way = match (&arguments.cold_command, arguments.cold_after) {
        (Some(command), _) => Way::Command(command.clone()),
        (None, Some(time)) => Way::Wait(time),
        (None, None) => {
            bench.admin()?;
            functions(bench)?;
            Way::Evict
        }
    };
    let settle = arguments.settle;
    Ok(Force { way, settle })
}

fn functions(bench: &Bench) -> Result<(), Failure> {
    match bench.functions.is_empty() {
        true => Err(Failure(
            "no function is named: give --function, so that it is known what is behind the URL"
                .into(),
        )),
        false => Ok(()),
    }
}
