//! The small process that clones and executes the programs.
//!
//! A clone of the gateway would be slow and, with its many threads, unsafe. So a spawner is
//! executed before the runtime starts: it has one thread and little memory, takes requests from a
//! Unix socket, and is the parent of every worker, which therefore outlives the gateway if the
//! operator wants that. [`launch_or_join`] is the gateway's side, [`main_from_args`] the process
//! itself.
//!
//! Nothing is orphaned: workers get SIGKILL when the spawner dies, descendants that left them are
//! adopted by the spawner and killed with their instance, and [`collect_orphans`] finds what
//! survived both processes by the `STOKER_SCOPE` in its environment.

#![deny(unsafe_code)]

mod cgroup;
#[allow(
    unsafe_code,
    reason = "clones with shared memory; its safe interface owns all that the child touches"
)]
mod clone;
mod confine;
mod explain;
mod frost;
mod launch;
mod link;
mod listening;
pub(crate) mod lock;
mod orphans;
pub(crate) mod packet;
mod pipes;
mod preload;
pub(crate) mod prepare;
pub(crate) mod proc;
pub(crate) mod protocol;
mod reap;
mod runners;
mod server;
mod stubs;
#[allow(
    unsafe_code,
    reason = "signals, waits and seccomp notifications that rustix does not offer"
)]
pub(crate) mod sys;
pub(crate) mod unheard;
mod user;
mod worker;

pub use cgroup::{CgroupSettings, CgroupUse};
pub use launch::{Connection, SpawnerSettings, join_as_heir, launch_or_join};
pub(crate) use launch::{Spawner, launch};
pub(crate) use link::is_full;
pub use orphans::collect_orphans;
pub use server::main_from_args;
pub use user::{Account, account};
