//! The driver's part when one gateway takes over from another: the spawner learns whose each
//! instance is, and tells that gateway of it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stoker_core::InstanceId;

use super::frost::Frost;
use super::place::Place;
use super::table::{Entry, Phase};
use super::{LIST_WAIT, ProcessDriver};
use crate::driver::Observed;
use crate::handover::Estate;
use crate::spawner::protocol::Request;

/// Ids in one message: far below what a message may take.
const CHUNK: usize = 4096;

impl ProcessDriver {
    /// The lock of the state directory, to be shared with an heir.
    ///
    /// # Errors
    /// If there is no descriptor left, or the lock has been left already.
    pub fn share_lock(&self) -> io::Result<OwnedFd> {
        match &*self.shared.locked() {
            Some(lock) => lock.duplicate(),
            None => Err(io::Error::other("the state directory was left already")),
        }
    }

    /// Takes the instances of an estate from the gateway that leads, and the output of all. Those
    /// that are still being started there come through [`crate::driver::Driver::observed`] or end.
    /// Answers with the others, as far as they live.
    ///
    /// # Errors
    /// If the spawner is gone or does not answer in time.
    pub async fn take(&self, estate: &Estate) -> io::Result<Vec<Observed>> {
        let mut ids: Vec<InstanceId> = Vec::new();
        for function in &estate.functions {
            for (id, starting) in function.instances() {
                match starting {
                    true => self.expect(id, &function.name),
                    false => ids.push(id),
                }
            }
        }
        let mut found = Vec::new();
        // At least one, for the output of the others comes with it.
        let chunks = ids.chunks(CHUNK).chain(ids.is_empty().then_some(&ids[..]));
        for chunk in chunks {
            let listed = self.shared.table.begin_list();
            let ids = chunk.iter().map(|id| id.as_raw()).collect();
            self.shared
                .client
                .send(&Request::Take { ids }, Vec::new())?;
            match tokio::time::timeout(LIST_WAIT, listed).await {
                Ok(Ok(observed)) => found.extend(observed),
                _ => return Err(io::Error::other("the spawner does not answer")),
            }
        }
        match self.shared.client.is_up() {
            true => Ok(found),
            false => Err(io::Error::other("the spawner died")),
        }
    }

    /// Another gateway is starting it.
    fn expect(&self, id: InstanceId, function: &Arc<str>) {
        let entry = Entry {
            function: Arc::clone(function),
            inherited: None,
            phase: Phase::Expected,
            stopping: false,
            verdict: None,
            watch: None,
            place: Place::default(),
            read: false,
            frost: Frost::default(),
        };
        self.shared.table.insert(id, entry);
    }

    /// The former gateway has yielded: spawner and state directory are this gateway's from now on.
    pub fn lead(&self) {
        self.shared.leads.store(true, Ordering::Release);
        if let Some(lock) = &mut *self.shared.locked() {
            // Only for people who look into the file.
            lock.sign().ok();
        }
    }

    /// Leaves the spawner, the state directory and these instances to the heir. What this gateway
    /// is still starting it finishes; others that it has it keeps.
    pub fn yield_to_heir(&self, ids: &[InstanceId]) {
        self.shared.leads.store(false, Ordering::Release);
        self.shared.table.hand_over(ids);
        // If the spawner is gone, the heir knows that too.
        self.shared.client.send(&Request::Yield, Vec::new()).ok();
        self.shared.release();
    }
}
