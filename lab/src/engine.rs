//! Virtual time: what happens, in order, and what the pools make of it.

mod heap;
mod machine;
mod progress;
mod queue;
mod schedule;
mod starts;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stoker_core::{
    Effect, Event, FailureKind, InstanceId, Outcome, Pool, RejectCause, StartFailure, StartLimits,
    Timestamp, WaiterId,
};

use crate::function::{Arrival, Function, Setup};
use crate::report::Report;
use crate::tally::Tally;
use machine::{Job, Machine, Task};
pub use progress::Progress;
use queue::{Happening, Queue};
use starts::Starts;
use waiting::{Waiting, Waitings};

/// Since 1970: midnight, UTC, at the beginning of Monday, the 1st of January 2024.
const DEFAULT_BEGIN: Duration = Duration::from_secs(1_704_067_200);

/// What is settled about a replay as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Equal seeds give equal chances.
    pub seed: u64,
    /// From the stop of an instance to its end; at most the manifest's `timeouts.stop` counts.
    pub stop_time: Duration,
    /// How long the replay goes on after the last call, so that what instances cost afterwards is
    /// counted.
    pub tail: Duration,
    /// Processors, in thousandths, that calls and the processor time of starts share; as many as
    /// are needed if none.
    pub millicpus: Option<u32>,
    /// The share of a call's service time that it computes, in [0, 1]; it waits for something else
    /// afterwards. Matters with [`World::millicpus`] only.
    pub service_cpu: f64,
    /// How much is started at the same time, over all functions; nothing is held if none.
    pub starts: Option<StartLimits>,
    /// When it is time zero, for schedules.
    pub begin: SystemTime,
}

impl Default for World {
    /// Stops of 10 ms, 15 minutes after the last call, processors for all, no gate of starts, and a
    /// Monday.
    fn default() -> Self {
        World {
            seed: 1,
            stop_time: Duration::from_millis(10),
            tail: Duration::from_secs(900),
            millicpus: None,
            service_cpu: 1.0,
            starts: None,
            begin: SystemTime::UNIX_EPOCH + DEFAULT_BEGIN,
        }
    }
}

/// Replays calls through the core.
///
/// Functions are known by [`Engine::add`], calls come by [`Engine::feed`] in the order of their
/// times, and [`Engine::finish`] plays what is left. Memory grows with functions, instances and
/// calls in flight, never with the number of calls.
///
/// What happens at the same time happens in the order in which it was planned, and calls come
/// after all that was planned before them.
#[derive(Debug)]
pub struct Engine {
    world: World,
    now: Timestamp,
    queue: Queue,
    machine: Option<Machine>,
    starts: Option<Starts>,
    functions: Vec<Function>,
    tally: Tally,
    /// Calls without an answer and leases alive.
    open: u64,
    waiting: Waitings,
    /// Cloned for every exit.
    ended: StartFailure,
}

impl Engine {
    /// Nothing happened yet, and it is time zero.
    pub fn new(world: World) -> Self {
        Engine {
            machine: world.millicpus.map(Machine::new),
            starts: world.starts.clone().map(Starts::new),
            world,
            now: Timestamp::ZERO,
            queue: Queue::default(),
            functions: Vec::new(),
            tally: Tally::default(),
            open: 0,
            waiting: Waitings::default(),
            ended: StartFailure {
                kind: FailureKind::Exited,
                detail: Arc::from("it was stopped"),
            },
        }
    }

    /// A further function and the number by which calls name it, from zero. It has no instance
    /// before its first call.
    pub fn add(&mut self, name: &str, setup: Setup) -> u32 {
        self.functions
            .push(Function::new(name, setup, self.world.seed));
        (self.functions.len() - 1) as u32
    }

