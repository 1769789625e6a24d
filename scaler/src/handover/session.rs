//! The heir's side while the former gateway finishes what it has.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use stoker_core::{Event, InstanceId, StartFailure, Timestamp, WaiterId};
use tokio::task::AbortHandle;

use super::channel::Sender;
use super::wire::{Answer, Ask, Message};
use crate::function::Wait;
use crate::{AcquireError, Function, Lease};

/// How long the spawner may take to hand over what a gateway that is gone was starting.
const SPAWNER_NEWS: Duration = Duration::from_secs(2);

/// What a function inherited and the former gateway still holds.
pub(crate) struct Inherited<C: Send + 'static> {
    /// By instance.
    pub(crate) leases: Vec<(InstanceId, Vec<Lease<C>>)>,
    /// By the id that the waiter has there.
    pub(crate) waits: Vec<(WaiterId, Wait<C>)>,
}

impl<C: Send + 'static> Default for Inherited<C> {
    fn default() -> Self {
        Inherited {
            leases: Vec::new(),
            waits: Vec::new(),
        }
    }
}

/// Holds leases and places in queues for the former gateway. When that is gone, so is all of it.
pub struct Session<C: Send + 'static> {
    shared: Arc<Shared<C>>,
}

struct Shared<C: Send + 'static> {
    sender: Sender,
    state: Mutex<State<C>>,
}

struct State<C: Send + 'static> {
    /// By their numbers there.
    functions: HashMap<u32, Arc<Function<C>>>,
    leases: HashMap<InstanceId, Vec<Lease<C>>>,
    waiting: HashMap<(u32, u64), AbortHandle>,
    ended: bool,
}

impl<C: Send + 'static> Session<C> {
    /// Nothing is held yet. Answers go over `sender`.
    pub(crate) fn new(sender: Sender) -> Session<C> {
        let state = State {
            functions: HashMap::new(),
            leases: HashMap::new(),
            waiting: HashMap::new(),
            ended: false,
        };
        Session {
            shared: Arc::new(Shared {
                sender,
                state: Mutex::new(state),
            }),
        }
    }

    /// Takes in what a function inherited; it has this number there.
    pub(crate) fn add(&self, number: u32, function: &Arc<Function<C>>, inherited: Inherited<C>) {
        let mut state = self.shared.lock();
        state.functions.insert(number, Arc::clone(function));
        for (instance, leases) in inherited.leases {
            state.leases.entry(instance).or_default().extend(leases);
        }
        drop(state);
        for (waiter, mut wait) in inherited.waits {
            let answer = async move { wait.answer().await.map_err(AcquireError::from) };
            self.wait(number, waiter.0, Box::pin(answer));
        }
    }

    /// The numbers there of the functions that go on here.
    pub fn functions(&self) -> Vec<u32> {
        self.shared.lock().functions.keys().copied().collect()
    }

    /// Does what the former gateway asks of one of its functions.
    pub fn serve(&self, number: u32, ask: Ask) {
        let Some(function) = self.shared.lock().functions.get(&number).cloned() else {
            return;
        };
        match ask {
            Ask::Acquire { waiter, deadline } => {
                let deadline = function.clock().instant(Timestamp::from_nanos(deadline));
                let answer = async move { function.acquire(deadline).await };
                self.wait(number, waiter, Box::pin(answer));
            }
            Ask::Cancel { waiter } => {
                let waiting = self.shared.lock().waiting.remove(&(number, waiter));
                if let Some(task) = waiting {
                    task.abort();
                }
            }
            Ask::Release {
                instance,
                outcome,
                since,
            } => {
                let instance = InstanceId::from_raw(instance);
                // Apart, for its end locks the function.
                let lease = self.shared.lock().take(instance);
                if let Some(lease) = lease {
                    lease.give_back(outcome.into(), Timestamp::from_nanos(since));
                }
            }
            Ask::Unhealthy { instance } => function.apply(Event::Unhealthy {
                instance: InstanceId::from_raw(instance),
            }),
            Ask::StartFailed { instance, failure } => {
                function.start_failed_there(InstanceId::from_raw(instance), failure.into());
            }
            Ask::Scale { desired } => function.scale(desired),
            Ask::Evict => function.evict(),
        }
    }

    /// The former gateway is gone.
    pub async fn end(&self) {
        let (functions, leases, waiting) = {
            let mut state = self.shared.lock();
            state.ended = true;
            (
                std::mem::take(&mut state.functions),
                std::mem::take(&mut state.leases),
                std::mem::take(&mut state.waiting),
            )
        };
        waiting.values().for_each(AbortHandle::abort);
        // Here, for they lock their functions.
        drop(leases);
        let starting = functions.into_values().map(|function| {
            let ids = function.starting_there();
            (function, ids)
        });
        let starting: Vec<_> = starting.filter(|(_, ids)| !ids.is_empty()).collect();
        if starting.is_empty() {
            return;
        }
        tokio::time::sleep(SPAWNER_NEWS).await;
        for (function, id) in starting
            .iter()
            .flat_map(|(f, ids)| ids.iter().map(move |id| (f, id)))
        {
            function.start_failed_there(*id, orphaned());
        }
    }

    /// Sends the answer when it comes. It is asked for once before this returns, so that the order
    /// of calls is the order in the queue.
    fn wait(&self, number: u32, waiter: u64, mut answer: Acquiring<C>) {
        let key = (number, waiter);
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut context) {
            return self.shared.deliver(key, answer);
        }
        let shared = Arc::clone(&self.shared);
        let mut state = self.shared.lock();
        let task = tokio::spawn(async move {
            let answer = answer.await;
            shared.lock().waiting.remove(&key);
            shared.deliver(key, answer);
        });
        // The task cannot take it out before it is in, for that needs the lock.
        state.waiting.insert(key, task.abort_handle());
    }
}

/// A place in a queue.
type Acquiring<C> = Pin<Box<dyn Future<Output = Result<Lease<C>, AcquireError>> + Send>>;

impl<C: Send + 'static> Shared<C> {
    fn deliver(&self, (function, waiter): (u32, u64), answer: Result<Lease<C>, AcquireError>) {
        let answer = match answer {
            Err(error) => Answer::from(&error),
            Ok(mut lease) => {
                // The other gateway connects, and cannot.
                lease.thaw();
                let granted = Answer::Granted {
                    instance: lease.instance().id().as_raw(),
                    endpoint: lease.instance().endpoint().clone(),
                    cold: lease.is_cold(),
                    thawed: lease.thaw_time().map(|took| took.as_nanos() as u64),
                    at: lease.granted().as_nanos(),
                };
                let mut state = self.lock();
                if state.ended {
                    drop(state);
                    // Gives itself back, for nobody takes it.
                    return drop(lease);
                }
                let id = lease.instance().id();
                state.leases.entry(id).or_default().push(lease);
                granted
            }
        };
        let message = Message::Answer {
            function,
            waiter,
            answer,
        };
        // No such message is too large but for a failure's detail, which is a sentence.
        self.sender.send(&message, None).ok();
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Send + 'static> State<C> {
    fn take(&mut self, instance: InstanceId) -> Option<Lease<C>> {
        let leases = self.leases.get_mut(&instance)?;
        let lease = leases.pop();
        if leases.is_empty() {
            self.leases.remove(&instance);
        }
        lease
    }
}

fn orphaned() -> StartFailure {
    StartFailure {
        kind: stoker_core::FailureKind::Resources,
        detail: "the gateway that started it is gone".into(),
    }
}
