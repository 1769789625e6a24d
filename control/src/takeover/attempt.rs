//! One attempt, from the execution of the new program to its taking over or its end.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use stoker_core::InstanceId;
use stoker_gateway::Bound;
use stoker_scaler::driver::Driver;
use stoker_scaler::handover::{Estate, Heir, Message, Receiver, Sender, VERSION, channel};

use super::{Holdings, TakeoverError};

/// While the new gateway takes over, requests that want a slot wait, so it must be quick.
const CHANGE: Duration = Duration::from_secs(5);
/// One that hung up is given so many looks until its end is seen.
const LAST_LOOKS: u32 = 100;
/// The pause between them.
const LAST_PAUSE: Duration = Duration::from_millis(10);
/// For the writer of the logs to be done with what was read.
const LOGS: Duration = Duration::from_secs(1);

/// A new gateway that has not taken over.
struct Candidate {
    process: Process,
    sender: Sender,
    receiver: Receiver,
}

/// What it says until it serves.
#[derive(Debug, Default)]
struct Entry {
    /// The functions that it goes on with.
    claimed: HashSet<u32>,
    /// Answers to waiters here, which its pools may give before it says that it serves. They are for
    /// after the departure: if it fails, they never were.
    answers: Vec<Message>,
}

/// Its process, killed if this is dropped.
struct Process(Option<Child>);

/// Has `binary` take over; its process, and the way to hear it.
pub(super) async fn attempt(
    holdings: &mut Holdings,
    binary: &Path,
) -> Result<(u32, Receiver), TakeoverError> {
    let mut candidate = execute(holdings, binary)?;
    offer(holdings, &candidate.sender)
        .map_err(|error| TakeoverError::System("offer the sockets", error))?;
    let patience = holdings.gateway.snapshot().gateway.takeover.timeout;
    match tokio::time::timeout(patience, candidate.ready()).await {
        Ok(ready) => ready?,
        Err(_) => return Err(TakeoverError::Slow("prepared", patience)),
    }
    // What changes in files from now on is read by the new one.
    let Ok(suspension) = holdings.reloader.suspend().await else {
        return Err(TakeoverError::Busy);
    };
    if tokio::time::timeout(CHANGE, holdings.scaler.settle())
        .await
        .is_err()
    {
        holdings.scaler.thaw();
        return Err(TakeoverError::Unsettled(CHANGE));
    }
    let lines = holdings.logs.pause(LOGS).await;
    let mut estate = holdings.scaler.freeze();
    estate.lines = lines;
    let change = tokio::time::timeout(CHANGE, candidate.change(&estate)).await;
    match change.unwrap_or(Err(TakeoverError::Slow("serving", CHANGE))) {
        Ok(entry) => {
            depart(holdings, &candidate.sender, &estate, &entry.claimed);
            for answer in entry.answers {
                pass_on(holdings, answer);
            }
            leave_record(holdings, candidate.sender.clone());
            // No configuration takes effect here any more.
            std::mem::forget(suspension);
            Ok(candidate.succeed())
        }
        Err(error) => {
            // First, so that it decides about nothing any more.
            candidate.process.kill();
            holdings.scaler.thaw();
            holdings.logs.resume();
            Err(error)
        }
    }
}

/// Answers waiters here as the heir says, until it is gone. Calls `released` when this process may
/// end.
pub(super) async fn hear(holdings: &Holdings, mut heir: Receiver, released: impl Fn()) {
    while let Ok(Some((message, _))) = heir.receive().await {
        match message {
            Message::Leading => released(),
            other => pass_on(holdings, other),
        }
    }
    holdings.scaler.lose_heir();
}

/// Passes an answer on to the waiter here. Anything else is nothing that this release knows.
fn pass_on(holdings: &Holdings, message: Message) {
    if let Message::Answer {
        function,
        waiter,
        answer,
    } = message
    {
        holdings.scaler.answered(function, waiter, answer);
    }
}

fn execute(holdings: &Holdings, binary: &Path) -> Result<Candidate, TakeoverError> {
    let system = |error: io::Error| TakeoverError::System("make a socket", error);
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|error| system(error.into()))?;
    let (sender, receiver) = channel(ours).map_err(system)?;
    let child = Command::new(binary)
        .arg("serve")
        .arg(&holdings.file)
        .arg("--takeover")
        .stdin(Stdio::from(theirs))
        .spawn()
        .map_err(|error| TakeoverError::Execute(binary.to_owned(), error))?;
    Ok(Candidate {
        process: Process(Some(child)),
        sender,
        receiver,
    })
}

