//! What goes into a [`Pool`](crate::Pool) and what comes out.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    Decision, FloorStep, InstanceId, Legacy, ScaleSpec, SpareDecision, Timestamp, WaiterId,
};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request wants a slot and waits for it until `deadline`.
    Acquire {
        /// New in this pool.
        waiter: WaiterId,
        /// From this time on the answer is [`RejectCause::Expired`].
        deadline: Timestamp,
    },
    /// The caller left before it was answered.
    Cancel {
        /// Unknown ones are ignored.
        waiter: WaiterId,
    },
    /// A lease ended and its slot is free again.
    Release {
        /// The instance that was leased.
        instance: InstanceId,
        /// What the request found there.
        outcome: Outcome,
        /// When the slot was granted; service times are learned from it.
        since: Timestamp,
    },
    /// A starting instance takes requests now.
    Ready {
        /// The instance.
        instance: InstanceId,
    },
    /// A start failed; nothing is left running.
    StartFailed {
        /// The instance.
        instance: InstanceId,
        /// Why.
        failure: StartFailure,
    },
    /// The program of an instance is gone. Before the first answered request this counts as a
    /// failed start.
    Exited {
        /// The instance.
        instance: InstanceId,
        /// How it ended, in words.
        failure: StartFailure,
    },
    /// An instance of this revision was found running when the gateway started; it is ready.
    Adopted {
        /// Its id from the former gateway.
        instance: InstanceId,
    },
    /// A living gateway leaves all that its pool of this revision has; for a pool that is new. What
    /// is in use there stays in use here until it is released here.
    Inherited(Box<Legacy>),
    /// An instance can no longer be reached and must go.
    Unhealthy {
        /// The instance.
        instance: InstanceId,
    },
    /// An operator wants this many instances, or hands the decision back to the policy.
    ///
    /// The number is held against `min_scale`, load and idle time alike; busy instances above it
    /// drain. Held at zero, requests that wait still wake one instance, which leaves by its idle
    /// clock (`idle_timeout`, under either policy).
    Scale {
        /// Held until changed, within `max_scale`.
        desired: Option<u32>,
    },
    /// An operator wants the next request to be cold: every instance drains, `min_scale` or not,
    /// and is not replaced before it is asked for.
    ///
    /// These drains are final: no demand reprieves them. Starting instances stop too, except for
    /// those that requests already wait for. The next `Acquire`, `Scale` or `Reconfigure` ends it.
    Evict,
    /// The start of this instance has not begun, for the machine has no room for it yet: it is
    /// stopped if fewer instances than there are would do by now.
    Forgo {
        /// One that is starting; others are ignored.
        instance: InstanceId,
    },
    /// Others need the memory: the instance that is idle for the longest time is stopped, unless
    /// the policy or an operator wants as many as there are.
    Reclaim,
    /// Whatever the policy, never fewer instances than these steps say, within `max_scale`. They
    /// replace former ones; none ends the schedule, and the last one holds until then.
    Schedule(Vec<FloorStep>),
    /// New scaling settings; instances stay.
    Reconfigure(Box<ScaleSpec>),
    /// A newer revision took over: finish what waits and runs here, then stop every instance. A
    /// request that was on its way is still served, by a start if it must be.
    Retire,
    /// The gateway ends: like `Retire`, but nothing starts any more. Waiters that no instance can
    /// serve are rejected, and so is every later `Acquire`.
    ShutDown,
    /// The machine is short of memory: what is kept ready for starts goes if the function has no
    /// request, until the next one.
    ForgoSpares,
    /// The machine runs short of memory. If idle instances may be frozen ([`crate::Freeze`]), all
    /// are but [`crate::Freeze::keep_hot`], whatever their clocks, and give their memory back; and
    /// those that have done so already go, the idlest first, as far as the policy does not want
    /// them.
    Pressure {
        /// At most so many go.
        release: u32,
    },
    /// Instances cannot be frozen here. Those that are supposed to be are thawed, and none is
    /// frozen until the next `Reconfigure`.
    FreezeRefused,
    /// The time of the last [`Effect::WakeAt`] has come.
    Tick,
}

/// What a request found at its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered; it is proven to work.
    Answered,
    /// The instance failed: it broke the connection off, sent what is not an answer, or none in
    /// time. Saturation is not failure: one that says it is busy has answered.
    Failed,
    /// The caller left or the request failed in a way that says nothing about the instance.
    Unknown,
}

