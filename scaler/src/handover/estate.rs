//! What a gateway leaves, as messages and back.

use std::io;
use std::sync::Arc;

use stoker_core::{
    Frozen, Inherited, InstanceId, InstanceState, Legacy, Record, Timestamp, WaiterId,
};

use super::channel::{Receiver, Sender};
use super::wire::{Message, WireInstance};
use crate::logs::Partial;

/// Numbers of a pool's memory in one message, which has room for several times as many.
const WORDS_AT_ONCE: usize = 512;
/// What more a pool remembers is not taken, and what is cut off is not read.
const MOST_WORDS: usize = 1 << 16;

/// All that a frozen gateway leaves to its heir.
#[derive(Debug, Default)]
pub struct Estate {
    /// Without those that were retired.
    pub functions: Vec<FunctionEstate>,
    /// Beginnings of lines of output.
    pub lines: Vec<Partial>,
    /// Numbers of pools from here on were never used.
    pub next_number: u32,
}

/// What it leaves of one function.
#[derive(Debug)]
pub struct FunctionEstate {
    /// The number of its pool.
    pub number: u32,
    /// The function's name.
    pub name: Arc<str>,
    /// The revision.
    pub revision: Arc<str>,
    /// All that the pool has.
    pub legacy: Legacy,
}

impl Estate {
    /// Sends all of it.
    ///
    /// # Errors
    /// If a message is too large.
    pub fn send(&self, sender: &Sender) -> io::Result<()> {
        for function in &self.functions {
            function.send(sender)?;
        }
        for line in &self.lines {
            // One that is too long for a message is lost, but no more than that.
            sender.send(&Message::Line(line.clone()), None).ok();
        }
        let next_number = self.next_number;
        sender.send(&Message::EstateEnd { next_number }, None)
    }

    /// Receives one.
    ///
    /// # Errors
    /// If the former gateway goes or says something else.
    pub async fn receive(receiver: &mut Receiver) -> io::Result<Estate> {
        let mut estate = Estate::default();
        loop {
            let Some((message, _)) = receiver.receive().await? else {
                return Err(io::Error::other("the former gateway is gone"));
            };
            match message {
                Message::Line(line) => estate.lines.push(line),
                Message::EstateEnd { next_number } => {
                    estate.next_number = next_number;
                    return Ok(estate);
                }
                message => estate.add(message)?,
            }
        }
    }

    fn add(&mut self, message: Message) -> io::Result<()> {
        if let Message::Function {
            number,
            name,
            revision,
            held,
            evicted,
            last_active,
            learned,
        } = message
        {
            let legacy = Legacy {
                held,
                evicted,
                last_active: Timestamp::from_nanos(last_active),
                learned: learned.into(),
                ..Legacy::default()
            };
            self.functions.push(FunctionEstate {
                number,
                name,
                revision,
                legacy,
            });
            return Ok(());
        }
        let function = self.functions.last_mut();
        match (message, function) {
            (Message::Instance(instance), Some(function)) => {
                function.legacy.instances.push(instance.into());
                Ok(())
            }
            (Message::Memory { words }, Some(function)) => {
                let memory = &mut function.legacy.memory;
                if memory.len() + words.len() <= MOST_WORDS {
                    memory.extend(words);
                }
                Ok(())
            }
            (Message::Waiter { waiter, deadline }, Some(function)) => {
                let waiter = (WaiterId(waiter), Timestamp::from_nanos(deadline));
                function.legacy.waiters.push(waiter);
                Ok(())
            }
            (other, _) => {
                let detail =
                    format!("the former gateway says {other:?} in the midst of its estate");
                Err(io::Error::new(io::ErrorKind::InvalidData, detail))
            }
        }
    }
}

impl FunctionEstate {
    fn send(&self, sender: &Sender) -> io::Result<()> {
        let legacy = &self.legacy;
        let head = Message::Function {
            number: self.number,
            name: Arc::clone(&self.name),
            revision: Arc::clone(&self.revision),
            held: legacy.held,
            evicted: legacy.evicted,
            last_active: legacy.last_active.as_nanos(),
            learned: legacy.learned.into(),
        };
        sender.send(&head, None)?;
        for instance in &legacy.instances {
            sender.send(&Message::Instance(instance.into()), None)?;
        }
        for words in legacy.memory.chunks(WORDS_AT_ONCE) {
            let words = words.to_vec();
            sender.send(&Message::Memory { words }, None)?;
        }
        for (waiter, deadline) in &legacy.waiters {
            let waiter = Message::Waiter {
                waiter: waiter.0,
                deadline: deadline.as_nanos(),
            };
            sender.send(&waiter, None)?;
        }
        Ok(())
    }

