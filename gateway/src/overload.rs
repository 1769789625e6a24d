//! What the gateway does when it has too much to do itself: it turns new work away early and keeps
//! serving what it has.

mod connections;
mod descriptors;
mod memory;
mod refusal;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) use connections::{Connections, Open};
pub(crate) use descriptors::{Room, make_room};
pub(crate) use memory::watch as watch_memory;
pub(crate) use refusal::refuse;

/// Why new work was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// `limits.connections` are open.
    Connections,
    /// The process has more memory than `limits.memory-bytes`.
    Memory,
    /// The process has no descriptor left.
    Descriptors,
    /// The function's share of `limits.waiters` is full.
    Waiters,
    /// The function's share of `limits.instance-connections` is full.
    InstanceConnections,
}

/// How often new work was turned away, by reason. Plain counters; [`Shed::read`] is for whoever
/// exports them.
#[derive(Debug, Default)]
pub(crate) struct Shed([AtomicU64; Reason::ALL.len()]);

/// Whether the process is short of memory.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    memory: AtomicBool,
}

impl Reason {
    const ALL: [Reason; 5] = [
        Reason::Connections,
        Reason::Memory,
        Reason::Descriptors,
        Reason::Waiters,
        Reason::InstanceConnections,
    ];

    /// The label in metrics.
    fn name(self) -> &'static str {
        match self {
            Reason::Connections => "connections",
            Reason::Memory => "memory",
            Reason::Descriptors => "descriptors",
            Reason::Waiters => "waiters",
            Reason::InstanceConnections => "instance-connections",
        }
    }
}

impl Shed {
    /// Counts one.
    pub(crate) fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason with its count since the start.
    pub(crate) fn read(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Reason::ALL.into_iter().map(|reason| {
            (
                reason.name(),
                self.0[reason as usize].load(Ordering::Relaxed),
            )
        })
    }
}

impl Pressure {
    /// True while the process has more memory than it should.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.memory.load(Ordering::Relaxed)
    }

    fn set_short_of_memory(&self, short: bool) -> bool {
        self.memory.swap(short, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count() {
        let shed = Shed::default();
        shed.count(Reason::Memory);
        shed.count(Reason::InstanceConnections);
        shed.count(Reason::Memory);
        let read: Vec<_> = shed.read().collect();
        assert_eq!(
            read,
            [
                ("connections", 0),
                ("memory", 2),
                ("descriptors", 0),
                ("waiters", 0),
                ("instance-connections", 1)
            ]
        );
    }
}
