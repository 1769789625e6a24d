//! As it is.

use std::collections::HashMap;
use std::time::Duration;

use stoker_core::{
    Decision, InstanceId, InstanceState, InstanceView, ScaleSpec, Standing, Timestamp,
};
use stoker_scaler::record::{Ending, LifeView};
use stoker_scaler::{Explained, StartCause};

use super::{ago, bound, decision, instances, requests};
use crate::span::span;
use crate::wire::{ExplainedInstance, Explanation};

/// When idle instances go.
struct Idle {
    /// None if there is no clock for it.
    timeout: Option<Duration>,
    /// So many more than are wanted.
    surplus: usize,
    /// Idle ones, the idlest first.
    order: Vec<InstanceId>,
}

/// Explains what a function has at `now`, whose settings are these.
pub(crate) fn now(
    name: &str,
    explained: &Explained,
    spec: &ScaleSpec,
    now: Timestamp,
) -> Explanation {
    let pool = &explained.view.pool;
    let lives: HashMap<InstanceId, &LifeView> = explained
        .lives
        .iter()
        .map(|(id, life)| (*id, life))
        .collect();
    let idle = Idle::of(explained, spec);
    let told = explained.told.as_ref();
    let each = pool.instances.iter().map(|view| ExplainedInstance {
        id: view.id.to_string(),
        state: view.state_name().to_owned(),
        sentence: instance(view, lives.get(&view.id).copied(), &idle, now),
    });
    Explanation {
        function: name.to_owned(),
        at_us: 0,
        sentences: sentences(name, explained, told.map(|told| now.since(told.at))),
        decision: explained.decision.as_ref().map(decision),
        instances: each.collect(),
        counterfactual: None,
        shadow: None,
    }
}

fn sentences(name: &str, explained: &Explained, since: Option<Duration>) -> Vec<String> {
    let pool = &explained.view.pool;
    let mut said = vec![format!(
        "{name} has {}, {} in flight and {} waiting.",
        instances(pool.instances.len() as u32),
        requests(pool.in_flight.into()),
        pool.waiting,
    )];
    match &explained.decision {
        None => said.push("Its policy was not asked yet.".to_owned()),
        Some(decision) => said.extend(decided(decision, since)),
    }
    if let Some(count) = pool.scale_override {
        said.push(format!("An operator holds it at {}.", instances(count)));
    }
    if let Some(held) = explained.view.held {
        said.push(format!(
            "{} not begin yet, for the machine has no room ({}).",
            match held.count {
                1 => "1 start does".to_owned(),
                count => format!("{count} starts do"),
            },
            held.by.name()
        ));
    }
    if let Some((failure, count)) = &pool.last_failure {
        let times = if *count == 1 { "start" } else { "starts" };
        said.push(format!(
            "The last {count} {times} failed: {}.",
            failure.detail
        ));
    }
    if pool.retired {
        said.push("This revision ends: nothing starts but what requests wait for.".to_owned());
    }
    said
}

fn decided(decision: &Decision, since: Option<Duration>) -> Vec<String> {
    let mut said = vec![format!("{}.", capital(&decision.why.to_string()))];
    if let Some(since) = since {
        said.push(format!("The last change was {} ago.", span(since)));
    }
    said.push(bound(decision));
    said
}

fn instance(view: &InstanceView, life: Option<&LifeView>, idle: &Idle, now: Timestamp) -> String {
    let mut said = state(view, life, idle, now);
    said.push_str("; ");
    said.push_str(&origin(view, life, now));
    said.push('.');
    said
}

fn state(view: &InstanceView, life: Option<&LifeView>, idle: &Idle, now: Timestamp) -> String {
    let since = span(now.since(view.since));
    match view.state {
        InstanceState::Starting => format!("is starting for {since}"),
        InstanceState::Draining => format!(
            "drains for {since} with {}, because {}",
            requests(view.in_use.into()),
            reason(life)
        ),
        InstanceState::Stopping => format!("was told to end {since} ago, because {}", reason(life)),
        InstanceState::Ready => ready(view, idle, now),
    }
}

fn ready(view: &InstanceView, idle: &Idle, now: Timestamp) -> String {
    let mut said = match view.idle_since {
        None => format!("serves {} of {}", view.in_use, requests(view.slots.into())),
        Some(since) => {
            let mut said = format!("is idle for {}", span(now.since(since)));
            if let Some(frozen) = view.frozen {
                said.push_str(&format!(", frozen for {}", span(now.since(frozen.since))));
            }
            said.push_str(&idle.verdict(view.id, since, now));
            said
        }
    };
    match view.standing {
        Standing::Good => {}
        Standing::Aside { until } => said.push_str(&format!(
            ", set aside for {} more after {} failures",
            span(until.since(now)),
            view.failures
        )),
        Standing::Trial => said.push_str(", on trial after failures"),
    }
    said
}

fn reason(life: Option<&LifeView>) -> &'static str {
    let why = life.and_then(|life| life.ending).map(|(_, why)| why);
    why.map_or("of something that was not seen here", Ending::words)
}

fn origin(view: &InstanceView, life: Option<&LifeView>, now: Timestamp) -> String {
    let age = ago(now.since(view.created));
    let Some(life) = life else {
        return format!("it is here since {age}");
    };
    let why = match life.cause {
        None => return format!("it was taken over from another gateway, and asked for {age}"),
        Some(StartCause::Request) => "because requests waited",
        Some(StartCause::Policy) => "without a request that waited",
    };
    let wanted = life
        .decision
        .as_ref()
        .map(|told| format!(", when {} wanted", are(told.decision.desired)));
    format!("it was started {age} {why}{}", wanted.unwrap_or_default())
}

fn are(count: u32) -> String {
    match count {
        1 => "1 instance was".to_owned(),
        count => format!("{count} instances were"),
    }
}

impl Idle {
    fn of(explained: &Explained, spec: &ScaleSpec) -> Idle {
        let pool = &explained.view.pool;
        let timeout = match (pool.scale_override, &explained.decision) {
            (Some(0), _) | (None, None) => Some(spec.idle_timeout),
            (Some(_), _) => None,
            (None, Some(decision)) => decision.idle_timeout,
        };
        let serving = |view: &&InstanceView| {
            matches!(view.state, InstanceState::Starting | InstanceState::Ready)
        };
        let serving = pool.instances.iter().filter(serving).count();
        let wanted = explained.decision.as_ref().map_or(0, |it| it.desired);
        let ready = pool
            .instances
            .iter()
            .filter(|view| view.state == InstanceState::Ready);
        let mut order: Vec<_> = ready
            .filter_map(|view| Some((view.idle_since?, view.id)))
            .collect();
        order.sort_unstable();
        Idle {
            timeout,
            surplus: serving.saturating_sub(wanted as usize),
            order: order.into_iter().map(|(_, id)| id).collect(),
        }
    }

    /// What becomes of an idle instance.
    fn verdict(&self, id: InstanceId, since: Timestamp, now: Timestamp) -> String {
        let place = self.order.iter().position(|it| *it == id);
        let spare = place.is_some_and(|place| place < self.surplus);
        match self.timeout {
            _ if !spare => " and stays, because it is among those that are wanted".to_owned(),
            Some(timeout) => {
                let left = (since + timeout).since(now);
                let timeout = span(timeout);
                format!(" and goes in {}, after {timeout} of that", span(left))
            }
            None => " and goes with the next decision".to_owned(),
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests;
