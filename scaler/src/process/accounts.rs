//! What the instances use, as far as it can be read: the spawner says once of each where.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoker_core::InstanceId;
use tokio::sync::Notify;

use super::Shared;
use crate::driver::{Measured, Spent};
use crate::spawner::protocol::Request;
use crate::spending::Account;

/// How long the spawner's answers are waited for; those that come later serve the next time.
const ANSWERS: Duration = Duration::from_millis(200);
/// Failed starts that nobody has asked about: more are forgotten.
const FAILED: usize = 1024;

/// Where it can be read what the instances use.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    known: Mutex<HashMap<InstanceId, Known>>,
    /// What starts that failed have used, until it is asked for.
    failed: Mutex<HashMap<InstanceId, Spent>>,
    /// Something was settled.
    news: Notify,
}

#[derive(Debug)]
struct Known {
    pid: u32,
    /// None until the spawner has said where.
    account: Option<Arc<Account>>,
    asked: bool,
}

/// One instance, its first process, and where it can be read what it uses.
type Readable = (InstanceId, u32, Arc<Account>);

impl Accounts {
    /// An instance runs.
    pub(super) fn add(&self, id: InstanceId, pid: u32) {
        let (account, asked) = (None, false);
        let known = Known {
            pid,
            account,
            asked,
        };
        self.lock().insert(id, known);
    }

    /// The spawner says where.
    pub(super) fn settle(&self, id: u64, account: Account) {
        let id = InstanceId::from_raw(id);
        if let Some(known) = self.lock().get_mut(&id) {
            known.account = Some(Arc::new(account));
        }
        self.news.notify_waiters();
    }

    /// Forgets those that are gone; those of which nobody has asked before.
    fn look(&self, lives: impl Fn(InstanceId) -> bool) -> Vec<InstanceId> {
        let mut known = self.lock();
        known.retain(|id, _| lives(*id));
        let new = known.iter_mut().filter(|(_, known)| !known.asked);
        new.map(|(id, known)| {
            known.asked = true;
            *id
        })
        .collect()
    }

    /// A start has failed that used so much. To be said before it is told to have failed.
    pub(super) fn note_failed(&self, id: InstanceId, spent: Option<Spent>) {
        let Some(spent) = spent else {
            return;
        };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() < FAILED {
            failed.insert(id, spent);
        }
    }

    /// What it used, once.
    pub(super) fn take_failed(&self, id: InstanceId) -> Option<Spent> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.remove(&id)
    }

    fn is_settled(&self) -> bool {
        self.lock().values().all(|known| known.account.is_some())
    }

    fn readable(&self) -> Vec<Readable> {
        let known = self.lock();
        let readable = known.iter().filter_map(|(id, known)| {
            let account = known.account.as_ref()?;
            Some((*id, known.pid, Arc::clone(account)))
        });
        readable.collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures every instance of this gateway, in a thread that may block.
pub(super) async fn measure(shared: &Shared) -> Vec<Measured> {
    let accounts = &shared.accounts;
    let new = accounts.look(|id| shared.table.knows(id));
    let some = !new.is_empty();
    for id in new {
        let request = Request::Account { id: id.as_raw() };
        // Fails only if the spawner is gone, and its workers with it.
        shared.client.send(&request, Vec::new()).ok();
    }
    if some {
        let settled = async {
            while !accounts.is_settled() {
                accounts.news.notified().await;
            }
        };
        tokio::time::timeout(ANSWERS, settled).await.ok();
    }
    let readable = accounts.readable();
    if readable.is_empty() {
        return Vec::new();
    }
    let read = move || {
        let measured = readable.into_iter().map(|(id, pid, account)| Measured {
            id,
            cpu_micros: account.cpu_micros(Some(pid)),
            memory_bytes: account.memory_bytes(Some(pid)),
        });
        measured.collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}