    /// Plays everything before this call, and then the call.
    ///
    /// One that is earlier than its predecessor comes with it. A function that was not added is
    /// passed over.
    pub fn feed(&mut self, arrival: Arrival) {
        let at = arrival.at.max(self.now);
        self.play_until(at);
        self.advance(at);
        let index = arrival.function as usize;
        let Some(function) = self.functions.get_mut(index) else {
            return;
        };
        function.note(&arrival);
        let deadline = at + function.setup.patience;
        if function.pool.is_none() {
            let spec = Arc::clone(&function.setup.spec);
            let mut pool = Pool::new(spec, arrival.function, at);
            pool.keep_decisions();
            function.pool = Some(pool);
            self.apply(arrival.function, Event::Tick);
            self.tell_schedule(arrival.function);
        }
        self.tally.arrive();
        self.open += 1;
        let waiter = self.waiting.add(Waiting {
            since: at,
            service: arrival.service,
        });
        self.apply(arrival.function, Event::Acquire { waiter, deadline });
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Plays the tail, and on until every call is answered and every answer given; what was found.
    pub fn finish(mut self) -> Report {
        let end = self.now + self.world.tail;
        self.play_until(end);
        while self.open > 0 && self.play_next(Timestamp::MAX) {}
        let end = end.max(self.now);
        self.advance(end);
        Report::new(&mut self.functions, self.tally, end)
    }

    /// Plays what is planned up to `time`, that included.
    fn play_until(&mut self, time: Timestamp) {
        if self.machine.is_some() {
            while self.play_next(time) {}
            return;
        }
        while let Some((at, function, happening)) = self.queue.pop_until(time) {
            self.happen(at, function, happening);
        }
    }

    /// Plays what comes next, unless it comes after `limit`; false if it does, or nothing comes.
    /// What was planned comes before what ends on the machine at the same time.
    fn play_next(&mut self, limit: Timestamp) -> bool {
        let machine = self.machine.as_ref().and_then(Machine::next_end);
        let end = machine.filter(|end| *end <= limit);
        let before = end.unwrap_or(limit);
        if let Some((at, function, happening)) = self.queue.pop_until(before) {
            self.happen(at, function, happening);
            return true;
        }
        let (Some(at), Some(machine)) = (end, &mut self.machine) else {
            return false;
        };
        let Some(job) = machine.end(at) else {
            return false;
        };
        self.advance(at);
        self.end_work(job);
        true
    }

    /// A job has had its processor time; what is left of it needs none.
    fn end_work(&mut self, job: Job) {
        let happening = match job.task {
            Task::Start { instance } => Happening::Ready { instance },
            Task::Call {
                instance,
                since,
                wait,
                service,
            } => {
                let took = self.now.since(since) + job.rest;
                let count = &mut self.functions[job.function as usize].count;
                let (whole, alone) = (wait + took, wait + service);
                count.log_slowdown += ratio(whole, alone).ln();
                Happening::Release { instance, since }
            }
        };
        self.plan(job.rest, job.function, happening);
    }

    fn advance(&mut self, to: Timestamp) {
        self.tally.advance(self.now, to);
        self.now = to;
    }

    fn happen(&mut self, at: Timestamp, function: u32, happening: Happening) {
        self.advance(at);
        match happening {
            Happening::Release { instance, since } => {
                self.open -= 1;
                if self.functions[function as usize].release(instance) {
                    self.tally.rest();
                }
                let event = Event::Release {
                    instance,
                    outcome: Outcome::Answered,
                    since,
                };
                self.apply(function, event);
            }
            Happening::Ready { instance } => {
                self.end_start(instance);
                self.apply(function, Event::Ready { instance });
            }
            Happening::NotStarted { instance } => {
                let failure = self.ended.clone();
                self.apply(function, Event::StartFailed { instance, failure });
            }
            Happening::Look { number } => {
                if let Some(starts) = &mut self.starts {
                    starts.look(number);
                }
                self.settle_starts(function);
            }
            Happening::Exit { instance } => {
                self.end_start(instance);
                self.functions[function as usize].exit(at);
                self.tally.exit();
                let failure = self.ended.clone();
                self.apply(function, Event::Exited { instance, failure });
            }
            Happening::Schedule => self.tell_schedule(function),
            Happening::Tick => self.apply(function, Event::Tick),
        }
    }

    fn apply(&mut self, function: u32, event: Event) {
        let Some(pool) = &mut self.functions[function as usize].pool else {
            return;
        };
        let effects = pool.apply(event, self.now);
        effects.carry_out(|effect| self.carry_out(function, effect));
        if self.starts.as_ref().is_some_and(Starts::is_waited_for) {
            self.settle_starts(function);
        }
    }

    fn carry_out(&mut self, index: u32, effect: Effect) {
        match effect {
            Effect::Grant {
                waiter,
                instance,
                cold,
            } => self.grant(index, waiter, (instance, cold)),
            Effect::Reject { waiter, cause } => self.reject(index, waiter, &cause),
            Effect::Start { instance } => self.ask_start(index, instance),
            Effect::Stop { instance } if self.gives_up_start(index, instance) => {}
            Effect::Stop { instance } => {
                let function = &mut self.functions[index as usize];
                function.stop();
                let takes = self.world.stop_time.min(function.setup.spec.stop_grace);
                self.plan(takes, index, Happening::Exit { instance });
            }
            Effect::WakeAt(time) => self.queue.wake_at(time, index),
            // Its exit is planned already.
            Effect::Kill { .. } => {}
            // Nothing of a simulated instance depends on these.
            Effect::Drain { .. }
            | Effect::Freeze { .. }
            | Effect::Thaw { .. }
            | Effect::Reclaim { .. }
            | Effect::Decided(_)
            | Effect::Prepare(_) => {}
        }
    }

    /// A start that may begin does.
    fn begin_start(&mut self, index: u32, instance: InstanceId) {
        let function = &mut self.functions[index as usize];
        let takes = function.start(self.now);
        let cpu = function.setup.start_cpu;
        self.tally.start(cpu);
        match &mut self.machine {
            Some(machine) if !cpu.is_zero() => {
                let job = Job {
                    function: index,
                    task: Task::Start { instance },
                    rest: takes.saturating_sub(cpu),
                };
                machine.begin(job, cpu, self.now);
            }
            _ => self.plan(takes, index, Happening::Ready { instance }),
        }
    }

    /// A start is over, or its instance is gone.
    fn end_start(&mut self, instance: InstanceId) {
        if let Some(starts) = &mut self.starts {
            starts.end(instance);
        }
    }

    fn grant(&mut self, index: u32, waiter: WaiterId, (instance, cold): (InstanceId, bool)) {
        let Some(call) = self.waiting.take(waiter) else {
            return;
        };
        let function = &mut self.functions[index as usize];
        let wait = self.now.since(call.since);
        function.count.served += 1;
        function.count.cold += u64::from(cold);
        if !wait.is_zero() {
            function.count.delayed += 1;
            function.count.log_slowdown += ratio(wait + call.service, call.service).ln();
        }
        if function.lease(instance) {
            self.tally.work();
        }
        self.tally.serve(wait, cold);
        let (since, service) = (self.now, call.service);
        let Some(machine) = &mut self.machine else {
            return self.plan(service, index, Happening::Release { instance, since });
        };
        let work = service.mul_f64(self.world.service_cpu.clamp(0.0, 1.0));
        let job = Job {
            function: index,
            task: Task::Call {
                instance,
                since,
                wait,
                service,
            },
            rest: service.saturating_sub(work),
        };
        machine.begin(job, work, since);
    }

    fn reject(&mut self, index: u32, waiter: WaiterId, cause: &RejectCause) {
        if let Some(call) = self.waiting.take(waiter) {
            self.open -= 1;
            self.functions[index as usize].count.refused += 1;
            self.tally.refuse(cause, self.now.since(call.since));
        }
    }

    fn plan(&mut self, after: Duration, function: u32, happening: Happening) {
        self.queue.push(self.now + after, function, happening);
    }
}

/// How many times longer the one is. Times count as at least a microsecond.
fn ratio(longer: Duration, shorter: Duration) -> f64 {
    const LEAST: f64 = 1e-6;
    longer.as_secs_f64().max(LEAST) / shorter.as_secs_f64().max(LEAST)
}

#[cfg(test)]
mod tests;