/// Passes what is open.
fn offer(holdings: &Holdings, sender: &Sender) -> io::Result<()> {
    let offer = Message::Offer {
        version: VERSION,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        state_dir: holdings.state_dir.clone(),
        origin_nanos: holdings.scaler.clock().origin_nanos(),
    };
    sender.send(&offer, None)?;
    let pass = |kind: &str, bound: Bound| {
        let descriptor = Message::Descriptor {
            kind: kind.to_owned(),
            wanted: bound.wanted.to_string(),
            actual: bound.actual.to_string(),
        };
        sender.send(&descriptor, Some(bound.socket))
    };
    for bound in holdings.server.listeners()?.into_bound() {
        pass("listen", bound)?;
    }
    for bound in holdings.admin.duplicate()? {
        pass("admin", bound)?;
    }
    let lock: OwnedFd = holdings.driver.share_lock()?;
    let descriptor = Message::Descriptor {
        kind: "lock".to_owned(),
        wanted: String::new(),
        actual: String::new(),
    };
    sender.send(&descriptor, Some(lock))?;
    sender.send(&Message::OfferEnd, None)
}

/// Leaves everything to the heir, in an order in which nothing is anybody's and nothing is both's.
fn depart(holdings: &mut Holdings, sender: &Sender, estate: &Estate, claimed: &HashSet<u32>) {
    holdings.server.leave();
    let functions = estate.functions.iter();
    let ids: Vec<InstanceId> = functions
        .filter(|function| claimed.contains(&function.number))
        .flat_map(|function| function.instances().map(|(id, _)| id))
        .collect();
    holdings.driver.yield_to_heir(&ids);
    holdings.logs.leave();
    let driver = std::sync::Arc::clone(&holdings.driver) as std::sync::Arc<dyn Driver>;
    holdings
        .scaler
        .depart(&Heir::new(sender.clone(), driver), claimed);
    holdings.admin.leave();
    // It is short.
    sender.send(&Message::Departed, None).ok();
}

/// Leaves what was recorded and the starts of late, which nobody waits for.
fn leave_record(holdings: &Holdings, sender: Sender) {
    let scaler = std::sync::Arc::clone(&holdings.scaler);
    let file = holdings.gateway.snapshot().gateway.record_dir();
    let file = file.join("handover.bin");
    tokio::task::spawn_blocking(move || {
        if let Err(error) = scaler.leave_starts(&sender) {
            eprintln!("stoker: not all starts of late can be handed over: {error}");
        }
        match scaler.leave_record(&file) {
            // It is short.
            Ok(()) => drop(sender.send(&Message::Recorded { file }, None)),
            Err(error) => {
                let file = file.display();
                eprintln!("stoker: the record cannot be left in {file}: {error}");
            }
        }
    });
}

impl Candidate {
    /// Waits until it is prepared.
    async fn ready(&mut self) -> Result<(), TakeoverError> {
        match self.hear().await? {
            Message::Ready => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives it all there is, and waits until it serves.
    async fn change(&mut self, estate: &Estate) -> Result<Entry, TakeoverError> {
        estate
            .send(&self.sender)
            .map_err(|error| TakeoverError::System("send what there is", error))?;
        let mut entry = Entry::default();
        loop {
            match self.hear().await? {
                Message::Claimed { functions } => entry.claimed.extend(functions),
                answer @ Message::Answer { .. } => entry.answers.push(answer),
                Message::Serving => return Ok(entry),
                other => return Err(unexpected(&other)),
            }
        }
    }

    async fn hear(&mut self) -> Result<Message, TakeoverError> {
        match self.receiver.receive().await {
            Ok(Some((Message::Failed { reason }, _))) => Err(TakeoverError::Refused(reason)),
            Ok(Some((message, _))) => Ok(message),
            Ok(None) => Err(TakeoverError::Ended(self.process.ending().await)),
            Err(error) => Err(TakeoverError::System("understand it", error)),
        }
    }

    /// It lives on, and nobody waits for its end.
    fn succeed(mut self) -> (u32, Receiver) {
        let child = self.process.0.take();
        (child.map_or(0, |child| child.id()), self.receiver)
    }
}

impl Process {
    /// How it ended, having closed its socket.
    async fn ending(&mut self) -> String {
        let Some(mut child) = self.0.take() else {
            return "it is gone".to_owned();
        };
        let waited = tokio::task::spawn_blocking(move || {
            // One that merely closed its standard input is no gateway either.
            let ended = (0..LAST_LOOKS).find_map(|_| {
                std::thread::sleep(LAST_PAUSE);
                child.try_wait().ok().flatten()
            });
            if ended.is_none() {
                child.kill().ok();
                child.wait().ok();
            }
            ended
        });
        match waited.await {
            Ok(Some(status)) => status.to_string(),
            _ => "it hung up".to_owned(),
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().ok();
            // Reaped aside, though it does not take long.
            tokio::task::spawn_blocking(move || child.wait());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn unexpected(message: &Message) -> TakeoverError {
    TakeoverError::Refused(format!("it says {message:?} out of turn"))
}

#[cfg(test)]
mod tests;
