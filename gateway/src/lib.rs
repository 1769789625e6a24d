//! The data plane: from a caller's connection to a function's instance and back.
//!
//! The way of a request reads as five steps, `route`, `admit`, `acquire`, `forward` and `record`,
//! in `proxy.rs`.

mod body;
mod caller;
mod gateway;
mod health;
mod identity;
mod io;
mod launch;
mod listeners;
mod load;
mod metrics;
mod overload;
mod path;
mod phases;
mod problem;
mod proxy;
mod response;
mod retry;
mod router;
mod server;
mod share;
mod upstream;
mod watchdog;

pub use gateway::{Applied, Entry, Gateway, Snapshot};
pub use listeners::{BindError, Bound, Listeners};
pub use metrics::Metrics;
pub use server::Server;
pub use upstream::Connection;

/// A revision of a function, with connections of ours.
pub type Function = stoker_scaler::Function<Connection>;
/// The scaler of all functions, with connections of ours.
pub type Scaler = stoker_scaler::Scaler<Connection>;