    /// The ids of its instances, and which of them are still being started.
    pub fn instances(&self) -> impl Iterator<Item = (InstanceId, bool)> {
        let instances = self.legacy.instances.iter();
        instances.map(|it| (it.instance, it.state == InstanceState::Starting))
    }
}

impl From<&Inherited> for WireInstance {
    fn from(it: &Inherited) -> Self {
        WireInstance {
            instance: it.instance.as_raw(),
            state: it.state.into(),
            since: it.since.as_nanos(),
            created: it.created.as_nanos(),
            in_use: it.in_use,
            served: it.served,
            idle_since: it.idle_since.map(Timestamp::as_nanos),
            proven: it.proven,
            evicted: it.evicted,
            standing: it.standing.into(),
            failures: it.record.failures,
            ejections: it.record.ejections,
            good_since: it.record.good_since.as_nanos(),
            warm_since: it.warm_since.map(Timestamp::as_nanos),
            frozen_since: it.frozen.map(|frozen| frozen.since.as_nanos()),
            reclaimed: it.frozen.is_some_and(|frozen| frozen.reclaimed),
        }
    }
}

impl From<WireInstance> for Inherited {
    fn from(it: WireInstance) -> Self {
        Inherited {
            instance: InstanceId::from_raw(it.instance),
            state: it.state.into(),
            since: Timestamp::from_nanos(it.since),
            created: Timestamp::from_nanos(it.created),
            in_use: it.in_use,
            served: it.served,
            idle_since: it.idle_since.map(Timestamp::from_nanos),
            proven: it.proven,
            evicted: it.evicted,
            standing: it.standing.into(),
            record: Record {
                failures: it.failures,
                ejections: it.ejections,
                good_since: Timestamp::from_nanos(it.good_since),
            },
            warm_since: it.warm_since.map(Timestamp::from_nanos),
            frozen: it.frozen_since.map(|since| Frozen {
                since: Timestamp::from_nanos(since),
                reclaimed: it.reclaimed,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use stoker_core::{Learned, Moments, Standing};

    use super::*;
    use crate::handover::channel;

    fn instance(count: u32, standing: Standing) -> Inherited {
        let at = |seconds: u64| Timestamp::from_nanos(seconds * 1_000_000_000 + 7);
        Inherited {
            instance: InstanceId::new(3, count),
            state: InstanceState::Ready,
            since: at(10),
            created: at(9),
            in_use: 2,
            served: 77,
            idle_since: Some(at(11)),
            proven: true,
            evicted: true,
            standing,
            record: Record {
                failures: 4,
                ejections: 2,
                good_since: at(8),
            },
            warm_since: Some(at(12)),
            frozen: Some(Frozen {
                since: at(13),
                reclaimed: true,
            }),
        }
    }

    #[tokio::test]
    async fn an_estate_arrives_as_it_was_sent() {
        let moments = |count, mean, deviation| Moments {
            count,
            mean,
            deviation,
        };
        let until = Timestamp::from_nanos(13);
        let standings = [Standing::Good, Standing::Aside { until }, Standing::Trial];
        let legacy = Legacy {
            instances: (1..)
                .zip(standings)
                .map(|(n, it)| instance(n, it))
                .collect(),
            waiters: vec![(WaiterId(5), Timestamp::from_nanos(6))],
            held: Some(2),
            evicted: true,
            last_active: Timestamp::from_nanos(14),
            learned: Learned {
                service: moments(32, 0.125, 0.5),
                start: moments(3, 2.25, 0.0),
            },
            memory: (0..2_000).map(|word| u64::MAX - word).collect(),
        };
        let estate = Estate {
            functions: vec![FunctionEstate {
                number: 3,
                name: "f".into(),
                revision: "r".into(),
                legacy: legacy.clone(),
            }],
            lines: Vec::new(),
            next_number: 4,
        };
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let (sender, _receiver) = channel(ours).unwrap();
        let (_sender, mut receiver) = channel(theirs).unwrap();
        estate.send(&sender).unwrap();
        let received = Estate::receive(&mut receiver).await.unwrap();
        assert_eq!(received.next_number, 4);
        assert_eq!(received.functions[0].legacy, legacy);
    }
}