/// Something the shell must do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The waiter has a slot.
    Grant {
        /// Who.
        waiter: WaiterId,
        /// Where.
        instance: InstanceId,
        /// It waited for an instance that was not ready: when it arrived, `instance` was not.
        cold: bool,
    },
    /// The waiter gets no slot.
    Reject {
        /// Who.
        waiter: WaiterId,
        /// Why.
        cause: RejectCause,
    },
    /// Start this new instance.
    Start {
        /// Its id, never used before.
        instance: InstanceId,
    },
    /// Let the idle instance run no more until it is thawed.
    Freeze {
        /// The instance.
        instance: InstanceId,
    },
    /// Let the frozen instance run. It stands right before what it is done for, if anything: a
    /// [`Effect::Grant`] or a [`Effect::Stop`].
    Thaw {
        /// The instance.
        instance: InstanceId,
    },
    /// Give the memory of the frozen instance back to the machine, as far as it can be got again.
    Reclaim {
        /// The instance.
        instance: InstanceId,
    },
    /// The instance gets no more requests and finishes those that it has: time to tell the ones
    /// that have no end of their own. A later grant on it says that it was reprieved.
    Drain {
        /// The instance.
        instance: InstanceId,
    },
    /// Ask the instance to end (SIGTERM).
    Stop {
        /// The instance.
        instance: InstanceId,
    },
    /// End the instance at once (SIGKILL).
    Kill {
        /// The instance.
        instance: InstanceId,
    },
    /// Apply [`Event::Tick`] at this time; replaces the former one. [`Timestamp::MAX`] is never.
    WakeAt(Timestamp),
    /// The policy's answer changed; for logs and `explain`.
    Decided(Box<Decision>),
    /// Another number of spares is wanted than before, which was none at first.
    Prepare(Box<SpareDecision>),
}

/// Why a waiter got no slot.
#[derive(Clone, Debug, PartialEq)]
pub enum RejectCause {
    /// `max_waiters` were waiting already.
    QueueFull,
    /// It would have waited clearly longer than until its deadline.
    TooLate {
        /// How long it would have waited.
        expected: Duration,
    },
    /// Its deadline passed.
    Expired {
        /// The last failed start since the last good one, if any.
        last_failure: Option<StartFailure>,
    },
    /// Starts fail again and again.
    StartFailed(StartFailure),
    /// The gateway ends.
    ShuttingDown,
}

/// Why an instance did not come up, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFailure {
    /// The stable kind.
    pub kind: FailureKind,
    /// One lower-case sentence with the cause, fit for the caller.
    pub detail: Arc<str>,
}

/// The kinds of failed starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The program could not be executed: missing, not permitted, not a program.
    NotExecutable,
    /// It ended before it served.
    Exited,
    /// It did not listen, or did not accept, within the start timeout. Its waiters are rejected at
    /// once, for they have waited long enough.
    NeverListened,
    /// The machine could not give what a start needs: descriptors, ports, memory, the spawner.
    Resources,
}

/// Effects in the order in which they are to be carried out.
///
/// The first few are stored in place, so that the warm path allocates nothing.
#[derive(Debug, Default)]
pub struct Effects {
    inline: [Option<Effect>; 2],
    rest: Vec<Effect>,
}

impl Effects {
    /// Adds an effect at the end.
    pub fn push(&mut self, effect: Effect) {
        match self.inline.iter_mut().find(|place| place.is_none()) {
            Some(place) if self.rest.is_empty() => *place = Some(effect),
            _ => self.rest.push(effect),
        }
    }

    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.inline[0].is_none()
    }

    /// Takes the effects out, in order.
    pub fn carry_out(self, mut each: impl FnMut(Effect)) {
        let [first, second] = self.inline;
        let Some(first) = first else { return };
        each(first);
        let Some(second) = second else { return };
        each(second);
        self.rest.into_iter().for_each(each);
    }

    /// The effects by reference, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.inline.iter().flatten().chain(&self.rest)
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::iter::Chain<
        std::iter::Flatten<std::array::IntoIter<Option<Effect>, 2>>,
        std::vec::IntoIter<Effect>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.inline.into_iter().flatten().chain(self.rest)
    }
}
