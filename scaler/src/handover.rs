//! One gateway takes over from another that lives, without either of them granting a slot that the
//! other one has granted.
//!
//! The former gateway *freezes* its pools: from then on their events are only written down. It sends
//! its estate (every instance with its leases, every waiter, what an operator holds) to its heir,
//! whose pools go on from there. If the heir fails before it serves, the former gateway *thaws*: the
//! events that were written down are applied, and nothing has happened. If it serves, the former one
//! *departs*: what was written down, and every event from then on, goes to the heir, who answers
//! with leases. So at any time exactly one pool decides about an instance, whichever process a
//! request came to, and what an upgrade changes is only in which process that pool is.
//!
//! The two speak over one socket: JSON in packets, as with the spawner. The heir sees the end of
//! the former gateway by the end of that socket, and takes back all leases that were given over it.

mod away;
mod channel;
mod estate;
mod load;
mod session;
mod starts;
mod wire;

pub use away::Heir;
pub use channel::{Receiver, Sender, channel};
pub use estate::{Estate, FunctionEstate};
pub use session::Session;
pub use starts::WireStart;
pub use wire::{Ask, Message, VERSION};

pub(crate) use session::Inherited;
pub(crate) use wire::Granted;
