//! Virtual time: what happens, in order, and what the pools make of it.

mod queue;

use std::sync::Arc;
use std::time::Duration;

use stoker_core::{
    Effect, Event, FailureKind, InstanceId, Outcome, Pool, RejectCause, StartFailure, Timestamp,
    WaiterId,
};

use crate::function::{Arrival, Function, Setup, Waiting};
use crate::report::Report;
use crate::tally::Tally;
use queue::{Happening, Queue};

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
}

impl Default for World {
    /// Stops of 10 ms, and 15 minutes after the last call.
    fn default() -> Self {
        World {
            seed: 1,
            stop_time: Duration::from_millis(10),
            tail: Duration::from_secs(900),
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
    functions: Vec<Function>,
    tally: Tally,
    calls: u64,
    /// Calls without an answer and leases alive.
    open: u64,
    /// The call that is being asked for.
    current: Option<(WaiterId, Duration)>,
    /// Cloned for every exit.
    ended: StartFailure,
}

impl Engine {
    /// Nothing happened yet, and it is time zero.
    pub fn new(world: World) -> Self {
        Engine {
            world,
            now: Timestamp::ZERO,
            queue: Queue::default(),
            functions: Vec::new(),
            tally: Tally::default(),
            calls: 0,
            open: 0,
            current: None,
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
            function.pool = Some(Pool::new(spec, arrival.function, at));
            self.apply(arrival.function, Event::Tick);
        }
        self.tally.arrive();
        let waiter = WaiterId(self.calls);
        self.calls += 1;
        self.open += 1;
        self.current = Some((waiter, arrival.service));
        self.apply(arrival.function, Event::Acquire { waiter, deadline });
        if let Some((waiter, service)) = self.current.take() {
            let since = self.now;
            self.functions[index]
                .waiting
                .insert(waiter.0, Waiting { since, service });
        }
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Plays the tail, and on until every call is answered and every answer given; what was found.
    pub fn finish(mut self) -> Report {
        let end = self.now + self.world.tail;
        self.play_until(end);
        while self.open > 0
            && let Some((at, function, happening)) = self.queue.pop()
        {
            self.happen(at, function, happening);
        }
        let end = end.max(self.now);
        self.advance(end);
        Report::new(&mut self.functions, self.tally, end)
    }

    /// Plays what is planned up to `time`, that included.
    fn play_until(&mut self, time: Timestamp) {
        while let Some((at, function, happening)) = self.queue.pop_until(time) {
            self.happen(at, function, happening);
        }
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
            Happening::Ready { instance } => self.apply(function, Event::Ready { instance }),
            Happening::Exit { instance } => {
                self.functions[function as usize].exit(at);
                self.tally.exit();
                let failure = self.ended.clone();
                self.apply(function, Event::Exited { instance, failure });
            }
            Happening::Tick { number } => {
                if self.functions[function as usize].tick == number {
                    self.apply(function, Event::Tick);
                }
            }
        }
    }

    fn apply(&mut self, function: u32, event: Event) {
        let Some(pool) = &mut self.functions[function as usize].pool else {
            return;
        };
        for effect in pool.apply(event, self.now) {
            self.carry_out(function, effect);
        }
    }

    fn carry_out(&mut self, index: u32, effect: Effect) {
        let function = &mut self.functions[index as usize];
        match effect {
            Effect::Grant {
                waiter,
                instance,
                cold,
            } => self.grant(index, waiter, (instance, cold)),
            Effect::Reject { waiter, cause } => self.reject(index, waiter, &cause),
            Effect::Start { instance } => {
                let takes = function.start(self.now);
                self.tally.start(function.setup.start_cpu);
                self.plan(takes, index, Happening::Ready { instance });
            }
            Effect::Stop { instance } => {
                function.stop();
                let takes = self.world.stop_time.min(function.setup.spec.stop_grace);
                self.plan(takes, index, Happening::Exit { instance });
            }
            Effect::WakeAt(time) => {
                function.tick += 1;
                if time < Timestamp::MAX {
                    let number = function.tick;
                    self.queue.push(time, index, Happening::Tick { number });
                }
            }
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

    fn grant(&mut self, index: u32, waiter: WaiterId, (instance, cold): (InstanceId, bool)) {
        let Some(call) = self.answer(index, waiter) else {
            return;
        };
        let function = &mut self.functions[index as usize];
        let wait = self.now.since(call.since);
        function.count.served += 1;
        function.count.cold += u64::from(cold);
        if !wait.is_zero() {
            function.count.delayed += 1;
            function.count.log_slowdown += slowdown(wait, call.service).ln();
        }
        if function.lease(instance) {
            self.tally.work();
        }
        self.tally.serve(wait, cold);
        let since = self.now;
        self.plan(call.service, index, Happening::Release { instance, since });
    }

    fn reject(&mut self, index: u32, waiter: WaiterId, cause: &RejectCause) {
        if let Some(call) = self.answer(index, waiter) {
            self.open -= 1;
            self.functions[index as usize].count.refused += 1;
            self.tally.refuse(cause, self.now.since(call.since));
        }
    }

    /// The call that is answered now.
    fn answer(&mut self, index: u32, waiter: WaiterId) -> Option<Waiting> {
        if let Some((current, service)) = self.current
            && current == waiter
        {
            self.current = None;
            let since = self.now;
            return Some(Waiting { since, service });
        }
        self.functions[index as usize].waiting.remove(&waiter.0)
    }

    fn plan(&mut self, after: Duration, function: u32, happening: Happening) {
        self.queue.push(self.now + after, function, happening);
    }
}

/// How many times longer a call took than it would have without the wait. Service times count as
/// at least a microsecond.
fn slowdown(wait: Duration, service: Duration) -> f64 {
    let service = service.as_secs_f64().max(1e-6);
    (wait.as_secs_f64() + service) / service
}

#[cfg(test)]
mod tests;
